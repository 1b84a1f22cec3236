"""Every link of a page leads to a file that is there, and to a chapter that it has; every page can be found.

The generator holds the same of the site; this holds it of the repository, README included, and in a second.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from scripts.site import stage
from tests.docs import pages

_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def _anchors(page: str) -> set[str]:
    """The anchors of a page's chapters, as code hosts and the site make them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(pages.prose(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", pages.all_pages())
def test_every_link_leads_somewhere(page: str) -> None:
    """To a file or a listed directory, and to a chapter where it names one."""
    lost = []
    for target, path in stage.links(page):
        anchor = target.partition("#")[2]
        there = (stage.ROOT / path).is_file() or path.rstrip("/") in stage.LISTS
        if not there or (anchor and path.endswith(".md") and anchor not in _anchors(path)):
            lost.append(target)

    assert [] == lost


def test_links_are_found() -> None:
    """In prose alone: what stands in code is no link."""
    assert len([link for page in pages.all_pages() for link in stage.links(page)]) > 200
    assert "x [a](B) `[c](d)`\n```\n[e](f)\n```\n" == stage.rewritten(
        "x [a](b) `[c](d)`\n```\n[e](f)\n```\n", str.upper
    )


def test_every_page_has_its_place_in_the_navigation() -> None:
    """One place. The first page, and the records that have a list of their own, stand in none."""
    placed = Counter(page for part in stage.navigation() for page in part.pages)
    wanted = {
        page
        for page in pages.all_pages()
        if page.startswith("docs/") and page != stage.FIRST and not page.startswith(tuple(stage.LISTS))
    }

    assert {} == {page: count for page, count in placed.items() if count > 1}
    assert set() == wanted - placed.keys()
    assert [] == [page for page in placed if not (stage.ROOT / page).exists()]


def test_the_first_page_says_what_is_not_here() -> None:
    """Before it says where to begin."""
    chapters = re.findall(r"^## (.+)$", pages.text(stage.FIRST), re.MULTILINE)

    assert "What it does not do" == chapters[0]
