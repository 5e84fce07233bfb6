"""Collected pages: kept as Markdown with their versions, found by words, taken out and in."""

from quaero.documents.model import DetailLevel, Document, Filter, NewDocument, Outcome, Saved

__all__ = ["DetailLevel", "Document", "Filter", "NewDocument", "Outcome", "Saved"]
