"""Orders from the page: each by its button and its dialog, seen afterwards on record, in the fleet and on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from testbed.waiting import wait_until
from tests.browser.looking import DEADLINE_MS, Visitor
from tests.browser.shown import POOL, Shown
from tests.integration.web.served import TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

NAME = "Anna"
expect.set_options(timeout=DEADLINE_MS)


def press(page: Page, label: str, target: str) -> None:
    """The button of an order about that; its dialog is open then."""
    page.get_by_role("button", name=f"{label} {target}", exact=True).click()
    assert page.locator("#order").is_visible()


def give(page: Page, *, token: str | None = TOKEN) -> None:
    """Fill in what is asked for, and give the order."""
    if token is not None and page.locator("#order-token").is_visible():
        page.locator("#order-token").fill(token)
    page.locator("#order-by").fill(NAME)
    page.locator("#order-give").click()


def carried_out(page: Page) -> None:
    """The dialog says so; then it is closed."""
    expect(page.locator("#order-answer")).to_contain_text("Carried out")
    page.locator("#order-close").click()
    assert not page.locator("#order").is_visible()


def on_record(shown: Shown) -> dict[str, Any]:
    """The last order that anybody gave."""
    return shown.asked("/api/v1/orders")["orders"][0]


def pool_now(shown: Shown) -> dict[str, Any]:
    """What the API says of the pool."""
    return next(each for each in shown.asked("/api/v1/pools")["pools"] if each["pool"] == POOL)


def test_a_wrong_token_orders_nothing_and_can_be_put_right(visitor: Visitor, shown: Shown) -> None:
    """The dialog says what is wrong, stays, and asks again; the right one is kept for this tab alone."""
    before = shown.asked("/api/v1/orders")["orders"]
    page = visitor.look_at(f"/pools/{POOL}")
    press(page, "Pause", POOL)

    give(page, token="")
    expect(page.locator("#order-answer")).to_contain_text("token is needed")
    give(page, token="wrong")
    expect(page.locator("#order-answer")).to_contain_text("Not given")
    visitor.excuse("401: POST /api/v1/orders", "status of 401")
    assert before == shown.asked("/api/v1/orders")["orders"]

    give(page)
    carried_out(page)
    press(page, "Resume", POOL)
    assert not page.locator("#order-token").is_visible()  # known by now
    give(page)
    carried_out(page)
    assert TOKEN == page.evaluate("sessionStorage.getItem('token')")
    assert None is page.evaluate("localStorage.getItem('token')")
    assert TOKEN not in page.url
    assert TOKEN not in page.content()


def test_a_pool_is_paused_and_resumed(visitor: Visitor, shown: Shown) -> None:
    """It is paused for everybody who asks, and the record says who did it."""
    page = visitor.look_at(f"/pools/{POOL}")

    press(page, "Pause", POOL)
    assert POOL in page.locator("#order-title").inner_text()
    give(page)
    carried_out(page)
    expect(page.locator("#pool-head")).to_contain_text("paused")
    assert pool_now(shown)["paused"] is True
    given = on_record(shown)
    assert ("pause", POOL, "carried out") == (given["kind"], given["target"], given["state"])
    assert f"{NAME} (web, 127.0.0.1)" == given["given_by"]

    press(page, "Resume", POOL)
    give(page)
    carried_out(page)
    expect(page.locator("#pool-head")).not_to_contain_text("paused")
    assert pool_now(shown)["paused"] is False
    seen = visitor.look_at("/orders").locator("#orders tbody tr").first.inner_text()
    assert all(word in seen for word in (f"resume {POOL}", NAME, "carried out"))


def test_a_pool_is_held_for_a_while(visitor: Visitor, shown: Shown) -> None:
    """At a number, for a time; a number that may not be is not taken in the first place."""
    page = visitor.look_at(f"/pools/{POOL}")

    press(page, "Hold", POOL)
    page.locator("#order-workers").fill("-1")
    give(page)
    assert page.locator("#order-workers:invalid").count() == 1
    page.locator("#order-workers").fill("2")
    page.locator("#order-for").fill("20m")
    give(page)
    carried_out(page)

    expect(page.locator("#pool-head")).to_contain_text("held at 2")
    assert 2 == pool_now(shown)["hold_workers"]
    press(page, "Resume", POOL)
    give(page)
    carried_out(page)
    expect(page.locator("#pool-head")).not_to_contain_text("held")
    assert None is pool_now(shown)["hold_workers"]


@pytest.fixture
def held(shown: Shown) -> str:
    """A node that serves, while its pool wants as many as there are."""
    return wait_until(shown.serving, 60, "a node that serves")[0]


def test_a_node_is_drained_and_taken_back(visitor: Visitor, shown: Shown, held: str) -> None:
    """Until its last task ends it may be undrained; the page follows."""
    page = visitor.look_at(f"/nodes/{held}")

    press(page, "Drain", held)
    give(page)
    carried_out(page)
    expect(page.locator("#node-head .state")).to_have_text("draining")

    press(page, "Undrain", held)
    give(page)
    carried_out(page)
    expect(page.locator("#node-head .state")).to_have_text("ready")
    kinds = [each["kind"] for each in shown.asked("/api/v1/orders")["orders"][:2]]
    assert ["undrain", "drain"] == kinds


def test_a_dialog_is_left_by_the_keyboard_and_gives_nothing_then(visitor: Visitor, shown: Shown) -> None:
    """It takes the focus and keeps it; Escape closes it, and the focus is where it was."""
    before = shown.asked("/api/v1/orders")["orders"]
    page = visitor.look_at(f"/pools/{POOL}")
    button = page.get_by_role("button", name=f"Pause {POOL}", exact=True)
    button.focus()

    page.keyboard.press("Enter")
    inside: Callable[[], bool] = lambda: page.evaluate("document.activeElement.closest('#order') !== null")  # noqa: E731
    assert inside()
    assert "order-token" == page.evaluate("document.activeElement.id")
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"order-by", "order-give", "order-close"} <= reached
    page.keyboard.press("Escape")

    assert not page.locator("#order").is_visible()
    assert page.evaluate("document.activeElement.dataset.order") == "pause"
    assert before == shown.asked("/api/v1/orders")["orders"]
