"""Writes docs/images/dashboard-*.png: pages of the demo at one instant of its virtual time, the same on each run.

A day of the demo is lived by the production loop, without a look at a real clock; then its journal is served, and
Chromium takes the pictures. A digest of all that pages are made from stands beside them, so that a test can tell
whether they are of these pages. Needs Debian's package chromium.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
DIGEST = IMAGES / "dashboard.digest"
MADE_FROM = (
    "autoscaler/web/templates/*", "autoscaler/web/static/*", "autoscaler/plots/*.css", "autoscaler/plots/*.js",
    "autoscaler/plots/*.py", *(f"autoscaler/web/{name}.py" for name in ("bars", "charts", "pages", "rows", "wording")),
)  # fmt: skip
MOST_BYTES = 250_000
SIZES = {1400: 1000, 360: 800}
THEMES = ("light", "dark")
_LOOKS_AT = datetime(2026, 6, 16, 9, 0, tzinfo=UTC).timestamp()
_HISTORY_S, _WATCHED_S = 86_400.0, 83 * 60.0
"""The second of the demo's mishaps has begun by then, and the first one's traces are there."""
_POOL = "images"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--no-first-run",
]


def digest() -> str:
    """Of all files that pages are made from."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in MADE_FROM for path in ROOT.glob(pattern)}):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def names() -> list[str]:
    """Every picture."""
    pages = ("overview", "pool", "node", "attention", "history")
    return [f"dashboard-{page}-{theme}-{width}.png" for page in pages for theme in THEMES for width in SIZES]


class Stopped:
    """The clock of an instant; only how long things take still passes."""

    def __init__(self, at: float) -> None:
        self._at = at

    def now(self) -> float:
        """That instant."""
        return self._at

    def monotonic(self) -> float:
        """As everywhere."""
        return time.monotonic()  # noqa: TID251 - the pictures' own clock


class Silent:
    """A log that nobody reads."""

    def say(self, event: str, /, **fields: object) -> None:
        """Nothing."""


@contextmanager
def _served() -> Iterator[tuple[str, float, dict[str, str]]]:
    """The address of the demo's page at that instant, the instant, and the paths of its pages."""
    from autoscaler.cli import opened  # noqa: PLC0415
    from autoscaler.demo import configured, running  # noqa: PLC0415 - the digest needs none of it
    from autoscaler.demo.playing import Played  # noqa: PLC0415
    from autoscaler.journal import open_journal  # noqa: PLC0415
    from autoscaler.web.serving import open_web  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as directory:
        config = configured.write(Path(directory), listen="127.0.0.1:0")
        settings = opened.settings(config)
        journal = open_journal(settings.journal.url)
        journal.claim("demo")
        dice = random.Random(1)  # names decide which of two machines goes first
        played = Played(
            settings, journal, begins_at=_LOOKS_AT - _HISTORY_S, history_s=_HISTORY_S,
            name_seed=lambda: f"{dice.getrandbits(32):08x}",
        )  # fmt: skip
        running.pass_history(played, _HISTORY_S, over=lambda: False, watch=lambda _: None)
        while played.elapsed < _HISTORY_S + _WATCHED_S:
            played.tick()
        clock = Stopped(played.now())
        server = open_web(
            lambda: settings, journal, lambda: nullcontext(journal),
            config=config, counted=dict, version="0", clock=clock, log=Silent(),
        )  # fmt: skip
        assert server is not None
        serving = [
            node for node in journal.live_nodes() if node.pool == _POOL and node.state.value == "ready"
        ]
        pages = {
            "overview": "",
            "pool": f"pools/{_POOL}",
            "node": f"nodes/{max(serving, key=lambda node: (node.ordered_at, node.name)).name}",
            "attention": "attention",
            "history": f"pools/{_POOL}/history?since=24h",
        }
        try:
            yield server.url, clock.now(), pages
        finally:
            server.stop()
            journal.close()


def _take(page: Page, file: Path) -> int:
    """What the window shows of the page, as soon as that is live; the picture's bytes."""
    page.wait_for_selector('#pulse[data-state="live"]')
    page.evaluate("document.fonts.ready")
    size = page.viewport_size or {"width": 0, "height": 0}
    ends = page.evaluate("Math.ceil(document.querySelector('.foot').getBoundingClientRect().bottom)")
    area = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], ends)}
    page.screenshot(path=file, animations="disabled", clip=area)
    return file.stat().st_size


def main() -> int:
    """Take them all."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the digest needs none of it

    program = shutil.which("chromium")
    if program is None:
        sys.stderr.write("Chromium is missing: apt-get install chromium\n")
        return 1
    os.environ["TZ"] = "UTC"
    time.tzset()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with _served() as (url, at, pages), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        for theme, width in product(THEMES, SIZES):
            context = browser.new_context(
                viewport={"width": width, "height": SIZES[width]}, color_scheme=theme, reduced_motion="reduce",
                timezone_id="UTC", locale="en-GB",
            )  # fmt: skip
            page = context.new_page()
            page.clock.set_fixed_time(at)
            for name, path in pages.items():
                page.goto(url + path)
                file = IMAGES / f"dashboard-{name}-{theme}-{width}.png"
                size = _take(page, file)
                sys.stdout.write(f"{file.relative_to(ROOT)}: {size / 1000:.0f} kB\n")
                if size > MOST_BYTES:
                    sys.stderr.write(f"{file.name} is larger than {MOST_BYTES / 1000:.0f} kB\n")
                    return 1
            context.close()
        browser.close()
    DIGEST.write_text(f"{digest()}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
