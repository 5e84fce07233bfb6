"""The language of a code block, as the page's highlighter names it in the markup."""

from __future__ import annotations

import re
from collections.abc import Mapping

from quaero.crawl.name_sets import names

# Sphinx and GitHub (highlight-…), Jupyter (highlight hl-…), Prism, highlight.js and CommonMark
# (language-…, lang-…), MediaWiki, SyntaxHighlighter and Confluence (brush: …).
_CLASS = re.compile(
    r"(?:^|\s)(?:language-|lang-|highlight-source-|highlight-text-|highlight-|highlight hl-"
    r"|mw-highlight-lang-|brush:\s*)([A-Za-z0-9][\w+#.-]*)"
)
_SECOND = re.compile(r"(?:^|\s)(?:sourceCode|hljs|src)\s+([a-z][\w+#-]*)")
_JIRA = re.compile(r"(?:^|\s)code-([a-z][\w+#-]*)")
_BRUSH = re.compile(r"brush:\s*([\w+#-]+)")

# Names that say by themselves what a block of code is (rustdoc, older highlighters).
_BARE = names(
    "bash cpp css go haskell html java javascript json kotlin lua mermaid perl php python ruby rust"
    " scala sql swift typescript xml yaml"
)
_NO_LANGUAGE = names(
    "text txt plain plaintext none nohighlight no-highlight default undefined literal output auto"
    " block container wrapper code language line lines numbers rust-example-rendered"
    " plaintext-rouge wrap"
)
_SAME = {
    "python3": "python",
    "ipython3": "python",
    "pycon3": "pycon",
    "golang": "go",
    "c++": "cpp",
    "shell-session": "console",
}


def language_of(name: str, attributes: Mapping[str, str]) -> str:
    """Return the language that the start tag `name` with these attributes declares, or ""."""
    said = attributes.get("data-lang") or attributes.get("data-language")
    if not said:
        said = _from_parameters(attributes) or _from_class(name, attributes.get("class", ""))
    if not said:
        return ""
    said = said.lower().removeprefix("src-").removeprefix("source-")
    said = said if re.fullmatch(r"[\w+#.-]{1,40}", said) else ""
    return "" if said in _NO_LANGUAGE else _SAME.get(said, said)


def _from_parameters(attributes: Mapping[str, str]) -> str:
    found = _BRUSH.search(attributes.get("data-syntaxhighlighter-params", ""))
    return found[1] if found else ""


def _from_class(name: str, classes: str) -> str:
    if not classes:
        return ""
    found = _CLASS.search(classes)
    if found is None and name in {"pre", "code", "div"}:
        found = _SECOND.search(classes)
    if found is None and name == "pre":
        found = _JIRA.search(classes)
    if found is None and name == "div":
        return "mermaid" if "mermaid" in classes.split() else ""
    if found is None and name in {"pre", "code"}:
        return next((word for word in classes.split() if word in _BARE), "")
    return found[1] if found else ""
