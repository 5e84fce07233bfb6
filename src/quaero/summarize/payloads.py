"""What the jobs that summarise are told; by which words any job may name documents."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LARGEST_ID = 2**63 - 1
MOST_IDS = 10_000

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Word = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S")]
Maker = Literal["default", "extractive"]


class Chosen(BaseModel):
    """Which documents: those that fit all that is named, and are not gone.

    `source` is the name or id of a source, `query` what a search takes; `root_id` names what a
    crawl saw last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[int, Field(ge=0, le=LARGEST_ID)] | Word | None = None
    site: Word | None = None
    tag: Word | None = None
    query: Word | None = None
    root_id: Id | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything is named."""
        named = (self.source, self.site, self.tag, self.query, self.root_id)
        return any(each is not None for each in named)


class Named(Chosen):
    """Which documents: those with `document_ids`, or those chosen; all where nothing is named."""

    document_ids: Annotated[list[Id] | None, Field(min_length=1, max_length=MOST_IDS)] = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if self.document_ids is not None and self.narrowed:
            raise ValueError("document_ids stands alone; leave the others out")
        return self


class Summarizer(Named):
    """Summarise documents, or find their keywords: those with `document_ids`, or those chosen.

    `scan` only counts what would be done. What was done before to the same text by the same maker
    is not done again. `model` is what the settings name (`default`), or `extractive`: the text's
    own best sentences, without any model. `batch_size` documents are one job, by default as many
    as the settings say.
    """

    action: Literal["scan", "summarize", "extract_keywords"] = "summarize"
    batch_size: Annotated[int | None, Field(ge=1, le=1_000)] = None
    model: Maker = "default"
    again: bool = False


class CorpusSummary(Chosen):
    """Summarise many documents together: those chosen, else those of the job's own tree.

    At most `max_documents`, the oldest first. Each is summarised by itself first, where that was
    not done before; the result holds the summary of all and keywords.
    """

    max_documents: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    sentences: Annotated[int, Field(ge=1, le=50)] = 8
    model: Maker = "default"
