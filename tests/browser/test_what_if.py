"""What-if from the page: a setting is turned, the answer stands beside today's, and what is wrong is said."""

from __future__ import annotations

import tomllib

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from testbed.waiting import wait_until
from tests.browser.looking import DEADLINE_MS, NARROW, Visitor
from tests.browser.shown import POOL, Shown
from tests.integration.web.served import TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ANSWER_MS = 200_000.0
"""A replay takes what the computer has left."""
SEEN = 8
"""More than one look counts."""
expect.set_options(timeout=DEADLINE_MS)


@pytest.fixture(autouse=True)
def _playable(shown: Shown) -> None:
    """A replay needs to know how long tasks run: some must have been seen to be completed."""
    wait_until(lambda: shown.done() >= SEEN, 60, lambda: f"tasks to be done\n{shown.stage.tail()}")


def turn(page: Page, label: str, value: str) -> None:
    """Fill in a setting, and the token where it is asked for; by the keyboard."""
    page.get_by_label("How far back").select_option("1h")
    if page.locator("#what-if-token").is_visible():
        page.locator("#what-if-token").fill(TOKEN)
    page.get_by_label(label).fill(value)
    page.get_by_label(label).press("Enter")


@pytest.mark.parametrize(("width", "theme"), [(1400, "light"), (NARROW, "dark")])
def test_a_setting_that_is_turned_is_answered_beside_todays(
    visitor: Visitor, shown: Shown, width: int, theme: str
) -> None:
    """From the pool's own page, with the lines to keep; readable for everybody, and no wider than the screen."""
    page = visitor.look_at(f"/pools/{POOL}", width=width, theme=theme)
    page.get_by_role("link", name="What if?").first.click()
    expect(page.get_by_label("Messages per worker")).to_have_value("20")

    turn(page, "Messages per worker", "50")

    expect(page.locator("#what-if-progress")).to_be_visible()
    answer = page.locator("#what-if-answer")
    # A replay that failed says there why.
    expect(answer).to_contain_text("The candidate would have cost", timeout=ANSWER_MS)
    expect(page.locator("#what-if-says")).to_contain_text("Done")
    for what in ("Cost", "Started in time", "Wait, 95 %", "Machines bought"):
        expect(answer.get_by_role("rowheader", name=what, exact=True)).to_be_visible()
    lines = tomllib.loads(answer.locator("pre").text_content() or "")
    assert [{"kind": "backlog", "messages_per_worker": 50}] == lines["pools"][POOL]["policies"]
    assert page.locator("html").evaluate("page => page.scrollWidth") <= width
    grave = [
        each["id"]
        for each in Axe().run(page).response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
    assert [] == grave
    page.reload()
    expect(page.locator("#what-if-answer")).to_contain_text("The candidate would have cost")


def test_what_is_wrong_is_said_in_the_loaders_words(visitor: Visitor, shown: Shown) -> None:
    """And nothing is asked where nothing is changed."""
    page = visitor.look_at(f"/pools/{POOL}/what-if")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#what-if-says")).to_contain_text("Nothing is changed yet")

    turn(page, "Scale-in window", "ten minutes")

    expect(page.locator("#what-if-answer")).to_contain_text(
        f"pools.{POOL}.stabilize.scale_in_window", timeout=ANSWER_MS
    )


def test_a_replay_is_stopped_by_its_button(visitor: Visitor, shown: Shown) -> None:
    """And the next may be asked for at once."""
    page = visitor.look_at(f"/pools/{POOL}/what-if")
    turn(page, "Tolerance", "0.3")
    visitor.excuse("404: GET /api/v1/what-if", "status of 404")

    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#what-if-says")).to_contain_text("It was stopped")
    expect(page.get_by_role("button", name="Try it")).to_be_enabled()
