"""A page that is open: it follows the fleet without being loaded anew, disturbs nobody, and says when it is old."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from testbed.ports import free_port
from testbed.waiting import wait_until
from tests.browser.looking import DEADLINE_MS, Visitor
from tests.browser.shown import POOL, Shown

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

STAGE = {"workers": 5, "listen": f"127.0.0.1:{free_port()}"}
"""Five, so that the pool has had more moves than are shown at once; and where a second daemon answers, too."""
expect.set_options(timeout=DEADLINE_MS)

_SHIFTS = """
window.shifted = [];
new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput)
        window.shifted.push([each.value, ...each.sources.map((source) => source.node?.id || source.node?.nodeName)]);
}).observe({type: "layout-shift", buffered: true});
"""
_MARK = "for (const part of document.querySelectorAll('#main [data-live]')) part.marked = true; window.marked = true;"
_MARKS = "[window.marked === true, [...document.querySelectorAll('#main [data-live]')].every((part) => part.marked)]"
CALM = 0.1
"""What counts as good among the Core Web Vitals, of a whole visit."""


def changes(page: Page, selector: str, times: int = 2) -> None:
    """Until what stands there was another so often."""
    for _ in range(times):
        page.wait_for_function(
            "([selector, before]) => document.querySelector(selector).innerText !== before",
            arg=[selector, page.locator(selector).inner_text()],
        )


def test_a_change_comes_by_itself_and_leaves_alone_what_somebody_does(visitor: Visitor, shown: Shown) -> None:
    """Focus, what was opened and the scroll stay; nothing jumps; the page is never loaded anew."""
    page = visitor.look_at(f"/pools/{POOL}", height=700)
    page.evaluate(_SHIFTS)
    details = page.locator("#more-moves")
    details.locator("summary").click()
    page.locator("#nodes a").first.focus()
    page.evaluate("window.scrollTo(0, 300)")
    page.evaluate(_MARK)
    focused = page.evaluate("document.activeElement.href")

    changes(page, "#pool-now", times=3)

    assert [True, True] == page.evaluate(_MARKS)
    assert details.evaluate("(it) => it.open")
    assert focused == page.evaluate("document.activeElement.href")
    assert 300 == page.evaluate("window.scrollY")
    assert sum(each[0] for each in page.evaluate("shifted")) < CALM, page.evaluate("shifted")


def test_figures_of_the_overview_change_in_their_places(visitor: Visitor, shown: Shown) -> None:
    """Wide and on a telephone; the clock beside the sign of life goes on."""
    for width in (1400, 360):
        page = visitor.look_at("/", width=width)
        page.evaluate(_SHIFTS)
        page.evaluate(_MARK)

        changes(page, "#pulse-word")
        changes(page, f"#pool-{POOL}", times=2)

        assert [True, True] == page.evaluate(_MARKS)
        assert sum(each[0] for each in page.evaluate("shifted")) < CALM, page.evaluate("shifted")


def test_what_measures_jumps_does_see_them(visitor: Visitor, shown: Shown) -> None:
    """Something that pushes the page down counts."""
    page = visitor.look_at("/")
    page.evaluate(_SHIFTS)
    page.evaluate(
        "document.querySelector('main').prepend(Object.assign(document.createElement('p'), {id: 'pusher'}));"
        "document.getElementById('pusher').style.height = '400px'"
    )

    # Asked from outside: what a page evaluates by itself, as often as it is drawn, its policy forbids.
    wait_until(lambda: sum(each[0] for each in page.evaluate("shifted")) > CALM, 30, "the jump to be seen")


def test_a_page_says_that_it_is_old_once_nobody_answers_and_lives_again_when_somebody_does(
    visitor: Visitor, shown: Shown
) -> None:
    """What it showed last stays; whoever cannot see is told once."""
    page = visitor.look_at("/")
    assert POOL in page.locator("#pools").inner_text()

    shown.stage.kill_daemon()

    expect(page.locator("#pulse")).to_have_attribute("data-state", "stale")
    expect(page.locator("#pulse-word")).to_contain_text("stale since")
    expect(page.locator("#told")).to_contain_text("stale since")
    assert POOL in page.locator("#pools").inner_text()
    visitor.excuse("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED")
    visitor.wait_for_complaint(page, "ERR_CONNECTION_REFUSED")

    shown.stage.start_daemon()

    expect(page.locator("#pulse")).to_have_attribute("data-state", "live", timeout=60_000)
    changes(page, "#fleet")
