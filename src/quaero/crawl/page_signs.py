"""Signs that a page is not the content that was asked for.

A login form in its place, or an empty shell that scripts would fill. Both are told from the tree
and the text that was extracted, and both are careful: a page with something to read is neither.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

_LOGIN_WORDS = re.compile(
    r"log[\s_-]?[io]n|sign[\s_-]?in|auth|sso|session|anmeld|einloggen|connexion|acceder|iniciar"
    r"|logowanie|entrar|accedi|inloggen|password|passwort",
    re.IGNORECASE,
)
_MAX_LOGIN_WORDS = 150
_MAX_PLAIN_LOGIN_WORDS = 40
_MAX_WORDS_BESIDE_LOGIN = 10
_MAX_SHELL_WORDS = 25
_FURNITURE = frozenset({"header", "nav", "aside", "footer"})
_CONTENT = frozenset({"main", "article"})
_ROOTS = (
    "#root, #app, #__next, #__nuxt, #___gatsby, #svelte, #q-app, #app-root, #react-root, #main-app,"
    " #application, #mount, #ember-app, app-root, [ng-app], [data-reactroot], [ng-version],"
    " [data-server-rendered]"
)
_NEEDS_SCRIPT = re.compile(r"java\s?script", re.IGNORECASE)


def looks_like_login(tree: LexborHTMLParser, title: str, url: str, words: int) -> bool:
    """Say whether the page is a login form and little else.

    `words` is the number of words of the page's content. Forms that ask for a password twice
    (registration, change of password) are not meant, and neither is the login box that a short
    page has in its header or beside its text. A form that scripts send on to a login service (SAML
    2.0 Bindings, 3.5) is one without a password.
    """
    if words > _MAX_LOGIN_WORDS:
        return False
    fields = tree.css("input[type=password i]")
    if not fields:
        handed_on = tree.css_first("form input[type=hidden i][name=SAMLRequest]")
        return handed_on is not None and words <= _MAX_PLAIN_LOGIN_WORDS
    if len(fields) != 1 or (words > _MAX_WORDS_BESIDE_LOGIN and _is_beside(fields[0])):
        return False
    form = _form_of(fields[0])
    if form is None:
        return words <= _MAX_PLAIN_LOGIN_WORDS and bool(_LOGIN_WORDS.search(f"{title} {url}"))
    said = form.attributes
    hints = (title, url, said.get("action"), said.get("id"), said.get("name"), form.text())
    return words <= _MAX_PLAIN_LOGIN_WORDS or any(
        _LOGIN_WORDS.search(hint) for hint in hints if hint
    )


def is_login_address(url: str) -> bool:
    """Say whether an address is named like a login, so that a form there is what it is for."""
    return bool(_LOGIN_WORDS.search(url.partition("://")[2].partition("/")[2]))


def _form_of(node: LexborNode) -> LexborNode | None:
    above = node.parent
    while above is not None and above.tag != "form":
        above = above.parent
    return above


def _is_beside(node: LexborNode) -> bool:
    """Whether a page's header, footer or margin is nearer above a node than its content is."""
    above = node.parent
    while above is not None and above.tag not in _FURNITURE | _CONTENT:
        above = above.parent
    return above is not None and above.tag in _FURNITURE


def is_empty_shell(tree: LexborHTMLParser, words: int) -> bool:
    """Say whether the page shows nearly nothing until scripts have run.

    It has scripts, hardly a word, nothing else to show (form, frame, refresh, image), and either
    an element that applications fill, or asks for JavaScript.
    """
    if words > _MAX_SHELL_WORDS or not tree.css("script"):
        return False
    if tree.css_first("input[type=password i], iframe, frame, meta[http-equiv=refresh i], img"):
        return False
    if any(_NEEDS_SCRIPT.search(node.text()) for node in tree.css("noscript")):
        return True
    root = tree.css_first(_ROOTS)
    if root is not None:
        return len(root.text(strip=True)) < _MAX_SHELL_WORDS * 8
    return words == 0 and tree.css_first("script[src]") is not None
