"""The document that a page becomes, when it is fetched and when it is read again."""

from __future__ import annotations

from quaero.crawl.extract import Page
from quaero.documents.model import NewDocument
from quaero.documents.references import Reference


def document_of(
    page: Page,
    references: tuple[Reference, ...],
    *,
    url: str,
    source_id: int,
    source_type: str,
    entity_type: str,
    canonical: str | None,
) -> NewDocument:
    """All that the page itself says.

    `entity_type` and `canonical` stand in where it does not say what it is about, and what its
    canonical address is.
    """
    return NewDocument(
        url=url,
        title=page.title,
        text=page.markdown,
        content_hash=page.content_hash,
        source_id=source_id,
        source_type=source_type,
        entity_type=page.entity or entity_type,
        words=page.words,
        description=page.description,
        language=page.language,
        author=page.author,
        published=page.published,
        modified=page.modified,
        references=references,
        metadata={
            "canonical": page.canonical or canonical,
            "headings": page.headings,
            "open_graph": page.open_graph,
            "json_ld": page.json_ld,
            **page.fields,
        },
    )
