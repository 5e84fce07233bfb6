"""Logins: stored, listed without their secrets, tested, deleted; extensions that hand them over.

Secrets are taken and never given: not in an answer, not in an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from quaero.api import cursors
from quaero.api.answers import answer, page_of, when
from quaero.api.describing import errors, location
from quaero.api.guests import guest_origin
from quaero.api.login_models import (
    CodeModel,
    ExtensionList,
    GivenToken,
    Imported,
    ImportedLogin,
    LoginList,
    LoginModel,
    LoginPatch,
    LoginWords,
    NewLogin,
    PairWish,
    ProbeModel,
    ProbeWish,
    SecretRoute,
    TokenModel,
)
from quaero.api.parts import Parts, WebParts
from quaero.api.versions import IfMatch, expect
from quaero.clock import rfc3339
from quaero.crawl.expiry import expiry_warning
from quaero.db.contract import ReadTx
from quaero.errors import BadLogin
from quaero.reports.wanted import LARGEST_ID
from quaero.sources import credentials, pairing
from quaero.sources.capture import Capture
from quaero.sources.credentials import CredentialSummary
from quaero.sources.imports import read_text
from quaero.sources.logins import Change
from quaero.sources.pairing import Pairing

router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=SecretRoute)

LoginId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The id of the login.")]
ExtensionId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The id of the extension.")]
_MADE: dict[int | str, dict[str, Any]] = {
    201: {"description": "It is stored.", "model": LoginModel, **location("The login's address.")}
}


@router.get("", response_model=LoginList, responses=errors(400, 422))
async def get_logins(parts: Parts, words: Annotated[LoginWords, Query()]) -> Response:
    """The logins, by id, without what is secret of them."""
    after = cursors.read(words.cursor, 1, "logins") or (0,)
    items, now = await parts.db.read(_page, after[0], words.limit + 1)
    page = [login_of(each, now) for each in items[: words.limit]]
    more = len(items) > len(page)
    return answer(page_of(page, cursors.write([page[-1]["id"]], "logins") if more else None))


def _page(tx: ReadTx, after: int, limit: int) -> tuple[list[CredentialSummary], int]:
    return credentials.listing(tx, after, limit), tx.now


@router.post(
    "",
    response_model=LoginModel,
    responses={**_MADE, 200: {"description": "It replaced another."}, **errors(400, 415)},
)
async def post_login(parts: Parts, new: NewLogin) -> Response:
    """Store a login in the place of the one whose base address it is at or below."""
    captured_at = parts.clock.wall() if new.captured_at is None else new.captured_at
    id_, created = await parts.logins.add(
        Capture(
            base_url=new.base_url,
            captured_at=max(0, captured_at),
            cookies=tuple(each.made() for each in new.cookies),
            headers=_headers(new.tokens),
            user_agent=new.user_agent,
        )
    )
    status = 201 if created else 200
    return await one(parts, id_, status, {"Location": f"/api/auth/{id_}"} if created else None)


def _headers(tokens: list[GivenToken]) -> dict[str, str]:
    headers = {each.name: each.value for each in tokens}
    if len(headers) < len(tokens):
        raise BadLogin("two tokens are for one header", "/tokens")
    return headers


@router.post(
    "/import",
    response_model=Imported,
    responses={**_MADE, 201: _MADE[201] | {"model": Imported}, **errors(400, 415)},
)
async def import_login(parts: Parts, new: ImportedLogin) -> Response:
    """Store the login for a site that a text holds; what is in it for other sites is left out."""
    now = parts.clock.wall()
    found = await run_in_threadpool(read_text, new.text, new.base_url, now, kind=new.kind)
    capture = found.capture
    if new.user_agent is not None:
        capture = Capture(
            base_url=capture.base_url,
            captured_at=capture.captured_at,
            cookies=capture.cookies,
            headers=capture.headers,
            user_agent=new.user_agent,
        )
    id_, created = await parts.logins.add(capture)
    summary, _, now = await parts.db.read(_one, id_)
    body = {"login": login_of(summary, now), "created": created, "foreign": found.foreign}
    headers = {"Location": f"/api/auth/{id_}"} if created else None
    return answer(body, 201 if created else 200, headers)


# -- pairing


@router.post("/code", status_code=201, response_model=CodeModel, responses=errors())
async def post_code(parts: Parts) -> Response:
    """A code that one extension can be paired with, in the place of the one before."""
    code, expires_at = await Pairing(parts.db).offer()
    return answer({"code": code, "expires_at": rfc3339(expires_at)}, 201)


@router.get("/extensions", response_model=ExtensionList, responses=errors())
async def get_extensions(parts: Parts) -> Response:
    """The extensions that may hand over logins."""
    found = await parts.db.read(pairing.extensions)
    items = [
        {
            "id": each.id,
            "origin": each.origin,
            "paired_at": rfc3339(each.paired_at),
            "used_at": when(each.used_at),
        }
        for each in found
    ]
    return answer({"items": items})


@router.post(
    "/extensions", status_code=201, response_model=TokenModel, responses=errors(400, 403, 415)
)
async def pair_extension(
    parts: Parts,
    wish: PairWish,
    origin: Annotated[str, Header(description="The extension's own, as browsers send it.")] = "",
) -> Response:
    """Pair the extension that asks: exchange the code for a token, which only its origin may use.

    With it the extension may `POST /api/auth`, and nothing else.
    """
    if guest_origin(origin) is None:
        raise HTTPException(403, "only a browser extension can be paired")
    token = await Pairing(parts.db).exchange(origin, wish.code)
    if token is None:
        raise HTTPException(403, "the code is wrong, was used or has ended; ask for a new one")
    return answer({"token": token, "origin": origin}, 201)


@router.delete(
    "/extensions/{extension_id:int}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is not let in any more."}, **errors(404)},
)
async def delete_extension(parts: Parts, extension_id: ExtensionId) -> Response:
    """Let an extension in no more."""
    await parts.db.write(pairing.revoke, extension_id)
    return Response(status_code=204)


# -- one


@router.get("/{login_id:int}", response_model=LoginModel, responses=errors(404))
async def get_login(parts: Parts, login_id: LoginId) -> Response:
    """A login, without what is secret of it. `ETag` stands for what can be edited of it."""
    return await one(parts, login_id)


@router.patch(
    "/{login_id:int}", response_model=LoginModel, responses=errors(400, 404, 409, 412, 415, 428)
)
async def patch_login(
    parts: Parts, login_id: LoginId, patch: LoginPatch, if_match: IfMatch = None
) -> Response:
    """Replace or clear a login's cookies, tokens or user agent (a merge patch, RFC 7396)."""
    given = patch.model_fields_set
    change = Change(
        cookies=tuple(each.made() for each in patch.cookies) if "cookies" in given else None,
        headers=_headers(patch.tokens) if "tokens" in given else None,
        user_agent=(patch.user_agent or "") if "user_agent" in given else None,
    )

    def expected(version: int) -> None:
        expect(if_match, f"login {login_id}", version)

    await parts.logins.change(login_id, change, expected)
    return await one(parts, login_id)


@router.delete(
    "/{login_id:int}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone."}, **errors(404)},
)
async def delete_login(parts: Parts, login_id: LoginId) -> Response:
    """Delete a login, its secrets with it; crawls that use it end."""
    await parts.db.write(credentials.delete, login_id)
    return Response(status_code=204)


@router.post("/{login_id:int}/test", response_model=ProbeModel, responses=errors(400, 404, 415))
async def probe_login(parts: Parts, login_id: LoginId, wish: ProbeWish | None = None) -> Response:
    """Fetch a page of the site with the login; a login page in its place means it is refused."""
    found = await parts.logins.probe(login_id, wish.url if wish else None)
    summary, _, _ = await parts.db.read(_one, login_id)
    return answer({"ok": found.ok, "detail": found.detail, "tested_at": when(summary.tested_at)})


async def one(
    parts: WebParts, login_id: int, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A login as an answer. Raises `NotFound`."""
    summary, version, now = await parts.db.read(_one, login_id)
    tagged = {"ETag": f'"{version}"', **(headers or {})}
    return answer(login_of(summary, now), status, tagged)


def _one(tx: ReadTx, login_id: int) -> tuple[CredentialSummary, int, int]:
    return credentials.get(tx, login_id), credentials.sealed(tx, login_id).version, tx.now


def login_of(login: CredentialSummary, now: int) -> dict[str, Any]:
    """A login as it is shown; `now` is a wall time in microseconds."""
    warning = expiry_warning(login.expires_at, now)
    if warning is None and login.test_ok is False:
        warning = "was refused at the last test; log in again and store the new login"
    return {
        "id": login.id,
        "base_url": login.base_url,
        "site": login.site,
        "kind": login.kind,
        "cookies": login.cookies,
        "tokens": login.headers,
        "user_agent": login.user_agent,
        "captured_at": rfc3339(login.captured_at),
        "updated_at": rfc3339(login.updated_at),
        "expires_at": when(login.expires_at),
        "state": _state(login, now),
        "warning": warning,
        "tested_at": when(login.tested_at),
        "test_ok": login.test_ok,
        "test_detail": login.test_detail,
    }


def _state(login: CredentialSummary, now: int) -> str:
    if login.expires_at is not None and login.expires_at <= now:
        return "expired"
    if login.test_ok is False:
        return "refused"
    return "expiring" if expiry_warning(login.expires_at, now) else "good"
