"""What can be set, where a value comes from, and what it may be.

    settings = load(config=None, overrides={}, environ=os.environ, cwd=Path.cwd())
    settings.queue.concurrency          # 5
    origins(settings)["queue.concurrency"]    # Origin(source=Source.DEFAULT, where="")

A value is taken from the command line, else from the environment, else from the configuration
file, else it is the default. Every name and value that was given is checked, also where another
place overrides it, and `BadConfig` lists all that is wrong. Making folders, opening files and
obeying the settings is left to those who are given them.

Importing this package loads pydantic: programs that want to start fast import it where they use it.
"""

from quaero.settings.catalogue import Setting, catalogue
from quaero.settings.load import config_file, load, origins, texts
from quaero.settings.model import (
    CrawlSettings,
    DatabaseSettings,
    DocumentsSettings,
    LogsSettings,
    ModelSettings,
    QueueSettings,
    Settings,
    SummarizeSettings,
    WorkflowsSettings,
    WorkSettings,
)
from quaero.settings.sources import Origin, Source

__all__ = [
    "CrawlSettings",
    "DatabaseSettings",
    "DocumentsSettings",
    "LogsSettings",
    "ModelSettings",
    "Origin",
    "QueueSettings",
    "Setting",
    "Settings",
    "Source",
    "SummarizeSettings",
    "WorkSettings",
    "WorkflowsSettings",
    "catalogue",
    "config_file",
    "load",
    "origins",
    "texts",
]
