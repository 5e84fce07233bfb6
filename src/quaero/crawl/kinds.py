"""The job types of a crawl, as processes know them that run no jobs: names, payloads and times."""

from __future__ import annotations

from quaero.crawl.payloads import Crawl, CrawlPage
from quaero.work.registry import JobType

CRAWLER = JobType("crawler", Crawl)
PAGE = JobType("crawler_url", CrawlPage, timeout=180.0, part_of=CRAWLER.name)
