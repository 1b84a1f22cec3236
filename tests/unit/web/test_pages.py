"""The pages: whole documents, every number of the standing, nothing that a policy of content would refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from autoscaler.core.facts import Misplaced, Stranger
from autoscaler.core.held_back import HeldBack
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Order, OrderAnswer, OrderKind, PoolName
from autoscaler.core.reports import Boot
from autoscaler.journal.contract import BootRecord, OrderRecord
from autoscaler.views import documents
from autoscaler.views.heartbeat import Heartbeat
from autoscaler.views.standing import AccountStanding, Standing
from autoscaler.web import assets, pages, wording
from autoscaler.web.pages import Manner
from providers.contract import InstanceId, ProviderName
from tests.unit.core.builders import AT, CLOUD, a_node, an_instance
from tests.unit.web import made, reading

ORDERS = Manner(orders=True)
HOSTILE = "<script>alert('x')</script>\"'&"
REFUSED = frozenset({"style", "iframe", "object", "embed", "base"})


def everything(evil: str) -> Standing:
    """A standing with every kind of matter, each of which holds that text."""
    return made.a_standing(
        made.a_pool(evil, sentence=f"{evil}: {evil}", unseen=(evil,), paused=True, lost=2, outdated=3),
        made.a_pool(),
        daemon=Heartbeat(running=False, holder=None, last_tick_at=AT - 900),
        accounts=(
            AccountStanding(
                account=ProviderName(evil),
                configured=True,
                unseen_since_at=AT - 60,
                trouble=evil,
                requests_left=31,
                renewed_at=AT + 40,
            ),
        ),
        orders=(Order(number=5, kind=OrderKind.DRAIN, target=evil, given_at=AT - 9, given_by=evil),),
        strangers=(Stranger(provider=CLOUD, instance=an_instance(evil), since_on=3.0),),
        held_back=(
            HeldBack(
                kind="rejected",
                subject=evil,
                why=evil,
                since_at=AT - 50,
                until_at=AT + 70,
                ends="one machine is tried until one enrols",
                by_hand=f"autoscaler wake {evil}",
            ),
        ),
        misplaced=(
            Misplaced(
                provider=CLOUD,
                machine=evil,
                instance_id=InstanceId(evil),
                location=evil,
                pool=PoolName(evil),
                country=None,
                allowed=("NO",),
                since_at=AT - 80,
            ),
        ),
        bill=made.a_bill(projected=900.0),
    )


def _pool(now: Standing, evil: str) -> bytes:
    node = a_node(evil, reason=evil, pool=PoolName(evil))
    return pages.pool(now, made.a_pool_portrait(made.a_portrait(node, outdated=evil), pool=evil), ORDERS)


def _node(now: Standing, evil: str) -> bytes:
    node = a_node(evil, reason=evil, pool=PoolName(evil), queues=(evil,))
    of = made.a_portrait(node)
    record = BootRecord(
        node=node.name, pool=node.pool, offer=node.offer.name, at=AT, boot=of.boot or Boot(), log=(evil, evil)
    )
    return pages.node(now, made.a_portrait(node, booted=record), ORDERS)


def _orders(now: Standing, evil: str) -> bytes:
    order = Order(number=3, kind=OrderKind.HOLD, target=evil, given_at=AT - 9, given_by=evil, workers=4)
    answer = OrderAnswer(number=3, carried_out=False, says=evil)
    return pages.orders(
        now,
        (
            OrderRecord(order=order, answered_at=AT - 4, answer=answer),
            OrderRecord(order=replace(order, number=4)),
        ),
    )


def _decision(now: Standing, evil: str) -> bytes:
    return pages.decision(now, made.a_decision(), ORDERS)


def _trouble(now: Standing, evil: str) -> bytes:
    return pages.trouble(now, evil, evil)


ALL: dict[str, Callable[[Standing, str], bytes]] = {
    "overview": lambda now, _: pages.overview(now, ORDERS),
    "pool": _pool,
    "node": _node,
    "attention": lambda now, _: pages.attention(now, ORDERS),
    "orders": _orders,
    "decision": _decision,
    "trouble": _trouble,
    "bare": lambda _, evil: pages.trouble(None, evil, evil),
}


@pytest.mark.parametrize("name", ALL)
def test_a_page_is_one_well_formed_document(name: str) -> None:
    """Every element is closed, ids are unique, one h1, and no heading leaves a level out."""
    page = reading.read(ALL[name](everything("images-2"), "images-2"))

    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    levels = [int(each.tag[1]) for each in page.all_of("h1", "h2", "h3") if "dialog" not in each.within]
    assert [] == page.unclosed
    assert len(set(ids)) == len(ids)
    assert (1, 1) == (levels[0], levels.count(1))
    assert [] == [(a, b) for a, b in pairwise(levels) if b > a + 1]


@pytest.mark.parametrize("name", ALL)
def test_a_page_holds_no_script_and_no_style_of_its_own(name: str) -> None:
    """The policy of content is `default-src 'self'`: what stands in the page itself would be refused."""
    page = reading.read(ALL[name](everything(HOSTILE), HOSTILE))

    inline = [each for each in page.all_of("script") if not each.attributes.get("src") or each.text.strip()]
    attributes = {name for each in page.elements for name in each.attributes}
    addresses = [
        each.attributes.get(name) or ""
        for each in page.elements
        for name in ("src", "href", "action")
        if each.attributes.get(name) is not None
    ]
    assert [] == inline
    assert [] == page.all_of(*REFUSED)
    assert set() == {name for name in attributes if name == "style" or name.startswith("on")}
    assert [] == [each for each in addresses if not each.startswith(("/", "#")) or each.startswith("//")]


@pytest.mark.parametrize("name", [name for name in ALL if name != "decision"])
def test_what_comes_from_outside_is_shown_and_never_obeyed(name: str) -> None:
    """A pool, a machine, a provider's error: whatever it is called, it is text."""
    page = ALL[name](everything(HOSTILE), HOSTILE)

    assert b"<script>alert" not in page
    assert HOSTILE in reading.read(page).text


@pytest.mark.parametrize("name", ALL)
def test_every_control_and_every_table_has_a_name(name: str) -> None:
    """People who hear the page know what a button, a field, a region or a table is."""
    page = reading.read(ALL[name](everything("images-2"), "images-2"))

    nameless = [
        each.attributes
        for each in page.all_of("button", "a", "section", "nav", "dialog", "summary")
        if not each.text.strip() and not each.attributes.get("aria-label")
    ]
    unlabelled = [
        each.attributes for each in page.all_of("section", "dialog")
        if not {"aria-label", "aria-labelledby"} & each.attributes.keys()
    ]  # fmt: skip
    assert [] == nameless
    assert [] == unlabelled
    assert [] == [each.attributes for each in page.all_of("input") if "label" not in each.within]
    assert len(page.all_of("table")) == len(page.all_of("caption"))
    assert [] == [each.text for each in page.all_of("th") if "scope" not in each.attributes]


def test_the_overview_shows_every_number_of_the_status() -> None:
    """What `status --json` says of a pool and of the money stands on the page in the same words."""
    now = made.a_standing()
    document = documents.status(now)
    page = reading.read(pages.overview(now))
    row = page.with_id("pool-images").text

    pool = document["pools"][0]
    counts = ("waiting", "in_progress", "serving", "arriving", "leaving", "lost", "wanted")
    shown = [wording.number(pool[name]) for name in counts]
    shown += [wording.amount(pool["cost_per_h"])]
    shown += [wording.amount(pool["bill"][name]) for name in ("spent", "projected")]
    shown += [wording.span(pool["oldest_s"]), wording.span(pool["target_wait_s"])]
    whole = page.with_id("fleet").text
    assert [] == [each for each in shown if each not in row]
    assert [] == [
        each for each in (wording.amount(document["bill"][name]) for name in ("spent", "projected", "most", "per_h"))
        if each not in whole
    ]  # fmt: skip
    assert "18 → 19 workers: 1217 waiting" in row


def test_a_number_that_is_not_known_is_not_shown_as_zero() -> None:
    """Nothing was decided yet: the dash, everywhere."""
    pool = made.a_pool(
        waiting=None, oldest_s=None, in_progress=None, wanted=None, sentence="", decided_at=None
    )
    page = reading.read(pages.overview(made.a_standing(pool)))

    cells = [each.text for each in page.all_of("td")]
    assert ["–", "–", "–"] == [cells[0], cells[1].partition(" /")[0], cells[2]]
    assert "nothing was decided yet" in page.with_id("pool-images").text


def test_a_task_that_waits_too_long_is_told_in_words() -> None:
    """Not by colour alone."""
    page = reading.read(pages.overview(made.a_standing(made.a_pool(oldest_s=46.0))))

    assert "late" in page.with_id("pool-images").text
    assert "late" not in reading.read(pages.overview(made.a_standing())).with_id("pool-images").text


def test_without_a_token_no_button_gives_an_order() -> None:
    """What could not be given is not offered."""
    for name in ("pool", "node", "attention"):
        page = reading.read(ALL[name](everything("images-2"), "images-2"))
        assert [] != [each for each in page.all_of("button") if "data-order" in each.attributes]

    now = everything("images-2")
    read_only = (
        pages.pool(now, made.a_pool_portrait(pool="images-2")),
        pages.node(now, made.a_portrait()),
        pages.attention(now),
    )
    for bare in read_only:
        assert [] == [each for each in reading.read(bare).all_of("button") if "data-order" in each.attributes]


def test_only_orders_that_fit_a_machines_state_are_offered() -> None:
    """A machine that serves can be drained, one that drains taken back, one that is gone neither."""
    offered = {}
    for state in (NodeState.READY, NodeState.DRAINING, NodeState.GONE):
        page = reading.read(pages.node(made.a_standing(), made.a_portrait(a_node(state=state)), ORDERS))
        offered[state] = [
            (each.attributes["data-order"], "data-force" in each.attributes)
            for each in page.all_of("button")
            if "data-order" in each.attributes
        ]

    assert {
        NodeState.READY: [("drain", False), ("destroy", True)],
        NodeState.DRAINING: [("undrain", False), ("destroy", True)],
        NodeState.GONE: [],
    } == offered


def test_regions_that_are_renewed_have_names_and_lie_beside_each_other() -> None:
    """The script finds them by id; one within another would be renewed twice."""
    for made_page in ALL.values():
        page = reading.read(made_page(everything("images-2"), "images-2"))
        assert [] == [
            each.attributes
            for each in page.elements
            if "data-live" in each.attributes and "id" not in each.attributes
        ]


def test_assets_are_named_by_what_is_in_them() -> None:
    """A browser may keep each for ever, and takes a new release's at once."""
    for name, asset in assets.all_of_them().items():
        assert f"/static/{name}?v={asset.digest}" == assets.address(name)
    assert {"page.css", "live.js", "orders.js", "theme.js", "sign.svg"} <= set(assets.all_of_them())


def test_scripts_never_make_markup_or_a_style_of_text() -> None:
    """What a script takes from the page or from an answer stays text."""
    for name, asset in assets.all_of_them().items():
        if name.endswith(".js"):
            text = asset.content.decode()
            assert [] == [
                word
                for word in (
                    "innerHTML",
                    "outerHTML",
                    "insertAdjacentHTML",
                    "document.write",
                    "eval(",
                    "Function(",
                )
                if word in text
            ], name
