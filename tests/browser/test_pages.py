"""Every page in a real browser: both themes, wide and narrow, with scripts and without, and nothing to complain of."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page

from tests.browser.looking import NARROW, WIDE, Visitor
from tests.browser.shown import POOL, Shown

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PAGES = ("overview", "attention", "orders", "pool", "history", "what-if", "decision", "node", "nothing")
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
GRAVE = {"serious", "critical"}
STAGE = {"tick": "2s"}


def look_at(visitor: Visitor, shown: Shown, name: str, **how: object) -> Page:
    page = visitor.look_at(shown.pages()[name], **how)
    if name == "nothing":
        visitor.excuse(
            "404: GET /nodes/nobody", "status of 404"
        )  # what a browser says of any that is not there
    return page


def faults(page: Page) -> list[str]:
    """What axe finds that shuts somebody out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{each['impact']} {each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shuts_nobody_out_and_fits_every_width_in_both_themes(
    visitor: Visitor, shown: Shown, name: str
) -> None:
    """Axe finds nothing serious, nothing lies beside the screen, and the browser complains of nothing."""
    page = look_at(visitor, shown, name, theme="light")
    grounds = set()

    for theme, width in (("light", WIDE), ("dark", WIDE), ("dark", 768), ("dark", NARROW), ("light", NARROW)):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if (theme, width) != ("dark", 768):
            assert [] == faults(page)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2  # they were two themes


def test_what_finds_faults_does_find_them(visitor: Visitor, shown: Shown) -> None:
    """Words that hardly stand out, a button without a name, a width that no screen has, an error on the console."""
    page = look_at(visitor, shown, "overview")
    page.evaluate(
        """() => {
            document.querySelector("h1").style.color = "#888888";
            document.querySelector("h1").style.background = "#999999";
            document.querySelector("main").append(document.createElement("button"));
            document.querySelector("main").style.minWidth = "2000px";
            console.error("as it was meant");
        }"""
    )

    found = " ".join(faults(page))
    assert "color-contrast" in found
    assert "button-name" in found
    assert page.evaluate("document.documentElement.scrollWidth") > WIDE
    visitor.excuse("as it was meant")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_all_that_it_has_to_say_without_scripts(
    visitor: Visitor, shown: Shown, name: str
) -> None:
    """Only what needs them is missing: buttons of orders, the choice of a theme."""
    page = look_at(visitor, shown, name, java_script_enabled=False)

    assert page.locator("h1").count() == 1
    assert page.locator("main").inner_text().strip()
    assert page.locator("nav[aria-label=Pages] a").all_inner_texts()[0] == "Overview"
    assert not [each for each in page.locator("button").all() if each.is_visible()]
    if name == "overview":
        assert POOL in page.locator("#pools").inner_text()


def test_a_page_runs_and_takes_in_nothing_that_is_not_ours(visitor: Visitor, shown: Shown) -> None:
    """Neither a script nor a style within the page, nor a frame around it, nor anything from elsewhere."""
    page = look_at(visitor, shown, "overview")
    page.evaluate(
        """() => {
            document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = 1"}));
            document.body.append(Object.assign(document.createElement("style"), {textContent: "h1 { color: red }"}));
            document.body.append(Object.assign(document.createElement("img"), {src: "http://127.0.0.1:1/p.png"}));
        }"""
    )

    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
    visitor.excuse("inline script", "inline style", "127.0.0.1:1/p.png", "failed: GET /p.png")
    hosts = page.evaluate("performance.getEntriesByType('resource').map((each) => new URL(each.name).host)")
    assert {page.evaluate("location.host"), "127.0.0.1:1"} >= set(hosts)


def test_the_keyboard_reaches_everything_in_the_order_in_which_it_stands(
    visitor: Visitor, shown: Shown
) -> None:
    """First a way past the head of the page, which is used here; then the head, then the content."""
    page = look_at(visitor, shown, "overview")
    focused = "document.activeElement.textContent.trim().replace(/\\s+/g, ' ')"

    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate(focused)
    assert page.locator(".skip").bounding_box()["y"] >= 0  # it is seen
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert [shown.stage.fleet, "Overview"] == reached[:2]
    assert POOL in reached

    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert "main" == page.evaluate("document.activeElement.id")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_theme_that_was_chosen_stays(visitor: Visitor, shown: Shown) -> None:
    """Over the system's own, on the next page too."""
    page = look_at(visitor, shown, "overview", theme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    for _ in ("system", "light"):
        page.get_by_role("button", name="Theme").click()
    page.get_by_role("link", name="Orders").click()
    page.wait_for_url("**/orders")

    assert "Theme: dark" == page.locator("#theme").get_attribute("aria-label")
    assert light != page.evaluate(ground)
