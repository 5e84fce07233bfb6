"""Link rules of Jira and Confluence: one spelling a page, no endless view, nothing that acts."""

import pytest

from quaero.crawl.scope import CrawlScope, select_links

JIRA = "https://work.example.org/jira"
WIKI = "https://work.example.org/confluence"
CLOUD = "https://acme.atlassian.net"


def choice(kind: str, base: str, link: str, *seeds: str) -> tuple[list[str], list[str]]:
    """What is admitted of a link on a page of the product, without its base; and the reasons."""
    scope = CrawlScope(seeds or (f"{base}/",), source_type=kind)
    made = select_links([(base + link, False)], f"{base}/page", scope, 1)
    return [url.removeprefix(base) for url in made.admitted], list(made.refused)


@pytest.mark.parametrize(
    ("link", "as_spelled"),
    [
        ("/browse/ACME-1", "/browse/ACME-1"),
        ("/browse/ACME-1?focusedCommentId=7&page=com.atlassian.jira:comment-tabpanel#comment-7",
         "/browse/ACME-1"),
        ("/browse/ACME-1?jql=project%20%3D%20ACME%20ORDER%20BY%20key", "/browse/ACME-1"),
        ("/projects/ACME/issues/ACME-1?filter=allopenissues", "/browse/ACME-1"),
        ("/projects/ACME/queues/3/ACME-1", "/browse/ACME-1"),
        ("/secure/ViewIssue.jspa?key=ACME-1", "/browse/ACME-1"),
        ("/secure/RapidBoard.jspa?rapidView=2&selectedIssue=ACME-1", "/browse/ACME-1"),
        ("/browse/ACME", "/browse/ACME"),
        ("/projects", "/projects"),
        ("/projects/EDIT/summary", "/projects/EDIT/summary"),
        ("/projects/ACME/issues?startIndex=50", "/projects/ACME/issues?startIndex=50"),
        ("/projects/ACME/issues?startIndex=0", "/projects/ACME/issues"),
        ("/projects/ACME/versions/10001", "/projects/ACME/versions/10001"),
        ("/secure/BrowseProjects.jspa", "/secure/BrowseProjects.jspa"),
        ("/secure/Dashboard.jspa", "/secure/Dashboard.jspa"),
        ("/rest/api/2/issue/ACME-1", "/rest/api/2/issue/ACME-1"),
    ],
)  # fmt: skip
def test_a_page_of_jira_has_one_spelling(link: str, as_spelled: str) -> None:
    assert choice("jira", JIRA, link) == ([as_spelled], [])


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("/issues/?jql=project+%3D+ACME", "view"),
        ("/issues/?filter=10001", "view"),
        ("/projects/ACME/issues?orderBy=created", "view"),
        ("/projects/ACME/issues?startIndex=x", "view"),
        ("/projects/ACME?selectedItem=com.atlassian.jira.jira-projects-plugin:report-page", "view"),
        ("/projects/ACME/reports", "view"),
        ("/browse/ACME?selectedTab=changelog", "view"),
        ("/secure/Dashboard.jspa?selectPageId=10100", "view"),
        ("/secure/IssueNavigator.jspa?mode=hide&sorter/field=priority&sorter/order=ASC", "view"),
        ("/secure/RapidBoard.jspa?rapidView=2", "view"),
        ("/secure/ConfigureReport.jspa?reportKey=x", "view"),
        ("/secure/ViewProfile.jspa?name=ann", "view"),
        ("/si/jira.issueviews:issue-html/ACME-1/ACME-1.html", "view"),
        ("/sr/jira.issueviews:searchrequest-printable/10001/x.html", "view"),
        ("/activity?maxResults=10", "view"),
        ("/rest/api/2/search?jql=project=ACME", "view"),
        ("/logout", "action"),
        ("/secure/Logout!default.jspa", "action"),
        ("/secure/Logout.jspa?atl_token=A", "action"),
        ("/secure/EditIssue!default.jspa?id=1", "action"),
        ("/secure/DeleteIssue!default.jspa?id=1", "action"),
        ("/secure/CreateIssue.jspa", "action"),
        ("/secure/WorkflowUIDispatcher.jspa?id=1&action=5", "action"),
        ("/secure/VoteOrWatchIssue.jspa?id=1&watch=watch", "action"),
        ("/secure/CloneIssueDetails!default.jspa?id=1", "action"),
        ("/secure/admin/ViewApplicationProperties.jspa", "action"),
        ("/secure/attachment/10000/trace.log", "asset"),
        ("/login.jsp?os_destination=%2Fbrowse%2FACME-1", "source"),
        ("/plugins/servlet/gadgets", "source"),
        ("/../other/browse/ACME-1", "source"),
    ],
)
def test_jira_links_are_refused_by_reason(link: str, reason: str) -> None:
    assert choice("jira", JIRA, link) == ([], [reason])


@pytest.mark.parametrize(
    ("link", "as_spelled"),
    [
        ("/display/TEAM", "/display/TEAM"),
        ("/display/TEAM/Edit+the+plan?focusedCommentId=9#comment-9", "/display/TEAM/Edit+the+plan"),
        ("/display/TEAM/2026/05/01/News", "/display/TEAM/2026/05/01/News"),
        ("/display/~ann/Notes", "/display/~ann/Notes"),
        ("/pages/viewpage.action?pageId=12&src=contextnavpagetreemode",
         "/pages/viewpage.action?pageId=12"),
        ("/pages/viewpage.action?spaceKey=TEAM&title=Release%20plan", "/display/TEAM/Release+plan"),
        ("/spaces/viewspace.action?key=TEAM", "/display/TEAM"),
        ("/spaces/TEAM/pages/12/Release+plan?src=search", "/spaces/TEAM/pages/12/Release+plan"),
        ("/spaces/TEAM/overview?homepageId=1", "/spaces/TEAM/overview"),
        ("/spaces/COPY", "/spaces/COPY"),
        ("/pages/listpages.action?key=TEAM", "/pages/listpages.action?key=TEAM"),
        ("/rest/api/content/12", "/rest/api/content/12"),
    ],
)  # fmt: skip
def test_a_page_of_confluence_has_one_spelling(link: str, as_spelled: str) -> None:
    assert choice("confluence", WIKI, link) == ([as_spelled], [])


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("/display/TEAM/2026/05", "view"),
        ("/display/TEAM/2026/05/01", "view"),
        ("/pages/viewpreviousversions.action?pageId=12", "view"),
        ("/pages/diffpagesbyversion.action?pageId=12&selectedPageVersions=1", "view"),
        ("/pages/viewinfo.action?pageId=12", "view"),
        ("/pages/viewpageattachments.action?pageId=12&sortBy=date", "view"),
        ("/pages/listpages-alphaview.action?key=TEAM&startsWith=a", "view"),
        ("/pages/recentlyupdated.action?key=TEAM", "view"),
        ("/spaces/TEAM/calendars", "view"),
        ("/spaces/flyingpdf/pdfpageexport.action?pageId=12", "view"),
        ("/exportword?pageId=12", "view"),
        ("/dosearchsite.action?queryString=x", "view"),
        ("/label/TEAM/x", "view"),
        ("/calendar/mycalendar.action", "view"),
        ("/rest/api/content?start=25", "view"),
        ("/logout.action", "action"),
        ("/pages/editpage.action?pageId=12", "action"),
        ("/pages/createpage.action?spaceKey=TEAM", "action"),
        ("/pages/removepage.action?pageId=12", "action"),
        ("/pages/doremovepage.action?pageId=12", "action"),
        ("/pages/copypage.action?idOfPageToCopy=12", "action"),
        ("/pages/revertpagebacktoversion.action?pageId=12&version=1", "action"),
        ("/pages/resumedraft.action?draftId=1", "action"),
        ("/spaces/TEAM/pages/edit-v2/12", "action"),
        ("/pages/viewinfo.action?pageId=12&atl_token=A", "action"),
        ("/download/attachments/12/plan.docx?version=1", "asset"),
        ("/login.action?os_destination=%2F", "source"),
        ("/plugins/servlet/mobile", "source"),
    ],
)
def test_confluence_links_are_refused_by_reason(link: str, reason: str) -> None:
    assert choice("confluence", WIKI, link) == ([], [reason])


@pytest.mark.parametrize(
    ("kind", "seed", "link", "admitted"),
    [
        ("jira", f"{CLOUD}/jira/software/projects/ACME/boards/1", "/browse/ACME-2", True),
        ("jira", CLOUD, "/jira/software/c/projects/ACME/issues/ACME-2", True),
        ("jira", CLOUD, "/wiki/spaces/TEAM/overview", False),
        ("confluence", f"{CLOUD}/wiki/spaces/TEAM/overview", "/wiki/spaces/TEAM/pages/1/A", True),
        ("confluence", f"{CLOUD}/wiki/", "/wiki/spaces/TEAM/pages/edit-v2/1", False),
        ("confluence", f"{CLOUD}/wiki/", "/browse/ACME-1", False),
    ],
)
def test_the_base_of_a_cloud_site_is_its_root(
    kind: str, seed: str, link: str, *, admitted: bool
) -> None:
    assert bool(choice(kind, CLOUD, link, seed)[0]) is admitted


@pytest.mark.parametrize(
    "seed",
    [JIRA, f"{JIRA}/", f"{JIRA}/browse/ACME-1", f"{JIRA}/secure/Dashboard.jspa",
     f"{JIRA}/projects/ACME/summary", f"{JIRA}/issues/?jql=x"],
)  # fmt: skip
def test_any_seed_tells_the_context_path(seed: str) -> None:
    scope = CrawlScope((seed,), source_type="jira")
    assert scope.refusal(f"{JIRA}/browse/ACME-2", 1) is None
    assert scope.refusal("https://work.example.org/browse/ACME-2", 1) == "source"


def test_a_filter_named_as_a_seed_is_collected_with_its_further_pages_only() -> None:
    seed = f"{JIRA}/issues/?jql=project%3DACME"
    scope = CrawlScope((seed,), source_type="jira")
    assert scope.refusal(seed, 0) is None
    assert scope.refusal(f"{seed}&startIndex=50", 1) is None
    assert scope.refusal(f"{JIRA}/issues/?startIndex=50&jql=project%3DACME", 1) is None
    assert scope.refusal(f"{seed}%20order%20by%20key", 1) == "view"


def test_an_include_brings_back_no_view_and_nothing_acts_even_as_a_seed() -> None:
    out = f"{JIRA}/secure/DeleteIssue!default.jspa?id=1"
    scope = CrawlScope((f"{JIRA}/", out), include=("/jira/*",), source_type="jira")
    assert scope.refusal(f"{JIRA}/issues/?jql=x", 1) == "view"
    assert scope.refusal(out, 0) == "action"


def test_seeds_are_spelled_as_their_pages() -> None:
    scope = CrawlScope((f"{JIRA}/browse/ACME-1?focusedCommentId=1",), source_type="jira")
    assert scope.seeds == (f"{JIRA}/browse/ACME-1",)
