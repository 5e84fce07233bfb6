"""What the readers of a tree ask of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode


def link_length(node: LexborNode) -> int:
    """Count the characters of the text of links."""
    return sum(len(link.text(strip=True)) for link in node.css("a"))


def children(node: LexborNode) -> Iterator[LexborNode]:
    """Go through the elements directly in a part; the one just given may be taken out."""
    child = node.first_child
    while child is not None:
        following = child.next
        if child.is_element_node:
            yield child
        child = following
