"""A web site for tests: `quaero.site_server`, by the name under which tests know it."""

from quaero.site_server import HTML, Answer, Hit, Page, SiteServer, pages_of, redirect

__all__ = ["HTML", "Answer", "Hit", "Page", "SiteServer", "pages_of", "redirect"]
