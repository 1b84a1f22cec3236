"""What needs an eye: nothing is left out, the grave comes first, and the order that helps is named."""

from __future__ import annotations

from autoscaler.core.facts import Stranger
from autoscaler.core.held_back import HeldBack
from autoscaler.core.model import Order, OrderKind
from autoscaler.views import attention
from autoscaler.views.attention import Subject
from autoscaler.views.heartbeat import Heartbeat
from tests.unit.core.builders import AT, CLOUD, an_instance
from tests.unit.web import made


def held(kind: str, by_hand: str = "") -> HeldBack:
    """Something that rests."""
    return HeldBack(
        kind=kind, subject="cloud/osl/s/debian for images", why="no stock", since_at=AT - 9, until_at=AT + 60,
        ends="it is asked again", by_hand=by_hand,
    )  # fmt: skip


def test_a_fleet_at_work_needs_nobody() -> None:
    """No matter is made of what is as it should be."""
    assert () == attention.look(made.a_standing())


def test_a_daemon_that_does_not_tick_comes_first() -> None:
    """Everything else waits for it."""
    now = made.a_standing(
        made.a_pool(paused=True, lost=1),
        daemon=Heartbeat(running=False, holder=None, last_tick_at=AT - 600),
        strangers=(Stranger(provider=CLOUD, instance=an_instance("m1"), since_on=1.0),),
    )

    found = attention.look(now)

    assert [Subject.DAEMON, Subject.STRANGERS, Subject.POOLS, Subject.POOLS] == [
        each.subject for each in found
    ]
    assert [True, True, True, False] == [each.grave for each in found]


def test_what_ends_a_rest_by_hand_is_the_order_that_is_offered() -> None:
    """The same as the command that `status` names, an offer's target with all its parts."""
    wake, sweep, none = attention.look(
        made.a_standing(
            held_back=(
                held("rejected", "autoscaler wake cloud/osl/s/debian"),
                held("unheard", "autoscaler sweep"),
                held("twin"),
            )
        )
    )

    assert (OrderKind.WAKE, "cloud/osl/s/debian") == (wake.kind, wake.target)
    assert (OrderKind.SWEEP, "*") == (sweep.kind, sweep.target)
    assert (None, "") == (none.kind, none.target)


def test_what_passes_by_itself_is_no_reason_to_act() -> None:
    """No stock, a provider that asked for peace, an order that waits for the next tick."""
    now = made.a_standing(
        held_back=(held("refused"), held("throttled")),
        orders=(Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari"),),
    )

    assert [False, False, False] == [each.grave for each in attention.look(now)]


def test_money_that_does_not_suffice_is_told_of_the_pool_and_of_the_fleet() -> None:
    """Each with its own ceiling."""
    short = made.a_bill(projected=120.0)

    found = attention.look(made.a_standing(made.a_pool(bill=short), bill=short))

    assert [("images", True), ("all pools", True)] == [(each.name, each.grave) for each in found]
    assert all("120.00 EUR" in each.says for each in found)
