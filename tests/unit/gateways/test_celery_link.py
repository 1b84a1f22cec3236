"""A worker is drained of everything it consumes, gets it all back, and no task of its is overlooked."""

from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.core.facts import Hands
from autoscaler.core.model import WorkerName
from autoscaler.gateways import celery_consumers
from autoscaler.gateways.celery_consumers import Cancelled
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.contract import FactUnavailable, NotSent
from tests.unit.gateways.control_stage import STAGES, TIMEOUT_S, Hourglass, ScriptedWorker, linked_to

A = WorkerName("celery@a")
B = WorkerName("celery@b")


def test_a_drain_takes_every_queue_the_worker_consumes() -> None:
    """Its own queue (`worker_direct`) and one added by hand bring it tasks as well."""
    worker = ScriptedWorker(A, consumes={"images", "celery@a.dq", "by hand"})
    with linked_to(worker) as link:
        link.cancel_consumers(A, ("images",), TIMEOUT_S)

    assert set() == worker.consumes


def test_a_drain_of_a_queue_by_its_alias_ends_what_it_stands_for() -> None:
    """The worker lists the queue's own name only, so the alias is missing from its list all the time."""
    worker = ScriptedWorker(A, consumes={"images.v2"}, aliases={"other": "images"})
    with linked_to(worker) as link:
        link.cancel_consumers(A, ("images",), TIMEOUT_S)

    assert set() == worker.consumes


def test_a_drain_is_not_confirmed_while_anything_is_consumed() -> None:
    """And the reason names it."""
    worker = ScriptedWorker(A, consumes={"images", "stubborn"})
    worker.deaf_to = {"stubborn"}
    clock = Hourglass()
    clock.ends_after(4, "active_queues")  # two rounds, each of which asks before and after its orders
    with (
        linked_to(worker, clock) as link,
        pytest.raises(FactUnavailable, match="cancel_consumer of stubborn"),
    ):
        link.cancel_consumers(A, ("images",), TIMEOUT_S)


def test_an_undrain_gives_back_what_the_drain_took() -> None:
    """Even if the drain was ordered twice; and what was given back is not given again."""
    before = {"images", "celery@a.dq"}
    worker = ScriptedWorker(A, consumes=before)
    with linked_to(worker) as link:
        link.cancel_consumers(A, ("images",), TIMEOUT_S)
        link.cancel_consumers(A, ("images",), TIMEOUT_S)
        link.add_consumers(A, ("images",), TIMEOUT_S)
        assert before == worker.consumes

        worker.consumes.clear()
        link.add_consumers(A, ("images",), TIMEOUT_S)
        assert {"images"} == worker.consumes


def test_an_undrain_is_not_confirmed_before_everything_is_back() -> None:
    """A remembered queue that stays away is told, and still remembered for the next order."""
    worker = ScriptedWorker(A, consumes={"images", "own"})
    clock = Hourglass()
    with linked_to(worker, clock) as link:
        link.cancel_consumers(A, ("images",), TIMEOUT_S)
        worker.deaf_to = {"own"}
        clock.ends_after(2, "active_queues")
        with pytest.raises(FactUnavailable, match="add_consumer of own"):
            link.add_consumers(A, ("images",), TIMEOUT_S)
        worker.deaf_to = set()
        link.add_consumers(A, ("images",), TIMEOUT_S)

    assert {"images", "own"} == worker.consumes


@pytest.mark.parametrize("moves_after", [(), (1,), (2,), (1, 2), (1, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("begins", STAGES)
def test_a_task_that_moves_between_two_answers_is_seen(begins: str, moves_after: tuple[int, ...]) -> None:
    """Tasks move from scheduled to reserved to active, so the questions are asked in that order."""
    worker = ScriptedWorker(
        A, holds=begins, moves_after=moves_after if begins == "scheduled" else moves_after[:1]
    )
    with linked_to(worker) as link:
        hands = link.hands([A], TIMEOUT_S)[A]

    assert list(STAGES) == worker.asked
    assert isinstance(hands, Hands)
    assert hands.total >= 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In workers, of which the longest untouched goes first, and in queues of each."""
    monkeypatch.setattr(celery_consumers, "_MOST_WORKERS", 1)
    monkeypatch.setattr(celery_consumers, "_MOST_QUEUES", 2)
    cancelled = Cancelled()
    cancelled.remember(A, ("a", "b", "c"))
    cancelled.remember(A, ("d",))
    assert {"a", "b"} == cancelled.of(A)

    cancelled.remember(B, ("b",))
    assert (frozenset(), {"b"}) == (cancelled.of(A), cancelled.of(B))


def test_no_order_is_published_once_we_may_not_act() -> None:
    """A drain goes on for rounds, and whoever was stopped between two of them may have been succeeded since."""
    worker = ScriptedWorker(A, consumes={"images", "stubborn"})
    worker.deaf_to = {"stubborn"}

    def may_act() -> bool:
        return "cancel_consumer" not in worker.asked

    with linked_to(worker, may_act=may_act) as link, pytest.raises(FactUnavailable) as held_back:
        link.cancel_consumers(A, ("images",), TIMEOUT_S)

    assert 1 == worker.asked.count("cancel_consumer")
    assert FactUnavailable is type(held_back.value)  # the first round went out, so not `NotSent`


@pytest.mark.parametrize(
    "order",
    [
        lambda link: link.cancel_consumers(A, ("images",), TIMEOUT_S),
        lambda link: link.add_consumers(A, ("images",), TIMEOUT_S),
        lambda link: link.stop_worker(A, TIMEOUT_S),
    ],
    ids=["cancel", "add", "stop"],
)
def test_an_order_of_which_nothing_went_out_says_so(order: Callable[[CeleryLink], None]) -> None:
    """Nobody is blamed for what we held back ourselves; questions are still asked."""
    worker = ScriptedWorker(A, consumes={"images"})
    with linked_to(worker, may_act=lambda: False) as link:
        with pytest.raises(NotSent, match="the lease is not surely ours"):
            order(link)
        assert Hands(active=0, reserved=0, scheduled=0) == link.hands([A], TIMEOUT_S)[A]

    assert {"cancel_consumer", "add_consumer", "shutdown"}.isdisjoint(worker.asked)


def test_an_order_whose_time_is_up_is_not_published() -> None:
    """It waited for a broker that took nothing; whoever gave it has answered for it long ago."""
    worker = ScriptedWorker(A, consumes={"images"})
    clock = Hourglass()
    with linked_to(worker, clock) as link:
        wire: Any = link._connection
        clock.ends_after(1, "")
        later: list[Callable[[], None]] = []
        wire.add_callback_threadsafe = later.append
        with pytest.raises(FactUnavailable, match="did not take the order"):
            link.stop_worker(A, 0.0)
        clock.answered("")
        for publish in later:
            publish()

    assert 1 == len(later)
    assert [] == worker.asked
