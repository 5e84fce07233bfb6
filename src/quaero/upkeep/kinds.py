"""The job type `transform`, as processes know it that run no jobs."""

from __future__ import annotations

from quaero.summarize.payloads import Named
from quaero.work.registry import JobType


class Transform(Named):
    """Read documents again from the bodies that are kept of them, as this program reads pages now.

    Those with `document_ids`, or those that fit all else that is named, and are not gone; all where
    nothing is. Nothing is fetched. With `dry_run` it is only counted what would change.
    """

    dry_run: bool = False


TRANSFORM = JobType("transform", Transform, timeout=6 * 3_600.0)
