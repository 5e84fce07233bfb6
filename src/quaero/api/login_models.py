"""What the interface takes for logins, and shows of them.

Secrets go in and never come out. Errors name places, and repeat nothing that was sent: neither a
value nor the name of a field that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from starlette.responses import Response

from quaero.api import examples
from quaero.api.bodies import JsonRoute
from quaero.api.fields import CursorText, Limit, Time
from quaero.api.models import Answer, Body, Words
from quaero.clock import LAST_SECOND, SECOND
from quaero.crawl.cookies import Cookie
from quaero.reports.wanted import moment as read_moment
from quaero.sources.capture import (
    LONGEST_ADDRESS,
    LONGEST_AGENT,
    LONGEST_COOKIE,
    LONGEST_HEADER,
    LONGEST_PATH,
    MOST_COOKIES,
    MOST_HEADERS,
)

LARGEST_TEXT = 4_500_000
_AS_BROWSERS_SAY = {
    "httpOnly": "http_only",
    "sameSite": "same_site",
    "hostOnly": "host_only",
    "expirationDate": "expires",
    "expiry": "expires",
    "userAgent": "user_agent",
    "baseUrl": "base_url",
    "timestamp": "captured_at",
}
_NOT_NEEDED = frozenset({"session", "storeId", "partitionKey", "firstPartyDomain"})


def _in_our_words(value: Any) -> Any:
    """The fields by our names where a browser's were sent."""
    if not isinstance(value, dict):
        return value
    return {_AS_BROWSERS_SAY.get(n, n): v for n, v in value.items() if n not in _NOT_NEEDED}


def _expiry(value: object) -> int | None:
    """Microseconds from a time as text, or from seconds since 1970, as browsers have them."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LAST_SECOND:
        return int(value * SECOND)
    return read_moment(value)


def _captured(value: object) -> int:
    """Microseconds from a time as text, or from the number that browsers have for one.

    That is milliseconds since 1970 in JavaScript and seconds elsewhere; no time is both.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if value <= LAST_SECOND else value / 1_000
        if 0 <= seconds <= LAST_SECOND:
            return int(seconds * SECOND)
    return read_moment(value)


def _pairs(value: object) -> object:
    """Tokens as a list, where they were sent as an object of headers."""
    if isinstance(value, dict):
        return [{"name": name, "value": each} for name, each in value.items()]
    return value


def _time_or_number(latest: int, description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": 0, "maximum": latest},
                {"type": "null"},
            ],
            "description": description,
        }
    )


Expiry = Annotated[
    int | None,
    BeforeValidator(_expiry),
    _time_or_number(
        LAST_SECOND, "A time, or seconds since 1970; null where it ends with the session."
    ),
]
CapturedAt = Annotated[
    int | None,
    BeforeValidator(lambda value: None if value is None else _captured(value)),
    _time_or_number(
        LAST_SECOND * 1_000, "A time, or seconds or milliseconds since 1970; now if it is not said."
    ),
]
BaseUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_ADDRESS,
        description="Where the site begins; a query is left out.",
    ),
]


class GivenCookie(Body):
    """A cookie as a browser has it; without a domain it is one of the base address's host.

    A domain with a dot before it, or with `host_only` false, is for the hosts below it too.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_COOKIE, repr=False)]
    value: Annotated[str, Field(max_length=LONGEST_COOKIE, repr=False)]
    domain: Annotated[str, Field(max_length=254)] = ""
    path: Annotated[str, Field(max_length=LONGEST_PATH)] = "/"
    expires: Expiry = None
    secure: bool = False
    http_only: bool = False
    host_only: bool | None = None
    same_site: Annotated[str | None, Field(max_length=40)] = None

    _words = model_validator(mode="before")(_in_our_words)

    def made(self) -> Cookie:
        """The cookie, not yet checked."""
        below = self.domain.startswith(".") if self.host_only is None else not self.host_only
        return Cookie(
            name=self.name,
            value=self.value,
            domain=self.domain,
            host_only=not below,
            path=self.path or "/",
            secure=self.secure,
            expires=self.expires,
            http_only=self.http_only,
        )


class GivenToken(Body):
    """A token, and the header it is sent in."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=200, repr=False)] = "Authorization"
    value: Annotated[str, Field(min_length=1, max_length=LONGEST_HEADER, repr=False)]


Cookies = Annotated[list[GivenCookie], Field(max_length=MOST_COOKIES, repr=False)]
Tokens = Annotated[
    list[GivenToken], Field(max_length=MOST_HEADERS, repr=False), BeforeValidator(_pairs)
]
Agent = Annotated[str, Field(max_length=LONGEST_AGENT)]
_SECRET: dict[str, Any] = {"name": "JSESSIONID", "value": "…", "secure": True, "http_only": True}


class NewLogin(Body):
    """A login, as a browser extension captures it; it takes the place of the one stored before.

    `same_site` of a cookie is taken and not needed: no page of another site asks for anything here.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [{"base_url": "https://wiki.example.org/", "cookies": [_SECRET]}]
        },
    )

    base_url: BaseUrl
    cookies: Cookies = Field(default=[])
    tokens: Tokens = Field(default=[])
    user_agent: Agent | None = None
    captured_at: CapturedAt = None

    _words = model_validator(mode="before")(_in_our_words)


class LoginPatch(Body):
    """What to change of a login; lists take the place of those before, empty ones clear them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"tokens": []}]},
    )

    cookies: Cookies = Field(default=[])
    tokens: Tokens = Field(default=[])
    user_agent: Agent | None = None


class ImportedLogin(Body):
    """A login in a text: cookies.txt, a HAR, or header lines such as `Cookie: a=1; b=2`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [{"base_url": "https://wiki.example.org/", "text": "Cookie: JSESSIONID=…"}]
        },
    )

    base_url: BaseUrl
    text: Annotated[str, Field(min_length=1, max_length=LARGEST_TEXT, repr=False)]
    kind: Literal["auto", "cookies.txt", "har", "headers"] = "auto"
    user_agent: Agent | None = None


class LoginModel(Answer):
    """A login as it is shown; `cookies` and `tokens` are how many, `warning` says what to do."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LOGIN]})

    id: int
    base_url: str
    site: str
    kind: Literal["cookies", "token", "both"]
    cookies: int
    tokens: int
    user_agent: str | None
    captured_at: Time
    updated_at: Time
    expires_at: Time | None
    state: Literal["good", "expiring", "expired", "refused"]
    warning: str | None
    tested_at: Time | None
    test_ok: bool | None
    test_detail: str


class LoginList(Answer):
    """A page of logins."""

    items: list[LoginModel]
    next_cursor: str | None


class Imported(Answer):
    """The login that was stored; `foreign` cookies in the text were for other sites."""

    login: LoginModel
    created: bool
    foreign: int


class ProbeModel(Answer):
    """Whether the login is accepted, and why that is thought; `ok` is null where none can say."""

    ok: bool | None
    detail: str
    tested_at: Time


class ProbeWish(Body):
    """Which page of the site to test with; the base address unless one is named."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"url": None}]}
    )

    url: BaseUrl | None = None


class LoginWords(Words):
    """Which page of the list."""

    limit: Limit = 50
    cursor: CursorText = None


class CodeModel(Answer):
    """A code by which one extension can be paired, until it ends."""

    code: str
    expires_at: Time


class PairWish(Body):
    """The code that the user was shown."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"code": "ABCD-2345"}]},
    )

    code: Annotated[str, Field(min_length=1, max_length=40, repr=False)]


class TokenModel(Answer):
    """The extension's token; it is told once."""

    token: str
    origin: str


class ExtensionModel(Answer):
    """A paired extension."""

    id: int
    origin: str
    paired_at: Time
    used_at: Time | None


class ExtensionList(Answer):
    """All paired extensions."""

    items: list[ExtensionModel]


class SecretRoute(JsonRoute):
    """An endpoint whose errors repeat nothing of its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, its errors told without what was sent."""
        handle = super().get_route_handler()

        async def silent(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError([_silent(each) for each in error.errors()]) from None

        return silent


def _silent(error: dict[str, Any]) -> dict[str, Any]:
    """The same error without the words of the body."""
    place, text = tuple(error["loc"]), error["msg"]
    if place[:1] != ("body",):
        return error
    if error["type"] == "extra_forbidden":
        place, text = place[:-1], "there is a field that is not known here"
    elif error["type"] == "value_error":
        text = "this is not a value that is possible here"
    return {"loc": place, "msg": text, "type": error["type"]}
