"""The job types that summarise, as processes know them that run no jobs."""

from __future__ import annotations

from quaero.errors import HttpStatus, Permanent
from quaero.summarize.payloads import CorpusSummary, Summarizer
from quaero.work.registry import JobType

LONGEST = 6 * 3_600.0
_OF_ONE_DOCUMENT = {400, 413, 422}
"""Statuses by which a model's server refuses one text, too long for it perhaps, and not us."""
SUMMARIZER = JobType("summarizer", Summarizer, timeout=LONGEST)
CORPUS = JobType("corpus_summary", CorpusSummary, timeout=LONGEST)


def of_one_document(error: Permanent) -> bool:
    """Whether others may go well where one document failed for good."""
    return not isinstance(error, HttpStatus) or error.code in _OF_ONE_DOCUMENT
