"""A Confluence for tests, with server-rendered pages as a Data Center shows them.

Spaces with a tree of pages, some known by their number only, and around them what a crawler must
not follow: histories, comparisons, calendars, exports, forms and the way out. One space and one
page are closed to the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

from quaero.testing.product_gate import USER, Expired, Gate
from quaero.testing.site import Hit, Page, SiteServer, redirect

BRANCHES = 3


@dataclass(frozen=True, slots=True)
class WikiPage:
    """A page of a space; the one with `place` 0 is the space's home."""

    space: str
    place: int
    number: int
    above: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The page's name; every fifth holds a sign that keeps it out of addresses."""
        if not self.place:
            return f"{self.space} Home"
        return f"Why pump {self.place}?" if self.place % 5 == 0 else f"Pump {self.place} & co"

    @property
    def path(self) -> str:
        """Where it is read, below the context path."""
        if "?" in self.title:
            return f"/pages/viewpage.action?pageId={self.number}"
        return f"/display/{self.space}/{quote(self.title, safe='&').replace('%20', '+')}"

    def fields(self) -> dict[str, object]:
        """What `metadata["page"]` is to say of it."""
        said: dict[str, object] = {
            "id": str(self.number), "space": self.space, "space_name": f"Space {self.space}",
            "kind": "page", "version": self.place + 1, "title": self.title,
            "author": "Ann Archer", "modified_by": "Bob Baker", "created": "2026-04-01",
            "updated": "2026-05-02", "labels": ["pump", f"n{self.place % 4}"],
            "comments": self.place % 2,
        }  # fmt: skip
        return said | ({"ancestors": list(self.above)} if self.above else {})


@dataclass
class ConfluenceSite:
    """A Confluence below `context`; its pages are made when asked for."""

    context: str = "/confluence"
    spaces: Sequence[tuple[str, int]] = (("TEAM", 18), ("EDIT", 4))
    expired: Expired = "redirect"
    pages: dict[str, WikiPage] = field(init=False)
    gate: Gate = field(init=False)
    server: SiteServer = field(init=False)

    def __post_init__(self) -> None:
        """Fill the spaces."""
        made = [
            page
            for number, (space, size) in enumerate(self.spaces)
            for page in _tree(space, size, 1000 * (number + 1))
        ]
        self.pages = {page.path: page for page in made}
        self.gate = Gate(self.context, "/login.action", self._form, self._denial, self.expired)
        self.server = SiteServer({}, gate=self._answer)

    @property
    def home(self) -> str:
        """The base URL."""
        return f"{self.server.url}{self.context}/"

    def readable(self) -> set[str]:
        """The addresses of all that the account may read."""
        return {self.home.rstrip("/") + path for path in self.pages}

    def _answer(self, hit: Hit) -> Page | None:
        turned_away = self.gate(hit)
        if turned_away is not None:
            return turned_away
        return self._page(hit.path.removeprefix(self.context))

    def _page(self, path: str) -> Page:
        if path in self.pages:
            return Page(body=self._shown(self.pages[path]))
        if path == "/":
            return Page(body=self._frame("Dashboard", f"<h1>Dashboard</h1>{self._menu()}"))
        by_number = {page.number: page for page in self.pages.values()}
        number = path.partition("pageId=")[2].partition("&")[0]
        if path.startswith("/pages/viewpage.action") and number.isdecimal():
            known = by_number.get(int(number))
            return self._at(known.path) if known else Page(status=404, body=self._denial(USER))
        first, _, space = path.removeprefix("/").partition("/")
        if first == "display" and space in dict(self.spaces):
            return self._at(f"/display/{space}/{space}+Home")
        if first == "display" and space == "HR":
            return self._at("/login.action?permissionViolation=true&os_destination=%2F")
        if first == "display":
            return Page(body=self._denial(USER))
        return Page(body=self._frame("View", self._endless(path)))

    def _at(self, path: str) -> Page:
        return redirect(f"{self.context}{path}")

    def _endless(self, path: str) -> str:
        """Views without end: each leads to more like itself."""
        deeper = len(path)
        links = (f"/pages/viewpreviousversions.action?pageId=1&amp;n={deeper}",
                 f"/display/TEAM/2026/{deeper % 12 + 1:02}",
                 f"/calendar/mycalendar.action?month={deeper}")  # fmt: skip
        return "".join(f'<a href="{self.context}{link}">more</a>' for link in links)

    def _menu(self) -> str:
        spaces = [*(space for space, _ in self.spaces), "HR"]
        found = [*(f"/display/{space}" for space in spaces), "/dashboard.action", "/logout.action",
                 "/login.action?os_destination=%2F", "/spacedirectory/view.action",
                 "/spaces/viewspace.action?key=TEAM", "/pages/createpage.action?spaceKey=TEAM",
                 "/dosearchsite.action?queryString=x", "/label/TEAM/pump", "/display/TEAM/2026/05",
                 "/spaces/TEAM/calendars", "/people/view.action"]  # fmt: skip
        return "".join(f'<li><a href="{self.context}{path}">{path}</a></li>' for path in found)

    def _frame(self, title: str, content: str, user: str = USER, metas: str = "") -> str:
        return (
            f'<!DOCTYPE html><html lang="en"><head><title>{escape(title)} - Confluence</title>'
            f'<meta name="confluence-request-time" content="1">{metas}'
            f'<meta name="ajs-remote-user" content="{user}"></head>'
            '<body id="com-atlassian-confluence" class="theme-default">'
            f'<div id="header"><ul>{self._menu()}</ul></div><div id="main">{content}</div>'
            '<div id="footer"><p>Powered by Atlassian Confluence</p></div></body></html>'
        )

    def _form(self, user: str) -> str:
        greeting = f"<p>You are logged in as {user}, who may not see this.</p>" if user else ""
        return self._frame(
            "Log In",
            f'<h1>Log in</h1>{greeting}<form action="{self.context}/dologin.action">'
            '<input name="os_username"><input type="password" name="os_password">'
            "<button>Log in</button></form>",
            user,
        )

    def _denial(self, user: str) -> str:
        said = "<p>The page you were trying to reach may be restricted, or was removed.</p>"
        return self._frame("Page Not Found", f"<h1>Page Not Found</h1>{said}", user)

    def _shown(self, page: WikiPage) -> str:
        said = {
            "page-id": page.number, "page-title": page.title, "space-key": page.space,
            "space-name": f"Space {page.space}", "page-version": page.place + 1,
            "content-type": "page",
        }  # fmt: skip
        metas = "".join(
            f'<meta name="ajs-{name}" content="{escape(str(value))}">'
            for name, value in said.items()
        )
        crumbs = "".join(
            f'<li><a href="{self._to(page, above)}">{above}</a></li>' for above in page.above
        )
        content = (
            f'<div id="main-header"><ol id="breadcrumbs"><li class="first">'
            f'<a href="{self.context}/collector/pages.action?key={page.space}">Pages</a></li>'
            f'{crumbs}</ol><h1 id="title-text"><a href="{self.context}{page.path}">'
            f"{escape(page.title)}</a></h1></div>{self._operations(page)}{_byline(self.context)}"
            f'<div id="main-content" class="wiki-content">{self._content(page)}</div>'
            f"{_labels(page)}{_comments(page, self.context)}"
        )
        return self._frame(f"{page.title} - Space {page.space}", content, metas=metas)

    def _to(self, page: WikiPage, title: str) -> str:
        found = (each for each in self.pages.values() if each.space == page.space)
        return self.context + next(each.path for each in found if each.title == title)

    def _operations(self, page: WikiPage) -> str:
        actions = ("editpage", "copypage", "removepage", "viewpreviousversions", "viewinfo",
                   "viewpageattachments", "viewpagesrc", "diffpagesbyversion")  # fmt: skip
        links = [f"/pages/{name}.action?pageId={page.number}" for name in actions]
        links += [f"/exportword?pageId={page.number}",
                  f"/spaces/flyingpdf/pdfpageexport.action?pageId={page.number}",
                  f"/pages/doremovepage.action?pageId={page.number}&amp;atl_token=T-1"]  # fmt: skip
        return "".join(f'<a href="{self.context}{link}">do</a>' for link in links)

    def _content(self, page: WikiPage) -> str:
        below = [each for each in self.pages.values() if each.above == (*page.above, page.title)]
        whole = self.server.url + self.context
        near = "".join(
            f'<li><a href="{self.context}/pages/viewpage.action?pageId={each.number}&amp;src=tree">'
            f"{escape(each.title)}</a></li>"
            if each.place % 2
            else f'<li><a href="{whole}{each.path}">{escape(each.title)}</a></li>'
            for each in below
        )
        secret = f"{self.context}/display/{page.space}/Secret"
        return (
            f'<p>As <a class="confluence-userlink user-mention" data-username="bob" '
            f'href="{self.context}/display/~bob">Bob Baker</a> says, pump {page.place} hums; see '
            f'<a href="{secret}">the secret</a> and ACME-7.</p>'
            '<div class="confluence-information-macro confluence-information-macro-warning"><div '
            'class="confluence-information-macro-body"><p>Do not touch.</p></div></div>'
            '<div class="code panel pdl"><div class="codeHeader panelHeader"><b>pump.py</b></div>'
            '<div class="codeContent panelContent"><pre class="syntaxhighlighter-pre" '
            'data-syntaxhighlighter-params="brush: py; gutter: false">run()</pre></div></div>'
            '<ul class="inline-task-list"><li class="checked" data-inline-task-id="1">Order</li>'
            '<li data-inline-task-id="2">Mount</li></ul>'
            '<div class="table-wrap"><table class="confluenceTable"><tbody><tr><th>Part</th>'
            "<th>State</th></tr><tr><td>Seal</td><td>worn</td></tr></tbody></table></div>"
            f'<p><a href="{self.context}/download/attachments/{page.number}/plan.docx">plan</a></p>'
            f'<ul class="childpages-macro">{near}</ul>'
        )


def _tree(space: str, size: int, first: int) -> list[WikiPage]:
    """A home, and pages below it, each with up to `BRANCHES` pages below."""
    made = [WikiPage(space, 0, first)]
    for place in range(1, size):
        parent = made[(place - 1) // BRANCHES]
        made.append(WikiPage(space, place, first + place, (*parent.above, parent.title)))
    return made


def _byline(context: str) -> str:
    return (
        '<div id="content" class="page view"><div class="page-metadata"><ul><li>Created by '
        f'<span class="author"><a href="{context}/display/~ann">Ann Archer</a></span> on '
        '<span class="created-date">Apr 01, 2026</span>, last modified by '
        f'<span class="editor"><a href="{context}/display/~bob">Bob Baker</a></span> on '
        f'<a class="last-modified" href="{context}/pages/diffpages.action">May 02, 2026</a>'
        "</li></ul></div></div>"
    )


def _labels(page: WikiPage) -> str:
    names = ("pump", f"n{page.place % 4}")
    items = "".join(f'<li><a class="aui-label-split-main">{name}</a></li>' for name in names)
    return f'<div id="labels-section"><ul class="label-list">{items}</ul></div>'


def _comments(page: WikiPage, context: str) -> str:
    if not page.place % 2:
        return ""
    return (
        '<div id="comments-section"><ol><li><div class="comment" id="comment-5"><h4 class="author">'
        f'<a href="{context}/display/~bob">Bob Baker</a></h4><div class="comment-content '
        'wiki-content"><p>Agreed.</p></div><div class="comment-date">'
        f'<a href="{context}{escape(page.path)}#comment-5"><time datetime="2026-05-03T07:00:00Z">'
        "then</time></a></div></div></li></ol></div>"
    )
