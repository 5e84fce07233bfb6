"""The pages: one HTML file for every address of the UI, and the files of its bundle.

The bundle is made when the package is built. Its files carry a digest in their names and are kept
by browsers for ever; the HTML page is asked for again each time and answered with 304 while it is
the same. Nothing here is written from data: what pages show, they ask the API for.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from quaero.api.bundle import PAGE, STATIC, UNBUILT

PAGES = (
    "/",
    "/queue",
    "/queue/dead",
    "/queue/workers",
    "/jobs/{job_id:int}",
    "/workflows",
    "/workflows/{definition_id}",
    "/schedules",
    "/documents",
    "/documents/{document_id:int}",
    "/sources",
    "/system",
    "/system/log",
    "/system/api",
    "/api/docs",
)

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


def pages(folder: Path = STATIC) -> APIRouter:
    """The routes of the UI, over the bundle in this folder."""
    router = APIRouter(include_in_schema=False)
    files = {each.name: each.read_bytes() for each in bundle_files(folder)}
    page = files.pop(PAGE, None)
    tag = f'"{sha256(page or b"").hexdigest()[:20]}"'

    async def show(request: Request) -> Response:
        if page is None:
            return PlainTextResponse(f"{UNBUILT}\n", status_code=503)
        headers = {"ETag": tag, "Cache-Control": ASK_AGAIN}
        if has(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        return Response(page, media_type=KINDS[".html"], headers=headers)

    async def asset(name: str) -> Response:
        if name not in files:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        kind = KINDS[Path(name).suffix]
        return Response(files[name], media_type=kind, headers={"Cache-Control": FOR_EVER})

    for path in PAGES:
        router.add_api_route(path, show, methods=["GET", "HEAD"])
    router.add_api_route("/static/{name}", asset, methods=["GET", "HEAD"])
    return router


def missing_page(folder: Path = STATIC) -> bytes | None:
    """The page for an address of no page, which says so; None where the bundle was not built."""
    path = folder / PAGE
    return path.read_bytes() if path.is_file() else None


def is_for_people(request: Request) -> bool:
    """Whether a person typed this address: a browser asks for a page, and not from the API."""
    return (
        request.method in {"GET", "HEAD"}
        and "text/html" in request.headers.get("accept", "")
        and not request.url.path.startswith(("/api/", "/static/"))
    )


def has(header: str, tag: str) -> bool:
    """Whether an If-None-Match names this tag, compared weakly (RFC 9110, section 13.1.2)."""
    named = [each.strip() for each in header.split(",")]
    return "*" in named or tag in {each.removeprefix("W/") for each in named}


def bundle_files(folder: Path) -> list[Path]:
    """The files of the bundle that browsers may have; none where it was not built."""
    if not folder.is_dir():
        return []
    return [each for each in folder.iterdir() if each.suffix in KINDS]
