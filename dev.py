#!/usr/bin/env python3
"""Set up, run, test and check Quaero from a clone; `python3 dev.py` lists the verbs.

The first use of a verb makes the environment it needs in `.venv`. While pyproject.toml,
constraints.txt, the place of this folder and the Python are the same, a verb only starts its
program: no network, no installer. Needs Python 3.11 or later and nothing else.
"""

import hashlib
import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is used
    sys.exit(f"Quaero needs Python 3.11 or later; this is {sys.version.split()[0]}.")

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "bin")
PYTHON = os.path.join(BIN, "python")
STAMP = os.path.join(VENV, "dev-stamp")
UNFINISHED = "unfinished"

INPUTS = ("pyproject.toml", "constraints.txt", "hatch_build.py", "web/**/*", "web/.npmrc")
BUNDLE = os.path.join(ROOT, "src", "quaero", "api", "static", "index.html")
GROUPS = {
    "demo": (),
    "run": (),
    "test": ("dev",),
    "check": ("dev",),
    "format": ("dev",),
    "bench": ("bench",),
    "screenshots": ("dev",),
    "soak": ("dev",),
}
SOAKED = ("model", "crash", "soak", "ui")
SOAK_EXAMPLES = "QUAERO_SOAK_EXAMPLES"
VERBS = """\
python3 dev.py VERB

  demo [ARGS]    crawl a small site that comes with Quaero, and show what was found
  run ARGS       quaero ARGS
  test [ARGS]    check, and all tests; with ARGS only pytest ARGS
  check          style and types
  format         bring the code into shape
  bench [ARGS]   the benchmarks
  screenshots [FOLDER]  every page at two widths, light and dark
  soak [ARGS]    random histories and crashes at length (20,000 examples), late answers to pages
"""


def main(verb: str, args: list[str]) -> int:
    if verb in {"", "-h", "--help", "help"}:
        print(VERBS, end="")
        return 0
    if verb not in GROUPS:
        print(f"There is no verb {verb!r}.\n\n{VERBS}", end="", file=sys.stderr)
        return 2
    ready(GROUPS[verb])
    if verb == "demo":
        become(os.path.join(BIN, "quaero"), "demo", *args)
    if verb == "run":
        become(os.path.join(BIN, "quaero"), *args)
    os.chdir(ROOT)
    if verb == "bench":
        become(os.path.join("benchmarks", "run.py"), *args)
    if verb == "screenshots":
        become("-m", "tests.ui.screenshots", *args)
    if verb == "soak":
        return soak(args)
    if verb == "test" and args:
        become("-m", "pytest", *args)
    if verb == "format":
        return together(("ruff", "check", "--fix", "."), ("ruff", "format", "."))
    checks = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
    workers = str((os.cpu_count() or 1) + 1)  # tests wait for a third of their time
    tests = (("pytest", "-n", workers, "--dist", "worksteal"),) if verb == "test" else ()
    return together(*checks, *tests)


def become(*arguments: str) -> None:
    """Go on as the environment's Python with these arguments; does not return."""
    sys.stdout.flush()
    os.execv(PYTHON, [PYTHON, *arguments])


def together(*modules: tuple[str, ...]) -> int:
    """Run each `python -m module …` to its end; the first exit code that is not 0, or 0."""
    import subprocess

    codes = [subprocess.run([PYTHON, "-m", *module], check=False).returncode for module in modules]
    return next((code for code in codes if code), 0)


def soak(args: list[str]) -> int:
    """Run the tests that read QUAERO_SOAK_EXAMPLES, at length, and say how it ended."""
    import time

    examples = soak_examples()
    tests = soak_tests()
    print(
        f"Soak: {examples:,} new examples of each property, and {max(1, examples // 500)} times "
        f"the suite's crashes, in {len(tests)} files.\nAnother number: {SOAK_EXAMPLES}={examples}",
        flush=True,
    )
    began = time.monotonic()
    code = together(("pytest", "-n", "auto", "--timeout=0", *tests, *args))
    minutes = (time.monotonic() - began) / 60
    print(f"Soak {'failed' if code else 'passed'} after {minutes:.1f} minutes; exit code {code}.")
    return code


def soak_examples() -> int:
    """How many examples the soak looks for; the environment tells the tests."""
    text = os.environ.setdefault(SOAK_EXAMPLES, "20000")
    if not text.isdecimal() or int(text) < 1:
        sys.exit(f"{SOAK_EXAMPLES}={text}: it must be a whole number from 1.")
    return int(text)


def soak_tests() -> list[str]:
    """The files of the soak."""
    from glob import glob

    found = {f for kind in SOAKED for f in glob(f"tests/**/test_*{kind}*.py", recursive=True)}
    return sorted(found) or sys.exit("There are no tests to soak.")


# -- the environment
#
# The stamp has three lines: what the environment was made for, what was installed, and which
# groups. It says "unfinished" from before the first step until after the last.


def ready(groups: tuple[str, ...]) -> None:
    """Make `.venv` hold Quaero, its dependencies and these groups, if it does not yet."""
    if not missing(groups, *stamp()):
        return
    import fcntl

    with open(__file__) as this:
        # Inherited by the steps: where this program is killed, the next one waits for its step.
        os.set_inheritable(this.fileno(), True)
        fcntl.flock(this, fcntl.LOCK_EX)
        maker, inputs, present = stamp()
        if not missing(groups, maker, inputs, present):
            return
        print("Setting up .venv …", file=sys.stderr, flush=True)
        wanted = sorted({*groups, *present})
        if maker != own_maker() and not adoptable(maker):
            remove_venv()
            wanted = sorted(groups)
        set_up(wanted)


def missing(groups: tuple[str, ...], maker: str, inputs: str, present: list[str]) -> bool:
    same = maker == own_maker() and inputs == own_inputs() and set(groups) <= set(present)
    return not (same and os.path.exists(PYTHON) and os.path.exists(BUNDLE))


def stamp() -> tuple[str, str, list[str]]:
    try:
        with open(STAMP, encoding="utf-8") as file:
            maker, inputs, groups, *_ = [*file.read().split("\n"), "", ""]
    except OSError:
        return "", "", []
    return maker, inputs, groups.split()


def own_maker() -> str:
    """What an environment belongs to: it cannot be moved, nor given to another Python."""
    return digest(ROOT, sys.version, sys.base_prefix)


def own_inputs() -> str:
    """What the environment and the bundle of the pages are made from."""
    from glob import glob

    contents = []
    for pattern in INPUTS:
        for name in sorted(glob(os.path.join(ROOT, pattern), recursive=True)):
            if os.path.isfile(name) and "node_modules" not in name:
                with open(name, encoding="utf-8") as file:
                    contents += [os.path.relpath(name, ROOT), file.read()]
    return digest(*contents)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def adoptable(maker: str) -> bool:
    """Whether `.venv` was made by hand with this very Python and can be used as it is."""
    import subprocess

    if maker or not os.path.exists(PYTHON):
        return False
    code = "import sys, pip; print(sys.version, sys.base_prefix, sys.prefix, sep='\\0')"
    asked = subprocess.run([PYTHON, "-c", code], check=False, capture_output=True, text=True)
    return asked.stdout.rstrip("\n").split("\0") == [sys.version, sys.base_prefix, VENV]


def remove_venv() -> None:
    import shutil

    if os.path.islink(VENV):
        os.unlink(VENV)
    elif os.path.lexists(VENV):
        shutil.rmtree(VENV)


def set_up(groups: list[str]) -> None:
    """Install everything; the stamp is written last, so an interrupted set-up begins again."""
    uv = os.path.join(BIN, "uv")
    install = (uv, "pip", "install", "--python", PYTHON, "-e", ".", "-c", "constraints.txt")
    install += ("--reinstall-package", "quaero")  # so that the bundle of the pages is made anew
    install += tuple(word for group in groups for word in ("--group", group))
    failure = "The dependencies could not be installed; is there a network?"
    if os.path.exists(PYTHON) and os.path.exists(uv):
        step(failure, *install, "--dry-run")  # where this fails, what is there stays in use
    os.makedirs(VENV, exist_ok=True)
    write_stamp(UNFINISHED, "", [])
    if not os.path.exists(PYTHON):
        make_venv()
    if not os.path.exists(uv):
        pip = ("-m", "pip", "--disable-pip-version-check", "--quiet", "install", "uv")
        step("The installer uv could not be fetched; is there a network?", PYTHON, *pip)
    step(failure, *install)
    write_stamp(own_maker(), own_inputs(), groups)


def make_venv() -> None:
    from importlib.util import find_spec

    if find_spec("venv") is None or find_spec("ensurepip") is None:
        sys.exit(
            f"The Python at {sys.executable} has no venv module; "
            "install it (on Debian and Ubuntu: apt install python3-venv)."
        )
    base = getattr(sys, "_base_executable", sys.executable)
    step("The virtual environment .venv could not be made.", base, "-m", "venv", VENV)


def step(failure: str, *command: str) -> None:
    """Run one step of the set-up; if it fails, show its output and end with one sentence."""
    import subprocess

    settings = {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "true",  # those of the machine, as pip and the browsers use
        "UV_CACHE_DIR": cache_dir(),
    }
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env={**settings, **os.environ},
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
        sys.exit(failure)


def cache_dir() -> str:
    """uv's own cache directory if it can be written, else one in this folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    usual = os.path.join(home, "uv")
    try:
        os.makedirs(usual, exist_ok=True)
    except OSError:
        return os.path.join(ROOT, ".cache", "uv")
    return usual if os.access(usual, os.W_OK) else os.path.join(ROOT, ".cache", "uv")


def write_stamp(maker: str, inputs: str, groups: list[str]) -> None:
    fresh = f"{STAMP}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(f"{maker}\n{inputs}\n{' '.join(groups)}\n")
    os.replace(fresh, STAMP)


if __name__ == "__main__":
    try:
        sys.exit(main("".join(sys.argv[1:2]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{error.filename or 'dev.py'}: {error.strerror}.")
