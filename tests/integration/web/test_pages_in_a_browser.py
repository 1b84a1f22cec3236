"""The dashboard of a real daemon in a real browser: every page, live, and orders by the dialog."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web.browser import browser, looking
from tests.integration.web.served import TOKEN, get, serving, url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def test_every_page_is_whole_in_both_themes_on_screens_and_phones(set_stage: Callable[..., Stage]) -> None:
    """No error in the console, nothing that axe finds serious, and no page that scrolls sideways at 360 px."""
    stage = serving(set_stage)
    stage.send(dict.fromkeys(range(12), 2.0))
    (node, *_) = stage.wait_until_serving(1)
    pool = get(stage, "/api/v1/pools").json()["pools"][0]
    paths = (
        "/",
        "/attention",
        "/orders",
        "/pools/flood",
        f"/pools/flood/decisions/{pool['decided_at']}",
        "/pools/flood/history?since=1h",
        f"/nodes/{node}",
    )
    found: list[str] = []
    with browser() as opened:
        for width in (360, 1400):
            for theme in ("light", "dark"):
                with looking(opened, width=width, theme=theme) as tab:
                    for path in paths:
                        tab.at(url(stage, path))
                        where = f"{path} at {width} px, {theme}"
                        found += [f"{where}: {barrier}" for barrier in tab.barriers()]
                        found += [f"{where}: too wide"] if tab.is_too_wide() else []
                    found += tab.errors

    assert [] == found


def test_a_page_renews_itself_and_keeps_what_a_person_did(set_stage: Callable[..., Stage]) -> None:
    """After a tick figures change in their places: the same elements, the same focus, open details stay open."""
    stage = serving(set_stage)
    with browser() as opened, looking(opened) as tab:
        page = tab.at(url(stage, "/pools/flood"))
        tab.wait_for("#pulse", "live")
        before = page.locator("#pool-now dl").element_handle()
        page.locator("button[data-order=hold]").focus()

        stage.send(dict.fromkeys(range(40), 3.0))
        tab.wait_for("#nodes", "ready", 60)
        page.locator("#moves summary").first.click() if page.locator("#moves summary").count() else None
        page.locator("button[data-order=hold]").focus()
        waiting = page.inner_text("#pool-now dl")
        wait_until(lambda: page.inner_text("#pool-now dl") != waiting, 30, "another figure")

        assert before is not None
        assert before.evaluate("element => element.isConnected")
        assert "hold" == page.evaluate("document.activeElement.dataset.order")
        assert [] == tab.errors


def test_an_order_is_given_by_the_dialog_and_followed_to_its_answer(set_stage: Callable[..., Stage]) -> None:
    """It says what will happen, refuses a wrong token, keeps the right one for this tab alone, and shows the answer."""
    stage = serving(set_stage)
    with browser() as opened, looking(opened) as tab:
        page = tab.at(url(stage, "/pools/flood"))
        page.click("button[data-order=pause]")
        says = page.inner_text("#order-says")
        page.fill("#order-token", "not-the-token")
        page.fill("#order-by", "Anna")
        page.click("#order-give")
        tab.wait_for("#order-answer", "not given")
        page.fill("#order-token", TOKEN)
        page.keyboard.press("Enter")
        answered = tab.wait_for("#order-answer", "carried out|refused")
        page.keyboard.press("Escape")
        page.wait_for_selector("button[data-order=resume]")

        page.click("button[data-order=resume]")
        assert not page.is_visible("#order-token")
        page.click("#order-give")
        tab.wait_for("#order-answer", "carried out")
        kept = page.evaluate("JSON.stringify({...localStorage})")
        records = tab.at(url(stage, "/orders")).inner_text("#orders")

    assert "Nothing is bought or drained for flood" in says
    assert "Carried out" in answered
    assert TOKEN not in kept
    assert "Anna (web," in records
    assert ["resume", "pause"] == [each["kind"] for each in get(stage, "/api/v1/orders").json()["orders"]]
    assert [] == [error for error in tab.errors if "401" not in error]
