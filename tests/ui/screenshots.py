"""Every page at 1440 and 390 pixels, light and dark, of a server with the sample site crawled.

`python -m tests.ui.screenshots [FOLDER]` writes them, as `page-width-theme.png`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright
from tests.ui.browser import executable
from tests.ui.server import Server, sample_site

from quaero.workflows.writing import write

WIDTHS = (1440, 390)
THEMES = ("light", "dark")
LONGEST = 60
PAGES = {
    "dashboard": "/",
    "queue": "/queue",
    "queue-open": "/queue?open=1",
    "queue-empty": "/queue?status=cancelled",
    "queue-log": "/queue?logs=1",
    "dead": "/queue/dead",
    "workers": "/queue/workers",
    "job": "/jobs/1",
    "job-children": "/jobs/1?tab=children",
    "job-tree": "/jobs/1?tab=children&view=tree",
    "job-log": "/jobs/1?tab=logs",
    "job-data": "/jobs/1?tab=data",
    "job-api": "/jobs/1?tab=api",
    "workflows": "/workflows",
    "workflow": "/workflows/weekly",
    "workflow-runs": "/workflows/weekly?tab=runs",
    "workflow-edit": "/workflows/weekly?tab=edit",
    "workflow-wrong": "/workflows/weekly?tab=edit#wrong",
    "run": "/jobs/{run}",
    "schedules": "/schedules",
    "documents": "/documents",
    "search": "/documents?q=table",
    "document": "/documents/1",
    "sources": "/sources",
    "source-edit": "/sources?edit=2",
    "source-new": "/sources?edit=new",
    "system": "/system",
    "system-log": "/system/log",
    "api": "/api/docs",
    "missing": "/jobs/999999",
}

NIGHTLY: dict[str, Any] = {
    "id": "nightly",
    "name": "Every night",
    "schedule": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "steps": [{"name": "tidy", "action": "cleanup", "config": {"dry_run": True}}],
}
WEEKLY: dict[str, Any] = {
    "id": "weekly",
    "name": "Refresh of the handbook",
    "description": "Collects the handbook anew and tidies up after it.",
    "tags": ["handbook"],
    "parameters": {
        "days": {"type": "integer", "default": 30, "description": "What is older is removed."}
    },
    "schedule": {"cron": "0 4 * * 0"},
    "pre_jobs": [{"name": "room", "action": "cleanup", "config": {"dry_run": True}}],
    "steps": [
        {"name": "pages", "action": "cleanup", "config": {"dry_run": True}},
        {"name": "issues", "action": "cleanup", "config": {"dry_run": True}},
        {
            "name": "old_ones",
            "action": "cleanup",
            "config": {"age_threshold_days": "{{ parameters.days }}", "dry_run": True},
            "depends_on": ["pages"],
        },
        {
            "name": "in_a_leap_year",
            "action": "cleanup",
            "depends_on": ["pages", "issues"],
            "condition": "parameters.days > 365",
        },
        {
            "name": "report",
            "action": "cleanup",
            "depends_on": ["old_ones", "in_a_leap_year"],
            "condition": "steps.old_ones.result.nothing_like_that",
        },
        {"name": "tell", "action": "cleanup", "depends_on": ["report"]},
    ],
    "post_jobs": [{"name": "afterwards", "action": "cleanup", "config": {"dry_run": True}}],
}


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sample_site() as site:
        server = Server(Path(data) / "quaero")
        server.start()
        try:
            crawl(server.url, site)
            make_sources(server.url, site, Path(data))
            take(server.url, folder, run=run_workflow(server.url))
        finally:
            server.stop()
    print(f"{len(PAGES) * len(WIDTHS) * len(THEMES)} screenshots are in {folder}")


def crawl(url: str, site: str) -> None:
    """Crawl the sample site to its end."""
    job = send(f"{url}/api/jobs", {"type": "crawler", "payload": {"seeds": [site]}})
    wait(url, job["id"])


def run_workflow(url: str) -> int:
    """Store two workflows, and run one that fails in the middle; returns the run's id."""
    for each in (NIGHTLY, WEEKLY):
        send(f"{url}/api/definitions", write(each, "toml"))
    for _ in range(4):
        wait(url, send(f"{url}/api/definitions/nightly/execute", {})["id"])
    run = send(f"{url}/api/definitions/weekly/execute", {})["id"]
    wait(url, run)
    return int(run)


def send(url: str, value: Any) -> Any:
    """Post a value as JSON, or a text as TOML; returns what is answered."""
    kind = "toml" if isinstance(value, str) else "json"
    body = (value if isinstance(value, str) else json.dumps(value)).encode()
    request = urllib.request.Request(url, body, {"Content-Type": f"application/{kind}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def wait(url: str, job_id: int) -> None:
    """Wait for the end of a job."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{url}/api/jobs/{job_id}") as answer:
            if json.load(answer)["completed_at"]:
                return
        time.sleep(0.2)


def make_sources(url: str, site: str, folder: Path) -> None:
    """One source of every health: collected, broken, with patterns, a folder, not yet run."""
    notes = folder / "notes"
    notes.mkdir()
    (notes / "tides.md").write_text("# Tides\n\nHigh water.", encoding="utf-8")
    sources: list[dict[str, object]] = [
        {"name": "handbook", "base_url": site, "tags": ["guide", "harbour"]},
        {
            "name": "archive",
            "base_url": f"{site}?all",
            "settings": {"include": ["/guide/*"], "exclude": ["*"], "max_pages": 200},
        },
        {"name": "intranet", "base_url": "http://127.0.0.1:9/wiki/", "kind": "confluence"},
        {"name": "notes", "base_url": str(notes), "kind": "folder"},
        {"name": "tracker", "base_url": "https://jira.example.org/", "kind": "jira"},
    ]
    for number, source in enumerate(sources, 1):
        send(f"{url}/api/sources", source)
        if source["name"] != "tracker":
            job = send(f"{url}/api/sources/{number}/collect", {})["job"]
            wait(url, job["id"])


def take(url: str, folder: Path, **values: int) -> None:
    """Open each page in each width and theme, and keep what it shows."""
    arguments = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=arguments)
        for width in WIDTHS:
            for theme in THEMES:
                context = browser.new_context(
                    base_url=url,
                    locale="en-US",
                    color_scheme=theme,
                    viewport={"width": width, "height": 900},
                )
                page = context.new_page()
                for name, path in PAGES.items():
                    show(page, path.format(**values))
                    if name.endswith("-wrong"):
                        break_it(page)
                    page.screenshot(path=folder / f"{name}-{width}-{theme}.png")
                context.close()
        browser.close()


def break_it(page: Page) -> None:
    """Write something wrong into the text of the editor."""
    area = page.locator(".code-area")
    area.fill(area.input_value().replace('depends_on = ["pages"]', 'depends_on = ["page"]'))
    expect(page.locator(".faults li")).to_have_count(1)
    page.locator(".flow-step.is-wrong summary").first.click()


def show(page: Page, path: str) -> None:
    """Open a page and wait until it is live and has asked for all it shows."""
    page.goto(path)
    page.wait_for_selector("html[data-ready]")
    expect(page.locator(".connection")).to_have_text("Live", timeout=LONGEST * 1000)
    page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
