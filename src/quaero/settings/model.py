"""The settings themselves: their names, types, ranges, defaults and meanings.

Durations come in as text (`"5m"`) and are seconds here, sizes likewise bytes. A model is frozen,
refuses names that it does not have, and converts nothing silently: a whole number in quotes is not
a whole number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

import quaero
from quaero.settings.kinds import (
    BaseUrl,
    Duration,
    FreeText,
    HeaderText,
    HostName,
    HostNames,
    Location,
    Networks,
    Places,
    QueueName,
    Secret,
    Size,
)

MILLISECOND = 0.001
SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MB = 1000**2
GB = 1000**3
TB = 1000**4


class Section(BaseModel):
    """Settings that belong together: one table of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class QueueSettings(Section):
    """The queue and the workers of this process."""

    poll_interval: Duration = Field(
        default=SECOND,
        ge=10 * MILLISECOND,
        le=HOUR,
        description="how often to look for work where nothing woke us",
    )
    concurrency: int = Field(
        default=5, ge=1, le=1000, description="jobs that this process runs at once"
    )
    visibility_timeout: Duration = Field(
        default=5 * MINUTE,
        ge=SECOND,
        le=DAY,
        description="how long a received message is hidden; renewed while run",
    )
    max_receive: int = Field(
        default=3, ge=1, le=100, description="starts before a message is given up"
    )
    name: QueueName = Field(
        default="quaero_jobs", alias="queue_name", description="the queue of the jobs"
    )


class CrawlSettings(Section):
    """What a crawl does unless it is told otherwise."""

    allow_networks: Networks = Field(
        default=(), description="private networks that may be crawled from a seed outside them"
    )
    concurrency: int = Field(
        default=4, ge=1, le=100, description="pages fetched from one host at once"
    )
    delay: Duration = Field(
        default=0.0, ge=0, le=HOUR, description="least time between pages of one host"
    )
    user_agent: HeaderText = Field(
        default=f"Quaero/{quaero.__version__}", description="the name told to the servers"
    )
    respect_robots: bool = Field(default=True, description="obey robots.txt")
    max_depth: int = Field(
        default=3, ge=0, le=1000, description="links to follow from a seed, at most"
    )
    max_pages: int = Field(
        default=100,
        ge=0,
        le=1_000_000_000,
        description="pages of one crawl, at most; 0 is no limit",
    )
    keep_bodies: Duration = Field(
        default=30 * DAY,
        ge=0,
        le=3650 * DAY,
        description="how long after the last look at a page its body is kept; 0s keeps none",
    )


class WorkSettings(Section):
    """The worker processes."""

    grace: Duration = Field(
        default=10 * SECOND,
        ge=0,
        le=HOUR,
        description="time for running jobs to end when the program stops",
    )
    default_timeout: Duration = Field(
        default=10 * MINUTE,
        ge=SECOND,
        le=7 * DAY,
        description="longest run of a job whose type names no other",
    )
    memory: Size = Field(
        default=4 * GB, ge=256 * MB, le=TB, description="most memory of a worker process"
    )
    helpers: int = Field(
        default=1, ge=1, le=64, description="processes that extract text from pages"
    )
    job_types: Places = Field(
        default=(), description="modules whose `job_types` are known besides the built-in ones"
    )


class ServerSettings(Section):
    """The HTTP interface and the pages."""

    host: HostName = Field(default="localhost", description="the name or address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="the port; 0 takes a free one")
    hosts: HostNames = Field(
        default=(), description="further names by which browsers may call this server"
    )
    token: bool = Field(
        default=False,
        description="ask every visitor for the token in the data directory; "
        "needed wherever others can reach the server",
    )

    def address(self, port: int) -> str:
        """Where people find the pages of a server on this port."""
        return f"http://[{self.host}]:{port}" if ":" in self.host else f"http://{self.host}:{port}"


class LogsSettings(Section):
    """The program's own log, and how long those of jobs are kept."""

    level: Literal["debug", "info", "warn", "error"] = Field(
        default="info", description="the least level of the program's own log"
    )
    retention: Duration = Field(
        default=30 * DAY,
        ge=HOUR,
        le=3650 * DAY,
        description="how long logs of finished jobs are kept",
    )


class DocumentsSettings(Section):
    """What is kept of the pages that were collected."""

    versions: int = Field(
        default=50,
        ge=0,
        le=1_000_000,
        description="earlier texts of a document that a cleanup leaves, the newest",
    )


class SummarizeSettings(Section):
    """What summaries and keywords are made by, and what is kept of how."""

    model: Literal["extractive", "server", "local"] = Field(
        default="extractive",
        description="what makes summaries: the text's own best sentences, or the model of [model]",
    )
    sentences: int = Field(default=4, ge=1, le=50, description="sentences of a summary, at most")
    batch_size: int = Field(
        default=20, ge=1, le=1000, description="documents that one job summarises"
    )
    audit_texts: bool = Field(
        default=False, description="keep what a model was sent and answered, not only that it was"
    )
    audit_retention: Duration = Field(
        default=90 * DAY,
        ge=HOUR,
        le=3650 * DAY,
        description="how long records of the calls of models are kept",
    )


class ModelSettings(Section):
    """The language model: an OpenAI-compatible server, or a file that this program loads."""

    base_url: BaseUrl = Field(
        default="", description="the server, up to the part before /chat/completions"
    )
    name: FreeText = Field(default="", description="the name of the server's model")
    api_key: Secret = Field(
        default=SecretStr(""), description="the server's key, sent as a bearer token"
    )
    path: FreeText = Field(default="", description="the GGUF file of a local model")
    chat_template: FreeText = Field(
        default="", description="the Jinja template of a local model whose file has none"
    )
    stop: FreeText = Field(
        default="", description="a text that ends an answer, for models that know no end of theirs"
    )
    threads: int = Field(
        default=2, ge=1, le=512, description="processors that a local model computes on"
    )
    context: int = Field(
        default=8192, ge=512, le=10_000_000, description="tokens that the model can look at"
    )
    max_tokens: int = Field(
        default=500, ge=16, le=100_000, description="tokens of an answer, at most"
    )
    timeout: Duration = Field(
        default=2 * MINUTE, ge=SECOND, le=HOUR, description="how long to wait for an answer"
    )
    concurrency: int = Field(
        default=1, ge=1, le=1000, description="jobs that ask the model at once"
    )


class ReportsSettings(Section):
    """The figures of each minute, from which charts and percentiles are made."""

    retention: Duration = Field(
        default=35 * DAY,
        ge=DAY,
        le=3650 * DAY,
        description="how long the figures of each minute are kept",
    )


class UpkeepSettings(Section):
    """What a cleanup leaves."""

    dead_letters: Duration = Field(
        default=90 * DAY,
        ge=HOUR,
        le=3650 * DAY,
        description="how long dead letters are kept",
    )


class WorkflowsSettings(Section):
    """Workflows and what begins them."""

    directory: Location = Field(
        default=Path("definitions"),
        description="the folder whose files are definitions, relative to the data directory",
    )
    schedules: bool = Field(
        default=True, description="whether the workers of this program begin what is due"
    )


def _user_key_file() -> Path:
    """In the user's configuration directory, and never in the data directory, which may be it."""
    import platformdirs

    folder = platformdirs.user_config_path("quaero", appauthor=False)
    if folder == _user_data_dir():
        folder = platformdirs.user_config_path("quaero-keys", appauthor=False)
    return folder / "keys"


class AuthSettings(Section):
    """The logins that are stored."""

    key_file: Location = Field(
        default_factory=_user_key_file,
        description="the file of the keys that seal the logins, outside the data directory",
    )


class DatabaseSettings(Section):
    """Where everything is stored."""

    path: Location = Field(
        default=Path("quaero.db"), description="the database file, relative to the data directory"
    )
    backups: Location = Field(
        default=Path("backups"),
        description="the folder that backup jobs write to, relative to the data directory",
    )


def _user_data_dir() -> Path:
    import platformdirs

    return platformdirs.user_data_path("quaero", appauthor=False)


class Settings(BaseModel):
    """All settings, checked; `load` makes them from their four places.

    Made directly, everything not named has its default, and nothing outside is looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    data_dir: Location = Field(
        default_factory=_user_data_dir, description="the folder of the database and all files"
    )
    queue: QueueSettings = QueueSettings()
    crawl: CrawlSettings = CrawlSettings()
    work: WorkSettings = WorkSettings()
    server: ServerSettings = ServerSettings()
    documents: DocumentsSettings = DocumentsSettings()
    logs: LogsSettings = LogsSettings()
    summarize: SummarizeSettings = SummarizeSettings()
    model: ModelSettings = ModelSettings()
    reports: ReportsSettings = ReportsSettings()
    workflows: WorkflowsSettings = WorkflowsSettings()
    auth: AuthSettings = Field(default_factory=AuthSettings)
    upkeep: UpkeepSettings = UpkeepSettings()
    database: DatabaseSettings = DatabaseSettings()

    @property
    def database_file(self) -> Path:
        """The path of the database, in the data directory unless its own is absolute."""
        return self.data_dir / self.database.path

    @property
    def backups_dir(self) -> Path:
        """The folder of backups, in the data directory unless its own is absolute."""
        return self.data_dir / self.database.backups

    @property
    def definitions_dir(self) -> Path:
        """The folder of definitions, in the data directory unless its own is absolute."""
        return self.data_dir / self.workflows.directory

    @property
    def token_file(self) -> Path:
        """Where the token is kept that visitors have to show."""
        return self.data_dir / "token"
