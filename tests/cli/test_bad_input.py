"""Wrong input of every kind: one clear sentence, the right exit code, and nothing written.

Each case is a command line (`{dir}` stands for a folder with the files of `FILES`) and words that
its error must have: what was wrong, and what to do.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cli

COOKIE = "example.org\tFALSE\t/\tFALSE\t0\tname\tvalue\n"
FILES: dict[str, str | bytes] = {
    "good.txt": COOKIE,
    "empty.txt": "",
    "comments.txt": "# Netscape HTTP Cookie File\n",
    "json.txt": '[{"name": "sid"}]',
    "binary.txt": b"\xff\xfe\x00",
    "fields.txt": "example.org\tFALSE\t/\n",
    "spaces.txt": "example.org FALSE / FALSE 0 name value\n",
    "flag.txt": COOKIE.replace("FALSE", "MAYBE", 1),
    "time.txt": COOKIE.replace("\t0\t", "\tsoon\t"),
    "path.txt": COOKIE.replace("\t/\t", "\tdocs\t"),
    "name.txt": COOKIE.replace("name", "na;me"),
    "value.txt": COOKIE.replace("value", "val;ue"),
    "domain.txt": COOKIE.replace("example.org", ""),
    "suffix.txt": COOKIE.replace("example.org\tFALSE", ".co.uk\tTRUE"),
    "big.txt": "#" * (5 * 1024 * 1024 + 1),
    "unknown.toml": "[queue]\nconcurency = 5\n",
    "section.toml": "[que]\nconcurrency = 5\n",
    "type.toml": '[queue]\nconcurrency = "5"\n',
    "range.toml": "[queue]\nconcurrency = 0\n",
    "duration.toml": '[queue]\npoll_interval = "5"\n',
    "number.toml": "[queue]\npoll_interval = 5\n",
    "unit.toml": '[work]\ngrace = "5 minutes"\n',
    "types.toml": '[work]\njob_types = ["no_module_of_this_name"]\n',
    "server.toml": '[summarize]\nmodel = "server"\n',
    "local.toml": '[summarize]\nmodel = "local"\n[model]\npath = "/none.gguf"\n',
    "size.toml": '[work]\nmemory = "4 gigs"\n',
    "network.toml": '[crawl]\nallow_networks = ["10.0.0.0/64"]\n',
    "networks.toml": '[crawl]\nallow_networks = "10.0.0.0/8"\n',
    "agent.toml": '[crawl]\nuser_agent = "a\\nb"\n',
    "level.toml": '[logs]\nlevel = "loud"\n',
    "flat.toml": "queue = 5\n",
    "broken.toml": "[queue\n",
    "twice.toml": "[queue]\nconcurrency = 1\nconcurrency = 2\n",
    "latin.toml": b'[queue]\nqueue_name = "\xe4"\n',
    "module.toml": '[work]\njob_types = ["no such module"]\n',
    "depth.toml": "[crawl]\nmax_depth = -1\n",
    "bool.toml": '[crawl]\nrespect_robots = "no"\n',
    "a-file": "x",
    "bad.zip": b"PK\x03\x04 not really",
    "nothing.jsonl": "no json\n{}\n",
}

U = "http://127.0.0.1:1/"

CASES: list[tuple[str, int, list[str]]] = [
    # addresses
    ("crawl", 2, ["name the address to begin at", "https://"]),
    ("crawl ''", 2, ["an address is empty", "https://"]),
    ("crawl '  '", 2, ["an address is empty"]),
    ("crawl nonsense", 2, ["'nonsense'", "https://nonsense"]),
    ("crawl ftp://example.org/", 2, ["'ftp://example.org/'", "neither http nor https"]),
    ("crawl file:///etc/passwd", 2, ["file:///etc/passwd", "neither http nor https"]),
    ("crawl mailto:a@example.org", 2, ["mailto:", "neither http nor https"]),
    ("crawl javascript:alert(1)", 2, ["javascript:"]),
    ("crawl http://", 2, ["'http://'", "not valid"]),
    ("crawl http://[::1", 2, ["not valid", "host and port"]),
    ("crawl http://example.org:99999/", 2, ["99999", "not valid"]),
    ("crawl http://example.org:port/", 2, ["port", "not valid"]),
    ("crawl 'http://exa mple.org/'", 2, ["not valid"]),
    ("crawl http://256.256.256.256/", 2, ["256.256.256.256", "not valid"]),
    ("crawl http://user:pw@example.org/", 2, ["user name or password", "Leave it out"]),
    (f"crawl http://example.org/{'x' * 9000}", 2, ["longer than 8192 bytes", "shorter"]),
    (f"crawl {U} http://", 2, ["'http://'"]),
    # patterns
    (f"crawl {U} --include 're:('", 2, ["'re:('", "not a regular expression", "Correct it"]),
    (f"crawl {U} --exclude 're:[a'", 2, ["'re:[a'", "regular expression"]),
    (f"crawl {U} --include 're:a(?=b)'", 2, ["'re:a(?=b)'"]),
    (f"crawl {U} --exclude 're:(a)\\1'", 2, ["re:(a)"]),
    (f"crawl {U} --include ''", 2, ["--include", "at least 1"]),
    (f"crawl {U} --exclude {'x' * 2001}", 2, ["--exclude", "at most 2000"]),
    (f"crawl {U} --include", 2, ["--include", "requires an argument", "crawl --help"]),
    # numbers
    (f"crawl {U} --max-pages x", 2, ["--max-pages 'x'", "whole number", "crawl --help"]),
    (f"crawl {U} --max-pages -1", 2, ["--max-pages '-1'", "at least 0"]),
    (f"crawl {U} --max-pages 1.5", 2, ["--max-pages '1.5'", "whole number"]),
    (f"crawl {U} --max-pages 1000000001", 2, ["--max-pages", "1000000001", "1000000000"]),
    (f"crawl {U} --max-pages ''", 2, ["--max-pages ''"]),
    (f"crawl {U} --max-variants -1", 2, ["--max-variants '-1'", "at least 0"]),
    (f"crawl {U} --max-host-pages 1000000001", 2, ["--max-host-pages", "1000000001", "1000000000"]),
    (f"crawl {U} --max-depth -1", 2, ["--max-depth '-1'", "at least 0"]),
    (f"crawl {U} --max-depth 1001", 2, ["--max-depth", "1001", "1000"]),
    (f"crawl {U} --max-depth deep", 2, ["--max-depth 'deep'", "whole number"]),
    (f"crawl {U} --concurrency 0", 2, ["--concurrency '0'", "at least 1"]),
    (f"crawl {U} --concurrency 101", 2, ["--concurrency '101'", "at most 100"]),
    (f"crawl {U} --concurrency many", 2, ["--concurrency 'many'", "whole number"]),
    # durations
    (f"crawl {U} --delay 5", 2, ["--delay", "'5'", "ms, s, m, h"]),
    (f"crawl {U} --delay 1.5s", 2, ["--delay", "'1.5s'", "whole number"]),
    (f"crawl {U} --delay -1s", 2, ["--delay", "'-1s'"]),
    (f"crawl {U} --delay '1 s'", 2, ["--delay", "'1 s'"]),
    (f"crawl {U} --delay fast", 2, ["--delay", "'fast'"]),
    (f"crawl {U} --delay ''", 2, ["--delay", "''"]),
    (f"crawl {U} --delay 2h", 2, ["--delay", "7200", "3600"]),
    # choices
    (f"crawl {U} --scope planet", 2, ["--scope 'planet'", "'host', 'domain', 'path' or 'any'"]),
    (f"crawl {U} --scope HOST", 2, ["--scope 'HOST'", "'host'"]),
    (f"crawl {U} --refresh maybe", 2, ["--refresh 'maybe'", "'changed', 'always' or 'missing'"]),
    # logins
    (f"crawl {U} --cookie-file {{dir}}/none.txt", 2, ["none.txt", "cannot be read"]),
    (f"crawl {U} --cookie-file {{dir}}", 2, ["cannot be read"]),
    (f"crawl {U} --cookie-file {{dir}}/empty.txt", 2, ["empty.txt", "no cookie"]),
    (f"crawl {U} --cookie-file {{dir}}/comments.txt", 2, ["comments.txt", "no cookie"]),
    (f"crawl {U} --cookie-file {{dir}}/json.txt", 2, ["this is JSON", "Netscape format"]),
    (f"crawl {U} --cookie-file {{dir}}/binary.txt", 2, ["binary.txt", "not a text file"]),
    (f"crawl {U} --cookie-file {{dir}}/fields.txt", 2, ["fields.txt:1", "3 fields"]),
    (f"crawl {U} --cookie-file {{dir}}/spaces.txt", 2, ["spaces.txt:1", "divided by tabs"]),
    (f"crawl {U} --cookie-file {{dir}}/flag.txt", 2, ["flag.txt:1", "TRUE nor FALSE"]),
    (f"crawl {U} --cookie-file {{dir}}/time.txt", 2, ["time.txt:1", "seconds since 1970"]),
    (f"crawl {U} --cookie-file {{dir}}/path.txt", 2, ["path.txt:1", "begin with /"]),
    (f"crawl {U} --cookie-file {{dir}}/name.txt", 2, ["name.txt:1", "not a cookie name"]),
    (f"crawl {U} --cookie-file {{dir}}/value.txt", 2, ["value.txt:1", "the value"]),
    (f"crawl {U} --cookie-file {{dir}}/domain.txt", 2, ["domain.txt:1", "domain, is empty"]),
    (f"crawl {U} --cookie-file {{dir}}/suffix.txt", 2, ["suffix.txt:1", "unrelated sites"]),
    (f"crawl {U} --cookie-file {{dir}}/big.txt", 2, ["big.txt", "5 MiB"]),
    (f"crawl {U} --header nonsense", 2, ["--header", '"Name: value"']),
    (f"crawl {U} --header 'Name:'", 2, ["--header", '"Name: value"']),
    (f"crawl {U} --header ': value'", 2, ["--header", "name"]),
    (f"crawl {U} --header 'Na me: value'", 2, ["--header", "name"]),
    (f"crawl {U} --header 'Host: example.org'", 2, ["--header", "Host", "cannot be given"]),
    (f"crawl {U} --header 'Content-Length: 5'", 2, ["--header", "Content-Length"]),
    (f"crawl {U} --header 'X: a\nY: b'", 2, ["--header", "X", "line break"]),
    (f"crawl {U} --header 'X: a' --header 'x: b'", 2, ["--header", "given twice"]),
    # what does not go together
    ("crawl --continue 1", 3, ["no crawl 1", "no database"]),
    (f"crawl {U} --continue 1", 2, ["takes no addresses"]),
    ("crawl --continue 1 --new", 2, ["--continue", "--new", "only one"]),
    ("crawl --continue 1 --scope any", 2, ["only --max-pages"]),
    ("crawl --continue 0", 2, ["--continue '0'", "at least 1"]),
    ("crawl --continue x", 2, ["--continue 'x'", "whole number"]),
    # options and commands that do not exist
    (f"crawl {U} --maxpages 5", 2, ["no such option: --maxpages", "--max-pages"]),
    (f"crawl {U} -x", 2, ["no such option: -x", "crawl --help"]),
    ("crwl", 2, ["no such command 'crwl'", "quaero --help"]),
    ("jobs shw 1", 2, ["no such command 'shw'", "jobs --help"]),
    ("--verbose", 2, ["no such option: --verbose"]),
    ("search --limt 5 tides", 2, ["no option --limt", "search --help"]),
    # global options and configuration
    ("--config", 2, ["--config needs a value"]),
    ("jobs list --data-dir", 2, ["--data-dir needs a value"]),
    ("jobs list --data-dir=", 2, ["--data-dir needs a value"]),
    ("config check --config {dir}/none.toml", 2, ["none.toml", "--config"]),
    ("config check --config {dir}", 2, ["cannot be read"]),
    ("config check --config {dir}/unknown.toml", 2, ["queue.concurency", ":2", "concurrency?"]),
    ("config check --config {dir}/section.toml", 2, ["[que]", "queue?"]),
    ("config check --config {dir}/type.toml", 2, ["queue.concurrency", '"5"', "whole number"]),
    ("config check --config {dir}/range.toml", 2, ["queue.concurrency = 0", "1 to 1000"]),
    ("config check --config {dir}/duration.toml", 2, ["queue.poll_interval", '"5"', "duration"]),
    ("config check --config {dir}/number.toml", 2, ["queue.poll_interval = 5", "duration"]),
    ("config check --config {dir}/unit.toml", 2, ["work.grace", "5 minutes"]),
    ("config check --config {dir}/size.toml", 2, ["work.memory", "4 gigs"]),
    ("config check --config {dir}/network.toml", 2, ["crawl.allow_networks", "10.0.0.0/64"]),
    ("config check --config {dir}/networks.toml", 2, ["crawl.allow_networks", "a list"]),
    ("config check --config {dir}/agent.toml", 2, ["crawl.user_agent", "printable"]),
    ("config check --config {dir}/level.toml", 2, ["logs.level", '"loud"', "warn"]),
    ("config check --config {dir}/flat.toml", 2, ["queue = 5", "[queue]"]),
    ("config check --config {dir}/broken.toml", 2, ["broken.toml", "not valid TOML"]),
    ("config check --config {dir}/twice.toml", 2, ["twice.toml", "not valid TOML"]),
    ("config check --config {dir}/latin.toml", 2, ["latin.toml", "UTF-8"]),
    ("config check --config {dir}/module.toml", 2, ["work.job_types", "no such module"]),
    ("config check --config {dir}/types.toml", 2, ["no_module_of_this_name", "cannot be loaded"]),
    ("config check --config {dir}/server.toml", 2, ["model.base_url is not set", "name it"]),
    ("config check --config {dir}/local.toml", 2, ["model.path", "no file /none.gguf"]),
    ("config check --config {dir}/depth.toml", 2, ["crawl.max_depth = -1", "0"]),
    ("config check --config {dir}/bool.toml", 2, ["crawl.respect_robots", '"no"']),
    (f"crawl {U} --config {{dir}}/range.toml", 2, ["queue.concurrency = 0"]),
    (f"crawl {U} --data-dir {{dir}}/a-file", 2, ["a-file", "is a file", "name a folder"]),
    ("jobs list --data-dir {dir}/a-file", 2, ["a-file", "name a folder"]),
    (f"crawl {U} --data-dir {{dir}}/a-file/below", 5, ["a-file/below", "may write to"]),
    ("work --data-dir {dir}/a-file/below", 5, ["a-file/below", "may write to"]),
    ("work --concurrency 0", 2, ["--concurrency", "1 to 1000"]),
    ("work --concurrency 1001", 2, ["--concurrency", "1 to 1000"]),
    ("work --concurrency x", 2, ["--concurrency 'x'", "whole number"]),
    # ids
    ("jobs show", 2, ["missing argument", "jobs show --help"]),
    ("jobs show x", 2, ["ID 'x'", "whole number", "jobs show --help"]),
    ("jobs show 0", 2, ["ID '0'", "at least 1"]),
    ("jobs show -1", 2, ["-1"]),
    ("jobs show 99999999999999999999", 2, ["9223372036854775807"]),
    ("jobs show 1 2", 2, ["unexpected", "2"]),
    ("documents show 1.5", 2, ["'1.5'", "whole number"]),
    ("queue requeue x", 2, ["'x'", "whole number"]),
    ("queue requeue", 2, ["ids of dead letters, or --all"]),
    ("queue requeue 5 --all", 2, ["ids of dead letters, or --all"]),
    # readers
    ("jobs list --status done", 2, ["'done'", "pending, running, completed, failed, cancelled"]),
    ("jobs list --limit 0", 2, ["--limit '0'", "at least 1"]),
    ("jobs list --limit 1001", 2, ["--limit '1001'", "at most 1000"]),
    ("jobs list --after 0", 2, ["--after '0'", "at least 1"]),
    ("jobs logs 1 --level loud", 2, ["'loud'", "debug, info, warn, error"]),
    ("jobs logs 1 --levels warn,loud", 2, ["'loud'", "debug, info, warn, error"]),
    ("jobs logs 1 --limit 10001", 2, ["--limit", "10000"]),
    ("jobs fail 1", 2, ["--reason", "jobs fail --help"]),
    ("jobs update 1", 2, ["--name, --description or --priority"]),
    ("jobs update 1 --priority high", 2, ["--priority 'high'", "whole number"]),
    ("jobs update 1 --priority 1000001", 2, ["--priority", "at most 1000000"]),
    ("search", 2, ["missing argument", "search --help"]),
    ("search tides --limit 101", 2, ["--limit", "at most 100"]),
    ("documents list --limit x", 2, ["--limit 'x'", "whole number"]),
    ("queue dead --after -1", 2, ["--after '-1'", "at least 0"]),
    # upkeep, export, import
    ("cleanup --age -1", 2, ["--age '-1'", "at least 0"]),
    ("cleanup --age old", 2, ["--age 'old'", "a number"]),
    ("cleanup --age nan", 2, ["--age 'nan'"]),
    ("cleanup --age 99999", 2, ["--age", "36500"]),
    ("cleanup --status done", 2, ["--status 'done'", "completed, failed, cancelled, all"]),
    ("documents tag 1 ''", 2, ["tag", "empty"]),
    ("documents list --site ''", 2, ["--site is empty", "leave the option out"]),
    ("documents export {dir}/out --tag ' '", 2, ["--tag is empty", "leave the option out"]),
    ("documents delete --site '' --yes", 2, ["--site is empty", "leave the option out"]),
    ("documents import {dir}/none", 2, ["none", "no file or folder"]),
    ("documents export {dir}/a-file", 2, ["a-file", "is a file", "name a folder"]),
    ("documents export {dir}/folder.zip", 2, ["folder.zip", "is a folder"]),
    ("db backup", 2, ["missing argument", "db backup --help"]),
    ("db backup ''", 2, ["FILE", "the name is empty"]),
    ("db restore ''", 2, ["FILE", "the name is empty"]),
    ("documents export ''", 2, ["TARGET", "the name is empty"]),
    ("documents import ''", 2, ["SOURCE", "the name is empty"]),
    ("definitions validate ''", 2, ["FILE", "the name is empty"]),
    ("auth import https://docs.example.org/ ''", 2, ["FILE", "the name is empty"]),
    ("sources add handbook ''", 2, ["the address is empty", "URL or a folder"]),
    (f"crawl {U} --cookie-file ''", 2, ["--cookie-file", "the name is empty"]),
]

NO_DATABASE = [
    "jobs list", "jobs show 1", "jobs tree 1", "jobs logs 1", "jobs cancel 1", "jobs retry 1",
    "jobs fail 1 --reason x", "jobs rerun 1", "jobs copy 1", "jobs start 1", "jobs delete 1",
    "jobs update 1 --priority 1", "search tides", "documents list", "documents show 1",
    "documents versions 1", "documents changes 1", "documents tag 1 x", "documents export {dir}/out", "queue stats",
    "queue dead", "queue pause", "queue resume", "queue purge --yes", "queue requeue 1",
    "db check", "db backup {dir}/b.db",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of the cases are; nothing may be added to it."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "folder.zip").mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.mark.parametrize(("line", "code", "words"), CASES, ids=[line[:60] for line, *_ in CASES])
def test_wrong_input_is_refused_in_one_sentence_and_nothing_is_written(
    cli: Cli, folder: Path, tmp_path: Path, line: str, code: int, words: list[str]
) -> None:
    data = [] if "data-dir" in line else ["--data-dir", str(tmp_path / "data")]
    done = cli(*data, *(part.replace("{dir}", str(folder)) for part in shlex.split(line)))
    assert (done.code, done.out) == (code, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.err), done.err
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]
    assert {path.name for path in folder.iterdir()} == {*FILES, "folder.zip"}


@pytest.mark.parametrize(
    "line",
    [
        "documents list --site {}", "documents tag 2 {}", "jobs list --type {}",
        "jobs logs 1 --text {}", "jobs update 1 --name {}", "definitions show {}",
        "schedules pause {}", "sources show {}",
    ],
)  # fmt: skip
def test_words_that_are_no_text_are_refused_by_every_command(on: Cli, line: str) -> None:
    done = on(*line.format("caf\udce9").split())
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"error: '\\udce9' is no text: [^\n]+ UTF-8\n", done.err), done.err


def test_there_are_at_least_a_hundred_of_them() -> None:
    assert len({line for line, *_ in CASES}) == len(CASES) >= 100


def test_more_seeds_than_a_crawl_takes_are_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("--data-dir", tmp_path / "d", "crawl", *(f"http://h{n}.test/" for n in range(1001)))
    assert (done.code, "at most 1000" in done.err, len(done.err) < 1000) == (2, True, True)


@pytest.mark.parametrize("line", NO_DATABASE)
def test_without_a_database_the_way_to_one_is_named_and_none_is_made(
    cli: Cli, tmp_path: Path, line: str
) -> None:
    parts = [part.replace("{dir}", str(tmp_path)) for part in shlex.split(line)]
    done = cli("--data-dir", tmp_path / "data", *parts)
    assert done.code == 3
    assert re.fullmatch(
        r"error: there is no database at [^\n]+; begin with `.*crawl .*`\n", done.err
    )
    assert not (tmp_path / "data").exists()


VARIABLES = [
    ("QUAERO_QUEUE_CONCURRENCY", "many", ["QUAERO_QUEUE_CONCURRENCY", "many"]),
    ("QUAERO_QUEUE_NAME", "", ["QUAERO_QUEUE_NAME"]),
    ("QUAERO_QUEU_NAME", "x", ["QUAERO_QUEU_NAME", "QUAERO_QUEUE_NAME?"]),
    ("QUAERO_CRAWL_DELAY", "3", ["QUAERO_CRAWL_DELAY", "duration"]),
    ("QUAERO_CONFIG", "/nowhere.toml", ["/nowhere.toml", "QUAERO_CONFIG"]),
    ("QUAERO_LOGS_LEVEL", "LOUD", ["QUAERO_LOGS_LEVEL", "LOUD"]),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_wrong_variables_are_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: list[str]
) -> None:
    monkeypatch.setenv(name, value)
    for arguments in (["config", "check"], ["crawl", U], ["jobs", "list"]):
        done = cli(*arguments)
        assert done.code == 2
        assert all(word in done.err for word in words), done.err


PAYLOADS = [
    ("{", ["payload of 'crawler'", "JSON"]),
    ("[]", ["payload of 'crawler'"]),
    ("{}", ["seeds", "it is missing"]),
    ('{"seeds": []}', ["seeds", "at least 1"]),
    ('{"seeds": ["ftp://x/"]}', ["ftp://x/", "neither http nor https"]),
    ('{"seeds": "http://x/"}', ["seeds", "array"]),
    ('{"seeds": ["http://x/"], "max_page": 5}', ["max_page", "not known here"]),
    ('{"seeds": ["http://x/"], "max_pages": "5x"}', ["max_pages", "5x"]),
    ('{"seeds": ["http://x/"], "max_depth": -1}', ["max_depth", "-1"]),
    ('{"seeds": ["http://x/"], "scope": "all"}', ["scope", "'host', 'domain', 'path' or 'any'"]),
    ('{"seeds": ["http://x/"], "include": ["re:("]}', ["re:("]),
    ('{"seeds": ["http://x/"], "concurrency": 0}', ["concurrency", "0"]),
    ('{"seeds": ["http://x/"], "delay": 1e9}', ["delay"]),
    ('{"seeds": ["http://x/"], "detail_level": "some"}', ["detail_level", "some"]),
    ('{"seeds": ["http://x/"], "entity_type": "Ä"}', ["entity_type"]),
    ('{"seeds": ["http://x/"], "source_type": "gopher"}', ["source_type", "gopher"]),
]


@pytest.mark.parametrize(("payload", "words"), PAYLOADS)
def test_wrong_payloads_are_refused_and_no_job_is_made(
    looking: Cli, payload: str, words: list[str]
) -> None:
    for verb in ("rerun", "copy"):
        done = looking("jobs", verb, 1, "--payload", payload)
        assert done.code == 2
        assert re.fullmatch(r"error: [^\n]+\n", done.err), done.err
        assert all(word in done.err for word in words), done.err
    assert len(looking("jobs", "list", "--json").json) == 2


REFUSED: list[tuple[list[Any], int, list[str]]] = [
    (["documents", "import", "{dir}/bad.zip"], 2, ["bad.zip"]),
    (["documents", "import", "{dir}/nothing.jsonl"], 2, ["nothing", "could be read"]),
    (["db", "backup", "{dir}/a-file"], 2, ["a-file", "exists already"]),
    (["db", "backup", "{dir}/no/folder/b.db"], 2, ["does not exist"]),
    (["queue", "purge"], 2, ["--yes"]),
    (["search", "tides", "--cursor", "nonsense"], 2, ["cursor", "begin without one"]),
    (["jobs", "start", 1], 4, ["job 1 is completed already"]),
    (["jobs", "fail", 1, "--reason", "x"], 4, ["1"]),
    (["jobs", "update", 1, "--name", " "], 2, ["name", "empty"]),
    (["documents", "show", 1, "--version", 77], 3, ["77"]),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED)
def test_what_the_state_does_not_allow_is_refused(
    looking: Cli, folder: Path, arguments: list[Any], code: int, words: list[str]
) -> None:
    done = looking(*(str(each).replace("{dir}", str(folder)) for each in arguments))
    assert done.code == code
    assert re.search(r"^error: [^\n]+\n\Z", done.err, re.MULTILINE)
    assert all(word in done.err for word in words), done.err
