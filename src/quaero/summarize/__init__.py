"""Summaries and keywords of documents: without any model, or by one that the user has chosen."""
