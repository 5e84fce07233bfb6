"""Which elements are a site's furniture rather than a page's content.

Judged from one start tag alone: navigation, breadcrumbs, edit links, permalinks, banners, hidden
elements. Names are compared whole (`share` does not match `market-share`), and what is only
probably furniture is kept: losing text is worse than a line too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from quaero.crawl.name_sets import names

DROPPED_TAGS = names(
    "audio canvas datalist embed head iframe link meta nav noembed noframes noscript object"
    " rp script select style svg template textarea title video"
)

_ROLES = names(
    "alertdialog banner contentinfo dialog menu menubar navigation search toolbar tooltip"
)

_CLASSES = names(
    # reading aids that are not seen
    "sr-only visually-hidden visuallyhidden screen-reader-text skip-link skiplink skip-to-content"
    " skip-nav mw-jump-link show-for-sr"
    # permalinks, source and edit links
    " headerlink hash-link header-anchor heading-anchor heading-link anchor-link anchorjs-link"
    " octicon-link zeroclipboard-container mw-editsection viewcode-link viewcode-back edit-page"
    " edit-this-page theme-edit-this-page edit-page-link edit-link edit-on-github"
    " md-content__button btn-clipboard copybtn copy-button copy-btn clipboard-copy code-copy"
    " toolbar-item toolbar_item github-edit page-actions link-seesrc srclink sub-logo-container"
    " method-click-advice section-click-top"
    # where one is and where one can go
    " breadcrumb breadcrumbs wy-breadcrumbs theme-doc-breadcrumbs breadcrumb-nav sphinxsidebar"
    " sphinxsidebarwrapper bd-toc bd-sidebar bd-sidebar-primary bd-sidebar-secondary sidebar-toc"
    " md-sidebar md-nav wy-nav-side wy-nav-top rst-footer-buttons rst-versions navheader navfooter"
    " prev-next-area prev-next-footer pagination pagination-nav paginator pager nav-wrapper"
    " nav-chapters mobile-nav-chapters navbar navbar-nav topNav bottomNav subNav subNavList"
    " top-nav sub-nav navbox vertical-navbox catlinks mw-indicators printfooter noprint"
    " page-metadata-breadcrumbs theme-doc-toc-mobile theme-doc-toc-desktop table-of-contents-nav"
    " bread-crumbs aui-nav-breadcrumbs mw-cite-backlink"
    " sidebar-nav side-nav sidenav sidebar-nav-fixed nav-menu menu-bar menubar navigationbar"
    " navpath nav-panel nav-bar top-link nav_table spirit-nav t-navbar toplang bottomlang"
    " chlinktop chlinkbot chlinkprevnexttop chlinkprevnextbot"
    # banners, sharing, feedback
    " cookie-banner cookie-notice cookie-consent cookie-bar cookiebanner cookieconsent cc-window"
    " cc-banner gdpr-banner consent-banner share-buttons sharing-buttons social-share addtoany"
    " social-links sharedaddy feedback-widget page-feedback was-this-helpful newsletter-signup"
    " advertisement adsbygoogle"
    # Confluence and Jira
    " likes-and-labels-container aui-toolbar2 ops-menus toggle-title-icon hidden-parameters"
    " issue-link-summary-icon page-metadata-banner rendericon collapse-source"
    " collapse-spinner-wrapper expand-control-icon expand-control-image tableFloatingHeader"
    # line numbers beside code
    " linenos lineno linenodiv line-numbers-rows blob-num js-line-number"
    " linenumber react-syntax-highlighter-line-number hljs-ln-numbers hljs-ln-n rouge-gutter"
    " source-line-no"
    # what is shown when the pointer is over a name, or until a formula is set
    " ttc MathJax_Preview"
)

_IDS = names(
    "skip-link skip-nav breadcrumbs breadcrumb-section breadcrumb-nav cookie-banner cookie-notice"
    " cookie-consent cookieConsent onetrust-consent-sdk CybotCookiebotDialog siteSub contentSub"
    " jump-to-nav catlinks mw-navigation mw-head mw-panel footer site-footer page-footer"
    " site-header navbar top-nav sphinxsidebar likes-and-labels-container global-nav titlearea"
    " nav-path main-nav nav-tree package-header mathjaxlink toggle-all-docs"
    " stalker opsbar-opsbar-operations sidebar-container"
)

# Names that are furniture on these elements only.
_ON_TAG = {
    "a": frozenset({"src"}),
    "td": frozenset({"gutter"}),
    "th": frozenset({"gutter"}),
    "pre": frozenset({"lineno", "gutter"}),
    "div": frozenset({"related", "line-numbers", "navigation", "nav", "ingroups", "topbar"}),
    "table": frozenset({"navigation", "header"}),
    "address": frozenset({"footer"}),
    "span": frozenset({"aui-icon", "line-number", "ln", "lnt", "permalink"}),
    "button": frozenset({"anchor"}),
}

_ASIDES = names(
    "toc sidebar-nav related related-posts share sharing social nav navigation menu promo ad ads"
    " advertisement newsletter secondary widget widget-area table-of-contents md-sidebar"
)
_BUTTON_WORDS = ("copy", "clipboard", "close", "menu", "theme", "share", "feedback", "edit", "nav")

# A hidden part with one of these in its name still holds content: a click would show it, or it is
# the text behind a picture of a formula.
_REVEALED = ("tab", "panel", "collaps", "accordion", "expand", "mathml")


def is_chrome(
    name: str, attributes: Mapping[str, str], classes: AbstractSet[str], *, in_code: bool = False
) -> bool:
    """Say whether the element with this start tag is furniture, to be dropped with all in it.

    Inside code (`in_code`) only what is hidden, a button or a line number is.
    """
    if name in DROPPED_TAGS or (classes and not classes.isdisjoint(_CLASSES)):
        return True
    if not attributes:
        return name == "dialog" and not in_code
    if name in _ON_TAG and not classes.isdisjoint(_ON_TAG[name]):
        return True
    if _is_hidden(attributes, name):
        return True
    if in_code:
        return False
    if attributes.get("role") in _ROLES or attributes.get("id") in _IDS:
        return True
    return _is_by_kind(name, attributes, classes)


def _is_by_kind(name: str, attributes: Mapping[str, str], classes: AbstractSet[str]) -> bool:
    if name == "aside":
        return attributes.get("id") in _ASIDES or not classes.isdisjoint(_ASIDES)
    if name == "button":
        said = " ".join((*classes, attributes.get("aria-label", ""), attributes.get("title", "")))
        return attributes.get("type") in {"submit", "reset"} or any(
            word in said.lower() for word in _BUTTON_WORDS
        )
    return name == "dialog" and "open" not in attributes


def _is_hidden(attributes: Mapping[str, str], name: str) -> bool:
    style = attributes.get("style", "")
    hidden = (
        attributes.get("aria-hidden") == "true"
        or ("hidden" in attributes and attributes["hidden"] != "until-found")
        or ("display" in style and "display:none" in style.replace(" ", "").lower())
    )
    if not hidden or name == "details":
        return False
    said = attributes.get("class", "") + attributes.get("role", "") + attributes.get("id", "")
    return not any(word in said.lower() for word in _REVEALED)
