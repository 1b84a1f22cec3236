"""Somebody at a browser: opens pages of a daemon, and keeps a list of all that the browser complained of.

In go a browser and what is shown, out come pages. What never happens here: a judgement on a page; tests make those.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

from testbed.waiting import wait_until
from tests.browser.shown import Shown

WIDE, NARROW = 1400, 360
DEADLINE_MS = 15_000.0


class Visitor:
    """With tabs, each in a context of its own: nothing is remembered from one to another."""

    def __init__(self, browser: Browser, shown: Shown) -> None:
        self._browser, self._shown = browser, shown
        self._open: list[Page] = []
        self._excused: list[str] = []
        self.complaints: list[str] = []
        """Errors on the console, exceptions of scripts, requests that failed, answers above 399."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the tabs. What the browser complained of without being asked about is a failure."""
        complaints = list(self.complaints)  # a closed tab ends its requests
        for page in self._open:
            page.context.close()
        if error is None:
            left = [each for each in complaints if not any(words in each for words in self._excused)]
            never = [words for words in self._excused if not any(words in each for each in complaints)]
            if left or never:
                raise AssertionError(f"the browser complained: {left}; and never as it was meant to: {never}")

    def look_at(
        self, path: str, *, width: int = WIDE, height: int = 900, theme: str = "light", **context: Any
    ) -> Page:
        """A page in a tab of its own; with scripts it has been told of a tick already."""
        page = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **context
        ).new_page()
        page.set_default_timeout(DEADLINE_MS)
        self._open.append(page)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.goto(self._shown.url(path))
        if context.get("java_script_enabled", True):
            page.wait_for_selector('#pulse[data-state="live"]')
        return page

    def excuse(self, *words: str) -> None:
        """Complaints with these words are meant to come; that they did not would be a failure."""
        self._excused += words

    def wait_for_complaint(self, page: Page, words: str) -> None:
        """Until the browser has complained so."""
        wait_until(
            # The tab's own waiting lets the browser tell us.
            lambda: page.wait_for_timeout(100) or any(words in each for each in self.complaints),
            DEADLINE_MS / 1000.0,
            words,
            pause_s=0.0,
        )

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _failed(self, request: Request) -> None:
        if request.failure == "net::ERR_ABORTED":
            return  # what a page asked for, its stream above all, ends when it is left
        self.complaints.append(f"failed: {request.method} {_place(request.url)}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.request.method} {_place(response.url)}")


def _place(url: str) -> str:
    return urlsplit(url).path
