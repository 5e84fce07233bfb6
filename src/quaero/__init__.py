"""Quaero collects the pages you may read into one local, searchable knowledge base."""

__version__ = "0.1.0"
