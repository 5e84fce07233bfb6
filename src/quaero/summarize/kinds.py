"""The job types that summarise, as processes know them that run no jobs."""

from __future__ import annotations

from quaero.summarize.payloads import CorpusSummary, Summarizer
from quaero.work.registry import JobType

LONGEST = 6 * 3_600.0
SUMMARIZER = JobType("summarizer", Summarizer, timeout=LONGEST)
CORPUS = JobType("corpus_summary", CorpusSummary, timeout=LONGEST)
