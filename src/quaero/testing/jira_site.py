"""A Jira for tests, with server-rendered pages as a Data Center shows them.

Projects whose issues are listed in pages, and around them what a crawler must not follow: filters
and sorts of the same issues, a calendar without end, exports, forms, workflow steps and the way
out. One project is closed to the account; its four issues are refused in the four ways there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from quaero.testing.product_gate import USER, Expired, Gate
from quaero.testing.site import Answer, Hit, Page, SiteServer, redirect

LISTED = 10
TYPES = ("Bug", "Task", "Story")
STATES = ("Open", "In Progress", "Done")


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of the site."""

    project: str
    number: int
    comments: tuple[tuple[str, str, str], ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As in `ACME-12`."""
        return f"{self.project}-{self.number}"

    @property
    def summary(self) -> str:
        """Its title."""
        return f"Valve {self.number} of {self.project} leaks & drips"

    @property
    def attachment(self) -> str:
        """The path of its attachment, below the base URL."""
        return f"secure/attachment/{self.number}/trace.log"

    def fields(self, home: str) -> dict[str, object]:
        """What `metadata["issue"]` is to say of it; `home` is the base URL."""
        done = self.number % 3 == 2
        said: dict[str, object] = {
            "key": self.key, "project": self.project, "project_name": f"Project {self.project}",
            "type": TYPES[self.number % 3], "status": STATES[self.number % 3],
            "priority": "Major", "reporter": "Ann Archer", "labels": list(self.labels),
            "components": ["Pumps", "Seals"], "fix_versions": ["2.1"],
            "affects_versions": ["2.0"], "created": "2026-03-01T08:00:00Z",
            "updated": "2026-03-04T10:30:00Z", "comments": len(self.comments),
            "attachments": [{"name": "trace.log", "url": f"{home}{self.attachment}"}],
        }  # fmt: skip
        if done:
            said |= {"resolution": "Fixed", "resolved": "2026-03-05T09:00:00Z"}
        if self.number % 2:
            said["assignee"] = "Bob Baker"
        return said


@dataclass
class JiraSite:
    """A Jira below `context`; its pages are made when asked for."""

    context: str = "/jira"
    projects: Sequence[tuple[str, int]] = (("ACME", 23), ("OPS", 4))
    expired: Expired = "redirect"
    issues: dict[str, Issue] = field(init=False)
    gate: Gate = field(init=False)
    server: SiteServer = field(init=False)

    def __post_init__(self) -> None:
        """Fill the projects."""
        self.issues = {
            issue.key: issue
            for project, size in self.projects
            for issue in (_issue(project, number) for number in range(1, size + 1))
        }
        self.gate = Gate(self.context, "/login.jsp", self._form, self._denial, self.expired)
        self.server = SiteServer({}, gate=self._answer)

    @property
    def home(self) -> str:
        """The base URL."""
        return f"{self.server.url}{self.context}/"

    def readable(self) -> set[str]:
        """The addresses of all that the account may read."""
        below = self.home.rstrip("/")
        return {f"{below}/browse/{key}" for key in self.issues} | {
            f"{below}/projects/{project}/summary" for project, _ in self.projects
        }

    def _answer(self, hit: Hit) -> Page | None:
        turned_away = self.gate(hit)
        if turned_away is not None:
            return turned_away
        path, _, query = hit.path.removeprefix(self.context).partition("?")
        made = self._page(path, query)
        return made if isinstance(made, Page) else Page(body=str(made))

    def _page(self, path: str, query: str) -> Answer:
        first, _, rest = path.strip("/").partition("/")
        if first == "browse":
            return self._browse(rest)
        if path in ("/", "/secure/Dashboard.jspa"):
            return self._frame("System Dashboard", "<h1>Dashboard</h1>" + self._menu())
        if path == "/secure/BrowseProjects.jspa":
            return self._frame("Projects", self._projects())
        if first == "projects":
            return self._project(rest, query)
        if first in ("issues", "secure", "sr", "si"):
            return self._frame("Issue Navigator", self._views(query))
        return Page(status=404, body=self._frame("Dead link", "<h1>Oops</h1>"))

    def _browse(self, key: str) -> Answer:
        if key in dict(self.projects):
            return redirect(f"{self.context}/projects/{key}/summary")
        if key in self.issues:
            return self._frame(f"[{key}] {escape(self.issues[key].summary)}", self._issue(key))
        if key == "HR-1":
            return Page(status=403, body=self._denial(USER))
        if key == "HR-2":
            return Page(body=self._denial(USER))
        if key == "HR-3":
            return redirect(f"{self.context}/login.jsp?permissionViolation=true&os_destination=%2F")
        return Page(status=404, body=self._denial(USER))

    def _project(self, rest: str, query: str) -> Answer:
        key, _, view = rest.partition("/")
        if key not in dict(self.projects):
            return Page(body=self._denial(USER))
        if view != "issues":
            links = "".join(
                f'<li><a href="{self.context}/projects/{key}/{name}">{name}</a></li>'
                for name in ("issues", "reports", "calendar", "reports?period=30", "board/1")
            )
            about = (
                f'<dl><dt>Key</dt><dd id="pd-key">{key}</dd><dd id="pd-lead">Ann Archer</dd></dl>'
            )
            name = f'<h1 class="project-title">Project {key}</h1>'
            return self._frame(key, f"{name}{about}<p>All about {key}.</p><ul>{links}</ul>")
        start = next((int(p[11:]) for p in query.split("&") if p.startswith("startIndex=")), 0)
        keys = [key_ for key_, issue in self.issues.items() if issue.project == key]
        rows = "".join(
            f'<tr><td><a class="issue-link" data-issue-key="{k}" href="/{self.context[1:]}'
            f'{"/" if self.context else ""}browse/{k}?filter=allissues">{k}</a></td></tr>'
            for k in keys[start : start + LISTED]
        )
        turning = "".join(
            f'<a href="?startIndex={place}">{place // LISTED + 1}</a> '
            for place in range(0, len(keys), LISTED)
        )
        sorts = "".join(
            f'<a href="?startIndex={start}&amp;orderBy={name}+{way}">{name}</a>'
            for name in ("key", "created", "priority") for way in ("ASC", "DESC")
        )  # fmt: skip
        return self._frame("Issues", f"<h1>Issues</h1><p>{sorts}</p><table>{rows}</table>{turning}")

    def _views(self, query: str) -> str:
        """Lists without end: each leads to more like itself."""
        deeper = f"{len(query)}"
        at = f"{self.context}/issues/?jql=project%20%3D%20ACME%20AND%20id%20%3E%20{deeper}"
        return f'<h1>Search</h1><a href="{at}">more</a> <a href="?month={deeper}">next month</a>'

    def _projects(self) -> str:
        keys = [*(key for key, _ in self.projects), "HR"]
        items = "".join(f'<li><a href="{self.context}/browse/{key}">{key}</a></li>' for key in keys)
        return f"<h1>Projects</h1><ul>{items}</ul>"

    def _menu(self) -> str:
        found = (
            "secure/BrowseProjects.jspa", "issues/?jql=", "issues/?filter=-1", "login.jsp",
            "secure/CreateIssue!default.jspa", "secure/ViewProfile.jspa?name=ann", "logout",
            "secure/Logout!default.jspa", "secure/Logout.jspa?atl_token=T-1", "activity?n=1",
            "secure/Dashboard.jspa", "secure/Calendar.jspa?month=5",
        )  # fmt: skip
        return "".join(f'<li><a href="{self.context}/{path}">{path}</a></li>' for path in found)

    def _frame(self, title: str, content: str, user: str = USER) -> str:
        return (
            f'<!DOCTYPE html><html lang="en"><head><title>{title} - Jira</title>'
            f'<meta name="application-name" content="JIRA" data-name="jira">'
            f'<meta name="ajs-remote-user" content="{user}"></head><body id="jira" class="aui">'
            f'<header id="header"><nav><ul>{self._menu()}</ul></nav></header>'
            f'<div id="content">{content}</div>'
            '<footer id="footer"><p>Atlassian Jira</p></footer></body></html>'
        )

    def _form(self, user: str) -> str:
        greeting = f"<p>You are logged in as {user}, who may not see this.</p>" if user else ""
        return self._frame(
            "Log in",
            f'<h1>Welcome to Jira</h1>{greeting}<form action="{self.context}/login.jsp">'
            '<input name="os_username"><input type="password" name="os_password">'
            '<input type="hidden" name="os_destination"><button>Log In</button></form>',
            user,
        )

    def _denial(self, user: str) -> str:
        said = "<p>It may have been deleted, or you may not have the permission.</p>"
        login = f'<a href="{self.context}/login.jsp?os_destination=%2F">Log in</a>'
        return self._frame("Error", f"<h1>You can't view this issue</h1>{said}{login}", user)

    def _issue(self, key: str) -> str:
        issue = self.issues[key]
        return (
            f'<div id="issue-content" class="issue-view">{self._head(issue)}'
            f'<div class="aui-toolbar2">{self._operations(issue)}</div>'
            f"{_details(issue)}{self._description(issue)}{self._activity(issue)}</div>"
        )

    def _head(self, issue: Issue) -> str:
        return (
            f'<ol class="aui-nav-breadcrumbs"><li><a id="project-name-val" '
            f'href="{self.context}/browse/{issue.project}">Project {issue.project}</a></li>'
            f'<li><a id="key-val" href="{self.context}/browse/{issue.key}">{issue.key}</a></li>'
            f'</ol><h1 id="summary-val">{escape(issue.summary)}</h1>'
        )

    def _operations(self, issue: Issue) -> str:
        paths = (f"EditIssue!default.jspa?id={issue.number}",
                 f"DeleteIssue!default.jspa?id={issue.number}",
                 f"WorkflowUIDispatcher.jspa?id={issue.number}&amp;action=5&amp;atl_token=T-1",
                 f"VoteOrWatchIssue.jspa?id={issue.number}&amp;vote=vote")  # fmt: skip
        return "".join(f'<a href="{self.context}/secure/{path}">do</a>' for path in paths)

    def _description(self, issue: Issue) -> str:
        other = f"{issue.project}-{issue.number % 3 + 1}"
        hidden = "".join(f'<a href="HR-{n}">HR-{n}</a> ' for n in range(1, 5))
        return (
            '<div id="descriptionmodule"><h4>Description</h4><div class="user-content-block">'
            f"<p>Since UTF-8 came, valve {issue.number} drips, as "
            f'<a href="{self.server.url}{self.context}/browse/{other}" class="issue-link" '
            f'data-issue-key="{other}">{other}</a> did. Ask <a class="user-hover" rel="bob" '
            f'href="{self.context}/secure/ViewProfile.jspa?name=bob">Bob Baker</a>.</p>'
            f"<p>{hidden}</p>"
            '<div class="code panel"><div class="codeHeader panelHeader"><b>valve.py</b></div>'
            '<div class="codeContent"><pre class="code-python">turn(1)\n</pre></div></div>'
            '<table class="confluenceTable"><tbody><tr><th>Part</th><th>State</th></tr>'
            "<tr><td>Seal</td><td>worn</td></tr></tbody></table></div></div>"
            '<div id="attachmentmodule"><ol><li><div class="attachment-title">'
            f'<a href="{self.context}/{issue.attachment}">trace.log</a></div></li></ol></div>'
        )

    def _activity(self, issue: Issue) -> str:
        tabs = "".join(
            f'<a href="{self.context}/browse/{issue.key}?page=x:{tab}-tabpanel">{tab}</a>'
            for tab in ("all", "comment", "worklog", "changehistory")
        )
        said = "".join(
            f'<div id="comment-{issue.number}0{at}" class="issue-data-block activity-comment">'
            f'<div class="action-head"><div class="action-details"><a class="user-hover">{who}</a> '
            f'added a comment - <a href="/browse/{issue.key}?focusedCommentId={at}#c">'
            f'<time class="livestamp" datetime="{when}">then</time></a></div></div>'
            f'<div class="action-body flooded">{text}</div></div>'
            for at, (who, when, text) in enumerate(issue.comments)
        )
        return f'<div id="activitymodule"><h4>Activity</h4>{tabs}{said}</div>'


def _issue(project: str, number: int) -> Issue:
    said = (("Bob Baker", "2026-03-02T09:00:00+0000", f"<p>Tightened {number}.</p>"),)
    return Issue(project, number, said * (number % 2), ("leak", f"n{number % 4}"))


def _details(issue: Issue) -> str:
    def item(name: str, id_: str, value: str) -> str:
        return (
            f'<li class="item"><div class="wrap"><strong class="name">{name}:</strong>'
            f'<span id="{id_}" class="value">{value}</span></div></li>'
        )

    def linked(values: object) -> str:
        names = values if isinstance(values, list) else []
        return ", ".join(f'<a href="/issues/?jql=x">{name}</a>' for name in names)

    def dated(value: object) -> str:
        return f'<time datetime="{value}">long ago</time>' if value else ""

    said = issue.fields("/")
    labels = "".join(
        f'<li><a class="lozenge" href="/issues/?jql=l">{t}</a></li>' for t in issue.labels
    )
    people = item("Assignee", "assignee-val", str(said.get("assignee", "Unassigned")))
    people += item("Reporter", "reporter-val", "Ann Archer")
    dates = "".join(
        f'<dl class="dates"><dt>{name}</dt><dd id="{id_}">{dated(said.get(key))}</dd></dl>'
        for name, id_, key in (
            ("Created", "created-val", "created"), ("Updated", "updated-val", "updated"),
            ("Resolved", "resolutiondate-val", "resolved"),
        )
    )  # fmt: skip
    return (
        '<div id="details-module"><ul id="issuedetails" class="property-list">'
        + item("Type", "type-val", str(said["type"]))
        + item("Status", "status-val", f"<span>{said['status']}</span>")
        + item("Resolution", "resolution-val", str(said.get("resolution", "Unresolved")))
        + item("Priority", "priority-val", "Major")
        + item("Component/s", "components-val", linked(said["components"]))
        + item("Affects Version/s", "versions-val", linked(said["affects_versions"]))
        + item("Fix Version/s", "fixfor-val", linked(said["fix_versions"]))
        + f'<li><div class="labels-wrap"><ul class="labels">{labels}</ul></div></li></ul>'
        '<div id="customfieldmodule"><ul><li class="item"><strong class="name">Plant:</strong>'
        '<div class="value">North</div></li></ul></div></div>'
        f'<ul id="peopledetails">{people}</ul><div id="datesmodule">{dates}</div>'
    )
