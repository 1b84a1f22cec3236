"""The site is built without a warning, holds every page, and a reader's browser asks nobody else for anything."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.site import stage

PYTHON = stage.ROOT / ".venv-docs" / "bin" / "python"
# What a browser fetches by itself; a link to follow is none of it.
FETCHED = {"src", "srcset", "poster", "data", "background"}
FETCHED_LINKS = {"stylesheet", "icon", "shortcut", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload",
                 "manifest", "apple-touch-icon"}  # fmt: skip
ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
BY_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
HOSTS = re.compile(r"https?://([a-z0-9.-]+\.[a-z]{2,})", re.IGNORECASE)
# Named in comments and as names of XML's own, which nothing is fetched from.
ONLY_NAMED = {"www.w3.org", "developer.mozilla.org", "snowballstem.org"}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, built as `make docs` does, but elsewhere."""
    assert PYTHON.exists(), "the generator's environment is missing: make .venv-docs/.ready"
    built = tmp_path_factory.mktemp("docs") / "site"
    command = [PYTHON, stage.ROOT / "scripts" / "site" / "build.py", built]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    return built


class _Fetched(HTMLParser):
    """The addresses that a browser fetches when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.addresses += [
            part
            for name, value in given.items()
            if name in FETCHED
            for part in (value.split(",") if name == "srcset" else [value])
        ]
        if tag == "link" and set(given.get("rel", "").lower().split()) & FETCHED_LINKS:
            self.addresses.append(given.get("href", ""))
        self.addresses += BY_STYLES.findall(given.get("style", ""))


def _foreign(html: str) -> Iterator[str]:
    page = _Fetched()
    page.feed(html)
    yield from (address for address in page.addresses if ELSEWHERE.match(address))
    for style in re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL):
        yield from BY_STYLES.findall(style)


def test_every_page_of_the_navigation_is_there(site: Path) -> None:
    """And the first one, and the index that is searched."""
    pages = [stage.FIRST, *(page for part in stage.navigation() for page in part.pages)]

    assert [] == [page for page in pages if not (site / stage.place(page)).with_suffix(".html").is_file()]
    assert (site / "searchindex.js").stat().st_size > 100_000


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No font, style, script or picture, on no page and in no style."""
    pages = list(site.rglob("*.html"))
    loaded = {f"{page.relative_to(site)}: {found}" for page in pages for found in _foreign(page.read_text())}
    styles = {found for style in site.rglob("*.css") for found in BY_STYLES.findall(style.read_text())}

    assert len(pages) > 100
    assert set() == loaded
    assert set() == styles


def test_no_script_knows_another_host(site: Path) -> None:
    """A script might fetch what no tag names. The index of words fetches nothing."""
    named = {
        host
        for script in site.rglob("*.js")
        if script.name != "searchindex.js"
        for host in HOSTS.findall(script.read_text())
    }

    assert set() == named - ONLY_NAMED


def test_what_would_be_loaded_from_elsewhere_is_found() -> None:
    """So the rules above can fail; a link to follow is no offence."""
    html = """
      <a href="https://fine.example/">elsewhere</a> <script src="https://a.example/x.js"></script>
      <img srcset="x.png, //b.example/x.png 2x"> <link rel="stylesheet" href="https://c.example/x.css">
      <style>@font-face { src: url('https://d.example/f.woff') }</style>"""

    assert ["a", "b", "c", "d"] == [re.findall(r"(\w)\.example", found)[0] for found in _foreign(html)]
