"""The policy `backlog` by value."""

from __future__ import annotations

import pytest

from policies.backlog import open_policy
from policies.contract import Recommendation
from tests.unit.policies.builders import NOW, a_demand, a_history, a_supply


def recommend(
    backlog: int, in_progress: int = 0, *, share: float = 10, in_hand: int | None = None, **options: object
) -> Recommendation:
    """What `backlog` asks for."""
    policy = open_policy({"messages_per_worker": share, **options})
    supply = a_supply(3, tasks_in_hand=in_hand)
    return policy.recommend(a_demand(backlog, in_progress), supply, a_history(), at=NOW)


@pytest.mark.parametrize(
    ("backlog", "share", "workers"),
    [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (120, 10, 12), (250, 20, 13), (221, 20, 12), (179, 20, 9),
     (7, 0.7, 10), (5, 2.5, 2), (10**18, 1, 10**18)],
)  # fmt: skip
def test_every_share_of_messages_begun_asks_for_a_worker(backlog: int, share: float, workers: int) -> None:
    """ceil(messages / messages_per_worker), as the HPA's AverageValue, exact for numbers as an operator types them."""
    assert workers == recommend(backlog, share=share).workers


def test_messages_in_progress_count() -> None:
    """Else the wish would fall as soon as the workers took the messages."""
    assert 3 == recommend(10, in_progress=20).workers


def test_tasks_in_the_workers_hands_count_where_the_broker_sees_fewer() -> None:
    """With early acknowledgement the broker forgets a running task; the larger count is taken, not the sum."""
    assert 3 == recommend(10, in_progress=5, in_hand=20).workers
    assert 3 == recommend(10, in_progress=20, in_hand=5).workers


def test_progress_is_left_out_where_the_operator_says_so() -> None:
    """`count_in_progress = false` counts the waiting messages alone."""
    assert 1 == recommend(10, in_progress=50, in_hand=50, count_in_progress=False).workers


def test_it_says_why_and_what_would_change_it() -> None:
    """The number, where it comes from, and the nearest backlog on either side that asks for another one."""
    asked = recommend(99)

    assert "99 messages at 10 a worker ask for 10" == asked.why
    assert "2 more messages would ask for 11 workers, 9 fewer for 9" == asked.would_change
    assert 9.9 == asked.exact


@pytest.mark.parametrize("share", [0.3, 1, 2.5, 10, 64])
@pytest.mark.parametrize("messages", [0, 1, 2, 7, 10, 63, 64, 65, 99, 100])
def test_the_nearest_change_is_the_nearest(messages: int, share: float) -> None:
    """The number of messages it names asks for something else, and one message less does not."""
    asked = recommend(messages, share=share)
    more = int(asked.would_change.split()[0])

    assert recommend(messages + more, share=share).workers != asked.workers
    assert recommend(messages + more - 1, share=share).workers == asked.workers


def test_messages_that_only_the_workers_see_are_named() -> None:
    """Else the sum would not fit what the sentence shows as waiting and in progress."""
    assert (
        "12 messages, 2 of them in the workers' hands, at 10 a worker ask for 2"
        == recommend(10, in_hand=2).why
    )
