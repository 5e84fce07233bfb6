"""What may be configured, where a value comes from, and what is said of a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from quaero.errors import BadConfig
from quaero.settings import (
    CrawlSettings,
    QueueSettings,
    Settings,
    Source,
    catalogue,
    config_file,
    load,
    origins,
    texts,
)
from quaero.settings.units import format_duration, format_size, parse_duration, parse_size

FROM_THE_SPECIFICATION = {
    "QUAERO_QUEUE_POLL_INTERVAL": "queue.poll_interval",
    "QUAERO_QUEUE_CONCURRENCY": "queue.concurrency",
    "QUAERO_QUEUE_VISIBILITY_TIMEOUT": "queue.visibility_timeout",
    "QUAERO_QUEUE_MAX_RECEIVE": "queue.max_receive",
    "QUAERO_QUEUE_NAME": "queue.queue_name",
    "QUAERO_DATA_DIR": "data_dir",
}

# One allowed value of each setting other than its default: as text, as TOML, as Python has it.
EXAMPLES: dict[str, tuple[str, str, Any]] = {
    "data_dir": ("/srv/quaero", '"/srv/quaero"', Path("/srv/quaero")),
    "queue.poll_interval": ("500ms", '"500ms"', 0.5),
    "queue.concurrency": ("12", "12", 12),
    "queue.visibility_timeout": ("2h", '"2h"', 7200.0),
    "queue.max_receive": ("5", "5", 5),
    "queue.queue_name": ("other jobs", '"other jobs"', "other jobs"),
    "crawl.allow_networks": (
        "10.0.0.0/8, fd00::/8",
        '["10.0.0.0/8", "fd00::/8"]',
        ("10.0.0.0/8", "fd00::/8"),
    ),
    "crawl.concurrency": ("8", "8", 8),
    "crawl.delay": ("1s", '"1s"', 1.0),
    "crawl.user_agent": ("Seeker/2 (+me)", '"Seeker/2 (+me)"', "Seeker/2 (+me)"),
    "crawl.respect_robots": ("false", "false", False),
    "crawl.max_depth": ("0", "0", 0),
    "crawl.max_pages": ("100000", "100000", 100_000),
    "crawl.keep_bodies": ("0s", '"0s"', 0.0),
    "work.grace": ("0s", '"0s"', 0.0),
    "work.default_timeout": ("1d", '"1d"', 86_400.0),
    "work.memory": ("512MB", '"512MB"', 512_000_000),
    "work.helpers": ("2", "2", 2),
    "work.job_types": (
        "mypackage.jobs, other:types",
        '["mypackage.jobs", "other:types"]',
        ("mypackage.jobs", "other:types"),
    ),
    "server.host": ("KB.example.org", '"kb.example.org"', "kb.example.org"),
    "server.port": ("0", "0", 0),
    "server.hosts": ("a.test, B.test", '["a.test", "b.test"]', ("a.test", "b.test")),
    "server.token": ("true", "true", True),
    "documents.versions": ("0", "0", 0),
    "logs.level": ("debug", '"debug"', "debug"),
    "logs.retention": ("1h", '"1h"', 3_600.0),
    "summarize.model": ("server", '"server"', "server"),
    "summarize.sentences": ("6", "6", 6),
    "summarize.batch_size": ("5", "5", 5),
    "summarize.audit_texts": ("true", "true", True),
    "summarize.audit_retention": ("30d", '"30d"', 2_592_000.0),
    "model.base_url": (
        "http://localhost:11434/v1",
        '"http://localhost:11434/v1"',
        "http://localhost:11434/v1",
    ),
    "model.name": ("llama3", '"llama3"', "llama3"),
    "model.api_key": ("sk-1", '"sk-1"', SecretStr("sk-1")),
    "model.path": ("/srv/model.gguf", '"/srv/model.gguf"', "/srv/model.gguf"),
    "model.chat_template": ("{{ x }}", '"{{ x }}"', "{{ x }}"),
    "model.stop": ("END", '"END"', "END"),
    "model.threads": ("8", "8", 8),
    "model.context": ("4096", "4096", 4096),
    "model.max_tokens": ("300", "300", 300),
    "model.timeout": ("30s", '"30s"', 30.0),
    "model.concurrency": ("4", "4", 4),
    "reports.retention": ("2d", '"2d"', 172_800.0),
    "workflows.directory": ("flows", '"flows"', Path("flows")),
    "workflows.schedules": ("false", "false", False),
    "auth.key_file": ("/tmp/keys", '"/tmp/keys"', Path("/tmp/keys")),
    "upkeep.dead_letters": ("7d", '"7d"', 604_800.0),
    "database.path": ("pages.db", '"pages.db"', Path("pages.db")),
    "database.backups": ("copies", '"copies"', Path("copies")),
}

DURATION = "it must be a duration from"
WHOLE = "it must be a whole number from"

# A configuration file, and what must be said of it after the file's name.
WRONG_FILES = [
    ("[queue]\npoll_interval = 5", f":2): {DURATION} 10ms to 1h."),
    ('[queue]\npoll_interval = "5"', f'queue.poll_interval = "5" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "5 s"', f'queue.poll_interval = "5 s" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "1.5s"', f'queue.poll_interval = "1.5s" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "9ms"', f'queue.poll_interval = "9ms" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "61m"', f'queue.poll_interval = "61m" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "-1s"', f'queue.poll_interval = "-1s" ({{}}:2): {DURATION}'),
    ('[queue]\npoll_interval = "1S"', f'queue.poll_interval = "1S" ({{}}:2): {DURATION}'),
    ("[queue]\npoll_interval = 1979-05-27", 'queue.poll_interval = "1979-05-27"'),
    ("[queue]\nconcurrency = 0", f"queue.concurrency = 0 ({{}}:2): {WHOLE} 1 to 1000."),
    ("[queue]\nconcurrency = 1001", f"queue.concurrency = 1001 ({{}}:2): {WHOLE} 1 to 1000."),
    ('[queue]\nconcurrency = "5"', f'queue.concurrency = "5" ({{}}:2): {WHOLE} 1 to 1000.'),
    ("[queue]\nconcurrency = 5.0", f"queue.concurrency = 5.0 ({{}}:2): {WHOLE} 1 to 1000."),
    ("[queue]\nconcurrency = true", f"queue.concurrency = true ({{}}:2): {WHOLE} 1 to 1000."),
    ("[queue]\nconcurrency = nan", f"queue.concurrency = NaN ({{}}:2): {WHOLE} 1 to 1000."),
    ("[queue]\nconcurrency = [5]", f"queue.concurrency = [5] ({{}}:2): {WHOLE} 1 to 1000."),
    ('[queue]\nvisibility_timeout = "999ms"', f"({{}}:2): {DURATION} 1s to 1d."),
    ('[queue]\nvisibility_timeout = "25h"', f"({{}}:2): {DURATION} 1s to 1d."),
    ("[queue]\nmax_receive = 0", f"queue.max_receive = 0 ({{}}:2): {WHOLE} 1 to 100."),
    ("[queue]\nmax_receive = 101", f"queue.max_receive = 101 ({{}}:2): {WHOLE} 1 to 100."),
    ('[queue]\nqueue_name = ""', "it must be 1 to 200 printable characters."),
    ('[queue]\nqueue_name = "a\\nb"', 'queue.queue_name = "a\\nb" ({}:2): it must be 1 to 200'),
    ("[queue]\nqueue_name = 3", "queue.queue_name = 3 ({}:2): it must be 1 to 200"),
    ('[queue]\nname = "x"', "queue.name ({}:2) is not a setting: did you mean queue.queue_name?"),
    ("[queue]\nconcurency = 5", "is not a setting: did you mean queue.concurrency?"),
    ("[queue]\nfrobnicate = 5", "queue.frobnicate ({}:2) is not a setting: allowed are queue.poll"),
    ("[queue.lanes]\nx = 5", "queue.lanes ({}:1) is not a setting"),
    ("queue = 5", "queue = 5 ({}:1): it must be a table, [queue], with settings."),
    ("[[queue]]\nconcurrency = 5", "({}:1): it must be a table, [queue], with settings."),
    ("queue = { concurrency = 0 }", f"queue.concurrency = 0 ({{}}:1): {WHOLE} 1 to 1000."),
    ("queue.concurrency = 0", f"queue.concurrency = 0 ({{}}:1): {WHOLE} 1 to 1000."),
    ("[queu]\nconcurrency = 5", "[queu] ({}:1) is not a setting: did you mean queue?"),
    ("concurrency = 5", "concurrency ({}:1) is not a setting: "),
    ("zzz = 5", "zzz ({}:1) is not a setting: `quaero config show` lists all settings."),
    ('"\\u001b[31m" = 5', '"\\u001b[31m" ({}) is not a setting'),
    ('[crawl]\nallow_networks = "10.0.0.0/8"', "it must be a list of networks such as"),
    ('[crawl]\nallow_networks = ["intranet"]', 'crawl.allow_networks = ["intranet"] ({}:2): it'),
    ("[crawl]\nallow_networks = [10]", "crawl.allow_networks = [10] ({}:2): it must be a list"),
    ("[crawl]\nconcurrency = 101", f"crawl.concurrency = 101 ({{}}:2): {WHOLE} 1 to 100."),
    ('[crawl]\ndelay = "2h"', f'crawl.delay = "2h" ({{}}:2): {DURATION} 0s to 1h.'),
    ('[crawl]\nuser_agent = "Quäro"', 'crawl.user_agent = "Quäro" ({}:2): it must be 1 to 200'),
    ('[crawl]\nuser_agent = "a\\r\\nX: y"', "it must be 1 to 200 printable ASCII characters."),
    ('[crawl]\nrespect_robots = "yes"', 'respect_robots = "yes" ({}:2): it must be true or false.'),
    ("[crawl]\nrespect_robots = 1", "respect_robots = 1 ({}:2): it must be true or false."),
    ("[crawl]\nmax_depth = -1", f"crawl.max_depth = -1 ({{}}:2): {WHOLE} 0 to 1000."),
    ("[crawl]\nmax_pages = -1", f"crawl.max_pages = -1 ({{}}:2): {WHOLE} 0 to 1000000000."),
    ('[work]\nmemory = "4gb"', 'work.memory = "4gb" ({}:2): it must be a size from 256MB to 1TB.'),
    ("[work]\nmemory = 4000000000", "work.memory = 4000000000 ({}:2): it must be a size from"),
    ('[work]\nmemory = "1MB"', 'work.memory = "1MB" ({}:2): it must be a size from 256MB to 1TB.'),
    ("[work]\nhelpers = 0", f"work.helpers = 0 ({{}}:2): {WHOLE} 1 to 64."),
    ('[work]\njob_types = "mypackage"', 'work.job_types = "mypackage" ({}:2): it must be a list'),
    ('[work]\njob_types = ["my package"]', "it must be a list of modules such as"),
    ('[work]\ndefault_timeout = "0s"', f"({{}}:2): {DURATION} 1s to 7d."),
    ('[logs]\nlevel = "warning"', 'it must be one of "debug", "info", "warn", "error".'),
    ('[logs]\nretention = "0d"', f'logs.retention = "0d" ({{}}:2): {DURATION} 1h to 3650d.'),
    ('[database]\npath = ""', 'database.path = "" ({}:2): it must be a path that is not empty.'),
    ('[database]\npath = "a\\u0000b"', "database.path ="),
    ("data_dir = 7", "data_dir = 7 ({}:1): it must be a path that is not empty."),
    ('[data_dir]\nx = "y"', 'data_dir = {"x": "y"} ({}:1): it must be a path'),
    ("[queue\n", "{} is not valid TOML: "),
    ("[queue]\nconcurrency = 1\nconcurrency = 2", "{} is not valid TOML: "),
    ("x = " + "[" * 100_000, "{} is not valid TOML: nested too deeply."),
    ("#" * 1_100_000, "{} is larger than 1 MiB"),
]

WRONG_VARIABLES = [
    ("QUAERO_QUEUE_CONCURRENCY", "five", f'queue.concurrency = "five" ({{}}): {WHOLE} 1 to 1000.'),
    ("QUAERO_QUEUE_CONCURRENCY", "", f'queue.concurrency = "" ({{}}): {WHOLE} 1 to 1000.'),
    ("QUAERO_QUEUE_CONCURRENCY", "0", f"queue.concurrency = 0 ({{}}): {WHOLE} 1 to 1000."),
    ("QUAERO_QUEUE_CONCURRENCY", "9" * 5000, f"99... ({{}}): {WHOLE} 1 to 1000."),
    ("QUAERO_QUEUE_POLL_INTERVAL", "5", f'queue.poll_interval = "5" ({{}}): {DURATION}'),
    ("QUAERO_CRAWL_RESPECT_ROBOTS", "maybe", '"maybe" ({}): it must be true or false.'),
    ("QUAERO_CRAWL_ALLOW_NETWORKS", "10.0.0.0/33", 'crawl.allow_networks = ["10.0.0.0/33"] ({})'),
    ("QUAERO_LOGS_LEVEL", "INFO", 'logs.level = "INFO" ({}): it must be one of "debug"'),
    ("QUAERO_DATA_DIR", "", 'data_dir = "" ({}): it must be a path that is not empty.'),
    (
        "QUAERO_QUEUE_QUEUE_NAME",
        "x",
        "{} (environment) is not a setting: did you mean QUAERO_QUEUE",
    ),
    ("QUAERO_QUEUE_CONCURENCY", "5", "is not a setting: did you mean QUAERO_QUEUE_CONCURRENCY?"),
    ("QUAERO_QUEUE", "5", "{} (environment) is not a setting"),
    ("QUAERO_COLOUR", "5", "{} (environment) is not a setting"),
    ("QUAERO_", "5", "{} (environment) is not a setting"),
    ("QUAERO_CONFIG", "gone.toml", "gone.toml, which {} names."),
    ("QUAERO_CONFIG", ".", "cannot be read: Is a directory."),
]

WRONG_OPTIONS = [
    ("queue.concurrency", 0, f"queue.concurrency = 0 (--concurrency): {WHOLE} 1 to 1000."),
    ("queue.concurrency", "x", f'queue.concurrency = "x" (--concurrency): {WHOLE} 1 to 1000.'),
    ("crawl.delay", "soon", f'crawl.delay = "soon" (--delay): {DURATION} 0s to 1h.'),
    ("data_dir", "", 'data_dir = "" (--data-dir): it must be a path that is not empty.'),
    ("crawl.colour", "red", "crawl.colour (command line) is not a setting: allowed are crawl."),
]


@pytest.fixture(autouse=True)
def _no_files_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user-data"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load_in(
    folder: Path,
    toml: str | None = None,
    environ: dict[str, str] | None = None,
    **overrides: Any,
) -> Settings:
    if toml is not None:
        write(folder / "quaero.toml", toml)
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    return load(None, given, environ or {}, folder)


def value(settings: Settings, key: str) -> Any:
    section, _, name = key.rpartition(".")
    table = getattr(settings, section) if section else settings
    return getattr(table, "name" if name == "queue_name" else name)


def as_toml(key: str, text: str) -> str:
    section, _, name = key.rpartition(".")
    return f"[{section}]\n{name} = {text}\n" if section else f"{name} = {text}\n"


# -- what is wrong is said


@pytest.mark.parametrize(("toml", "said"), WRONG_FILES, ids=lambda text: str(text)[:40])
def test_a_wrong_file_is_refused_with_key_value_place_and_what_is_allowed(
    tmp_path: Path, toml: str, said: str
) -> None:
    with pytest.raises(BadConfig) as refused:
        load_in(tmp_path, toml)
    file = str(tmp_path / "quaero.toml")
    assert said.replace("{}", file) in str(refused.value)
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("variable", "text", "said"), WRONG_VARIABLES)
def test_a_wrong_variable_is_refused_by_its_name(
    tmp_path: Path, variable: str, text: str, said: str
) -> None:
    with pytest.raises(BadConfig) as refused:
        load_in(tmp_path, environ={variable: text})
    assert said.replace("{}", variable) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("key", "given", "said"), WRONG_OPTIONS)
def test_a_wrong_option_is_refused_by_its_name(
    tmp_path: Path, key: str, given: object, said: str
) -> None:
    with pytest.raises(BadConfig) as refused:
        load(None, {key: given}, {}, tmp_path)
    assert said in str(refused.value)


def test_everything_wrong_is_said_at_once_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        load_in(
            tmp_path,
            "[queue]\nconcurrency = 0\nmax_recieve = 4\n",
            {"QUAERO_QUEUE_MAX_RECEIVE": "many"},
            crawl__delay="x",
        )
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == [
        "crawl.delay",
        "queue.max_receive",
        "queue.max_recieve",
        "queue.concurrency",
    ]


def test_a_wrong_value_is_refused_also_where_another_place_overrides_it(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"quaero\.toml:2"):
        load_in(tmp_path, "[queue]\nconcurrency = 0\n", queue__concurrency=3)


def test_a_long_value_is_cut_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        load_in(tmp_path, f'[queue]\nqueue_name = "{"x" * 5000}"')
    assert len(str(refused.value)) < 300


def test_control_characters_of_a_value_are_escaped_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        load_in(tmp_path, environ={"QUAERO_LOGS_LEVEL": "\x1b[31m\x7f\x9b\udcff"})
    assert '"\\u001b[31m\\u007f\\u009b\\udcff"' in str(refused.value)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quaero.toml").write_bytes(b"[queue]\n# \xff\n")
    with pytest.raises(BadConfig, match=r"is not UTF-8 text \(byte 10\)"):
        load_in(tmp_path)


def test_a_missing_file_named_with_config_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        load(Path("gone.toml"), {}, {}, tmp_path)
    said = f"There is no configuration file {tmp_path / 'gone.toml'}, which --config names."
    assert str(refused.value) == said


def test_only_line_ends_of_toml_are_counted(tmp_path: Path) -> None:
    (tmp_path / "quaero.toml").write_text("# a\u2028b\x85\n[queue]\nconcurrency = 0\n")
    with pytest.raises(BadConfig, match=r"quaero\.toml:3\)"):
        load(None, {}, {}, tmp_path)


@pytest.mark.parametrize("port", [0, 65_536])
def test_an_address_has_a_port_that_can_be_asked(tmp_path: Path, port: int) -> None:
    with pytest.raises(BadConfig, match="it must be an address such as"):
        load(None, {"model.base_url": f"http://localhost:{port}/v1"}, {}, tmp_path)


def test_the_line_named_is_the_keys_own_and_not_one_of_the_same_name(tmp_path: Path) -> None:
    toml = "[crawl]\nconcurrency = 2\n\n# concurrency = 7\n[ queue ]\n  concurrency=0\n"
    with pytest.raises(BadConfig, match=r"quaero\.toml:6\)"):
        load_in(tmp_path, toml)


def test_a_secret_is_shown_nowhere_not_even_in_an_error(tmp_path: Path) -> None:
    settings = load_in(tmp_path, environ={"QUAERO_MODEL_API_KEY": "sk-hidden"})
    assert settings.model.api_key.get_secret_value() == "sk-hidden"
    assert "sk-hidden" not in repr(settings) + repr(texts(settings))
    with pytest.raises(BadConfig) as raised:
        load_in(tmp_path, environ={"QUAERO_MODEL_API_KEY": "sk-hidden\n"})
    assert "model.api_key" in str(raised.value)
    assert "sk-hidden" not in str(raised.value)


# -- what is right has its effect


def test_the_examples_name_every_setting() -> None:
    assert list(EXAMPLES) == list(catalogue())


@pytest.mark.parametrize("key", EXAMPLES)
def test_a_setting_can_be_given_in_each_place(tmp_path: Path, key: str) -> None:
    text, toml, expected = EXAMPLES[key]
    setting = catalogue()[key]
    assert value(Settings(), key) != expected
    from_file = load_in(tmp_path / "file", as_toml(key, toml))
    from_environment = load_in(tmp_path, environ={setting.variable: text})
    from_option = load(None, {key: text}, {}, tmp_path)
    for settings, source in (
        (from_file, Source.FILE),
        (from_environment, Source.ENVIRONMENT),
        (from_option, Source.COMMAND_LINE),
    ):
        assert value(settings, key) == expected
        assert origins(settings)[key].source is source
        assert texts(settings)[key] == ('"********"' if setting.written.secret else toml)


def test_the_variables_of_the_specification_set_what_it_says(tmp_path: Path) -> None:
    for variable, key in FROM_THE_SPECIFICATION.items():
        text, _, expected = EXAMPLES[key]
        assert value(load_in(tmp_path, environ={variable: text}), key) == expected


def test_a_variable_is_the_section_and_the_name_in_capitals() -> None:
    for key, setting in catalogue().items():
        if key != "queue.queue_name":
            assert setting.variable == "QUAERO_" + key.replace(".", "_").upper()


def test_the_defaults_are_those_of_the_specification(tmp_path: Path) -> None:
    settings = load_in(tmp_path)
    queue = {key: text for key, text in texts(settings).items() if key.startswith("queue.")}
    assert queue == {
        "queue.poll_interval": '"1s"',
        "queue.concurrency": "5",
        "queue.visibility_timeout": '"5m"',
        "queue.max_receive": "3",
        "queue.queue_name": '"quaero_jobs"',
    }
    assert (settings.crawl.max_depth, settings.crawl.max_pages) == (3, 100)
    assert settings.work.default_timeout == 600.0
    assert settings.data_dir == tmp_path / "user-data/quaero"


def test_every_default_may_also_be_written_into_a_file(tmp_path: Path) -> None:
    defaults = Settings()
    for key, text in texts(defaults).items():
        assert value(load_in(tmp_path, as_toml(key, text)), key) == value(defaults, key)


def test_each_setting_says_what_it_means_and_allows() -> None:
    for setting in catalogue().values():
        assert setting.meaning
        assert setting.allowed
        assert setting.allowed not in {"a whole number", "a duration", "a size", "a value"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("No", False)],
)
def test_yes_and_no_in_the_environment(tmp_path: Path, text: str, expected: bool) -> None:
    settings = load_in(tmp_path, environ={"QUAERO_CRAWL_RESPECT_ROBOTS": text})
    assert settings.crawl.respect_robots is expected


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8,fd00::/8", ' ["10.0.0.0/8", "fd00::/8"]', "['10.0.0.0/8','fd00::/8']"]
)
def test_a_list_in_the_environment_is_written_either_way(tmp_path: Path, text: str) -> None:
    settings = load_in(tmp_path, environ={"QUAERO_CRAWL_ALLOW_NETWORKS": text})
    assert settings.crawl.allow_networks == ("10.0.0.0/8", "fd00::/8")


def test_an_address_in_brackets_in_the_environment_is_no_list(tmp_path: Path) -> None:
    settings = load_in(tmp_path, environ={"QUAERO_SERVER_HOSTS": "[fd00::1],kb.example.org"})
    assert settings.server.hosts == ("[fd00::1]", "kb.example.org")


def test_an_empty_list_in_the_environment_is_an_empty_list(tmp_path: Path) -> None:
    toml = '[crawl]\nallow_networks = ["10.0.0.0/8"]'
    for text in ("", "[]"):
        settings = load_in(tmp_path, toml, {"QUAERO_CRAWL_ALLOW_NETWORKS": text})
        assert settings.crawl.allow_networks == ()


def test_a_network_is_kept_without_the_bits_of_a_host(tmp_path: Path) -> None:
    toml = '[crawl]\nallow_networks = ["10.1.2.3/8", "192.168.1.7"]'
    assert load_in(tmp_path, toml).crawl.allow_networks == ("10.0.0.0/8", "192.168.1.7/32")


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.data_dir = Path("x")
    with pytest.raises(ValueError, match="frozen"):
        settings.queue.concurrency = 9


def test_settings_made_directly_have_defaults_and_read_no_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATA_DIR", "/elsewhere")
    monkeypatch.setenv("QUAERO_QUEUE_CONCURRENCY", "9")
    settings = Settings(data_dir=tmp_path, crawl=CrawlSettings(max_pages=7))
    assert (settings.data_dir, settings.queue.concurrency) == (tmp_path, 5)
    assert {origin.source for origin in origins(settings).values()} == {Source.DEFAULT}
    assert config_file(settings) is None


# -- which place wins


def test_command_line_before_environment_before_file_before_default(tmp_path: Path) -> None:
    toml = "[queue]\nconcurrency = 2\nmax_receive = 7\n\n[crawl]\nmax_depth = 9\n"
    environ = {"QUAERO_QUEUE_CONCURRENCY": "3", "QUAERO_QUEUE_MAX_RECEIVE": "8"}
    settings = load_in(tmp_path, toml, environ, queue__concurrency=4, queue__queue_name=None)
    assert (settings.queue.concurrency, settings.queue.max_receive) == (4, 8)
    assert (settings.crawl.max_depth, settings.crawl.max_pages) == (9, 100)
    named = {key: (origin.source.value, origin.where) for key, origin in origins(settings).items()}
    assert named["queue.concurrency"] == ("command line", "--concurrency")
    assert named["queue.max_receive"] == ("environment", "QUAERO_QUEUE_MAX_RECEIVE")
    assert named["crawl.max_depth"] == ("file", f"{tmp_path / 'quaero.toml'}:6")
    assert named["crawl.max_pages"] == ("default", "")
    assert named["queue.queue_name"] == ("default", "")
    assert list(named) == list(catalogue())


def test_a_named_file_before_that_of_the_folder_before_that_of_the_user(tmp_path: Path) -> None:
    def depth(config: Path | None = None, environ: dict[str, str] | None = None) -> int:
        return load(config, {}, environ or {}, tmp_path / "here").crawl.max_depth

    toml = "[crawl]\nmax_depth = {}\n"
    (tmp_path / "here").mkdir()
    assert depth() == 3
    write(tmp_path / "user-config/quaero/quaero.toml", toml.format(11))
    assert depth() == 11
    write(tmp_path / "here/quaero.toml", toml.format(12))
    assert depth() == 12
    write(tmp_path / "variable.toml", toml.format(13))
    assert depth(environ={"QUAERO_CONFIG": "../variable.toml"}) == 13
    named = write(tmp_path / "named.toml", toml.format(14))
    assert depth(named, {"QUAERO_CONFIG": "gone"}) == 14
    assert depth(Path("../named.toml")) == 14
    assert config_file(load(named, {}, {}, tmp_path)) == named


def test_a_relative_data_directory_is_seen_from_where_it_was_written(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    file = write(tmp_path / "etc/any.toml", 'data_dir = "data"')
    assert load(file, {}, {}, here).data_dir == tmp_path / "etc/data"
    assert load(file, {}, {"QUAERO_DATA_DIR": "data"}, here).data_dir == here / "data"
    assert load(file, {"data_dir": Path("d")}, {}, here).data_dir == here / "d"


def test_the_database_lies_in_the_data_directory_unless_its_path_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_in(tmp_path, data_dir="/srv").database_file == Path("/srv/quaero.db")
    assert load_in(tmp_path, data_dir="~/q").database_file == Path("/home/someone/q/quaero.db")
    elsewhere = load_in(tmp_path, data_dir="/srv", database__path="/mnt/x.db")
    assert elsewhere.database_file == Path("/mnt/x.db")


def test_variables_that_are_no_settings_of_ours_are_left_alone(tmp_path: Path) -> None:
    environ = {"QUAERO_SOAK_EXAMPLES": "9", "QUAERO_X_ANYTHING": "1", "QUAERORUM": "1", "PATH": ""}
    assert load_in(tmp_path, environ=environ).queue == QueueSettings()


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load_in(tmp_path, "\ufeff[crawl]\nmax_depth = 4\n").crawl.max_depth == 4


# -- durations and sizes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("1ms", 0.001), ("500ms", 0.5), ("1s", 1.0), ("90s", 90.0), ("5m", 300.0),
     ("2h", 7200.0), ("36h", 129_600.0), ("1d", 86_400.0), ("1001ms", 1.001)],
)  # fmt: skip
def test_a_duration_is_read_and_written_exactly(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "s", "1", "1 s", " 1s", "1s\n", "١s", "1.5s", "+1s", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="followed by one of ms, s, m, h, d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1B", 1), ("1500B", 1500), ("512MB", 512_000_000), ("4GB", 4 * 10**9), ("4GiB", 4 * 2**30),
     ("1KiB", 1024), ("1KB", 1000), ("2TB", 2 * 10**12)],
)  # fmt: skip
def test_a_size_is_read_and_written_exactly(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize("text", ["", "4", "4G", "4gb", "4 GB", "-4GB", "1.5GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="followed by one of B, KB, MB"):
        parse_size(text)


def test_the_errors_alone_load_no_settings_library() -> None:
    code = "import quaero, quaero.errors, sys; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
