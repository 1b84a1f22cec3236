"""A real browser that looks at a real daemon's pages, and what it complains of.

Goes in: a page's address. Comes out: the page, and every error that its console told. What never happens here: a
network beyond this computer.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from testbed.waiting import wait_until

ALONE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
GRAVE = frozenset({"serious", "critical"})
_PATIENCE_MS = 30_000


@dataclass(slots=True)
class Looking:
    """One tab, and what went wrong in it."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def at(self, address: str) -> Page:
        """Go there."""
        self.page.goto(address, wait_until="load")
        return self.page

    def is_too_wide(self) -> bool:
        """Whether the page as a whole scrolls sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def barriers(self) -> list[str]:
        """What keeps people from using it, by axe: only what is serious."""
        found: dict[str, Any] = Axe().run(self.page).response
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:120]}"
            for each in found["violations"]
            if each["impact"] in GRAVE
        ]

    def wait_for(self, selector: str, words: str, seconds: float = 30.0) -> str:
        """The text of that element once these words are in it; the page's policy lets nothing be evaluated there."""
        wait_until(
            lambda: re.search(words, self.page.inner_text(selector), re.IGNORECASE),
            seconds,
            f"{words!r} in {selector}",
        )
        return self.page.inner_text(selector)


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    assert program, "the browser tests need Debian's chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(ALONE))
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def looking(opened: Browser, *, width: int = 1400, theme: str = "light") -> Iterator[Looking]:
    """A tab of its own, with nothing remembered."""
    context = opened.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type] # a word of two
    context.set_default_timeout(_PATIENCE_MS)
    tab = Looking(context.new_page())
    tab.page.on("console", lambda said: tab.errors.append(said.text) if said.type == "error" else None)
    tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
    try:
        yield tab
    finally:
        context.close()
