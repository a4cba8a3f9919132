"""Debian's Chromium, driven by Playwright: opened, and its pages found by name.

Playwright brings no browser here; REKINDLE_CHROMIUM names another one than /usr/bin/chromium.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PAGES = {
    "overview": "Overview",
    "predict": "Predict",
    "history": "History",
    "labelling": "Labelling",
    "data": "Data",
    "training": "Training",
    "versions": "Versions",
    "insights": "Insights",
    "loadtests": "Load tests",
    "access": "Access",
}
"""The word in the address → the heading."""
SETTLED_MS = 60_000
WIDE = (1360, 900)
PHONE = (390, 844)


def executable() -> Path | None:
    """The browser, or None where there is none."""
    named = os.environ.get("REKINDLE_CHROMIUM") or shutil.which("chromium")
    return Path(named) if named else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser without a window. Its sandbox needs more than a container gives to root."""
    found = executable()
    if found is None:
        raise SystemExit("there is no chromium; apt-get install chromium, or name one in REKINDLE_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page of the dashboard, and what went wrong in it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, uncaught ones, and requests to other origins."""

    def open(self, name: str) -> None:
        """One page by its word, with all that it shows."""
        self.page.goto(f"{self.url}/#/{name}")
        self.settle(name)

    def settle(self, name: str) -> None:
        """Wait until the page has what it shows."""
        heading = PAGES[name.partition("?")[0]]
        self.page.get_by_role("heading", level=1, name=heading).wait_for()
        expect(self.page.locator(".skeleton")).to_have_count(0, timeout=SETTLED_MS)


def visit(context: BrowserContext, url: str) -> Visit:
    """A new tab that notes every complaint."""
    page = context.new_page()
    seen = Visit(page, url)
    page.on("pageerror", lambda error: seen.complaints.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("request", lambda asked: _note_foreign(seen, asked.url))
    return seen


def _note_foreign(seen: Visit, address: str) -> None:
    if not address.startswith((seen.url + "/", "data:", "blob:" + seen.url)):
        seen.complaints.append(f"a request to another origin: {address}")


@contextmanager
def tab(
    browser: Browser,
    url: str,
    *,
    scheme: str = "light",
    size: tuple[int, int] = WIDE,
    bypass_csp: bool = False,
) -> Iterator[Visit]:
    """A tab of its own, as a person with these settings has it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=bypass_csp,
        reduced_motion="reduce",
    )
    try:
        yield visit(context, url)
    finally:
        context.close()
