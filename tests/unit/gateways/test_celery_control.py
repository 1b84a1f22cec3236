"""Requests as workers read them, and what is believed of their replies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.facts import Hands, Missing
from autoscaler.core.model import WorkerName
from autoscaler.gateways import celery_control
from autoscaler.gateways.celery_control import Errand, Request, Waiting

A, B = WorkerName("celery@a"), WorkerName("celery@b")


def a_wait(*workers: WorkerName) -> Waiting:
    request = Request(method="ping", workers=workers or None, ticket="t")
    return Waiting(request=request, errand=Errand(until=0.0))


def test_a_request_is_a_pidbox_message() -> None:
    """Field for field what kombu's own mailbox sends, so that old and new workers read it."""
    request = Request(method="cancel_consumer", workers=(A,), ticket="t", arguments={"queue": "q"})

    assert {
        "method": "cancel_consumer",
        "arguments": {"queue": "q"},
        "destination": ["celery@a"],
        "pattern": None,
        "matcher": None,
        "ticket": "t",
        "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": "key"},
    } == json.loads(request.body("reply.celery.pidbox", "key"))


def test_a_wait_ends_when_everybody_asked_has_answered() -> None:
    """Each reply comes in a message of its own; others' answers are not taken."""
    waiting = a_wait(A, B)
    waiting.take({A: 1, WorkerName("celery@c"): 9})
    assert not waiting.ended.is_set()

    waiting.take({B: 2})
    assert waiting.ended.is_set()
    assert {A: 1, B: 2} == waiting.replies


def test_a_question_to_everybody_never_ends_early() -> None:
    """Nobody knows how many there are."""
    waiting = a_wait()
    waiting.take({A: 1})

    assert not waiting.ended.is_set()


def test_a_failed_request_lets_go_of_everybody_who_waits() -> None:
    """For the answer and for the sending."""
    waiting = a_wait(A)
    waiting.fail("gone")

    assert (True, True, "gone") == (waiting.ended.is_set(), waiting.sent.is_set(), waiting.failure)


def test_hands_need_all_three_answers() -> None:
    """Two of three are not what a worker holds."""
    replies = {"active": {A: [{}], B: []}, "reserved": {A: [{}, {}]}, "scheduled": {A: [], B: []}}

    assert Hands(active=1, reserved=2, scheduled=0) == celery_control.hands(A, replies)
    assert Missing(why="celery@b did not answer `reserved`") == celery_control.hands(B, replies)


@pytest.mark.parametrize("reply", [{"error": "boom"}, None, 3, "x"], ids=str)
def test_an_answer_that_is_no_list_is_no_answer(reply: object) -> None:
    """A worker that says `error` has not said what it holds."""
    replies = {method: {A: reply} for method in ("active", "reserved", "scheduled")}

    assert isinstance(celery_control.hands(A, replies), Missing)


def test_the_queues_a_worker_consumes_are_read_or_unknown() -> None:
    """A reply that is not understood is not an empty one."""
    assert {"a", "b"} == celery_control.consumed([{"name": "a"}, {"name": "b", "exchange": {}}])
    assert frozenset() == celery_control.consumed([])
    assert None is celery_control.consumed([{"name": 3}])
    assert None is celery_control.consumed({"error": "x"})


def test_a_refusal_is_told_in_the_workers_words() -> None:
    """Bounded, and told from a yes."""
    assert "boom" == celery_control.refusal({"error": "boom"})
    assert 300 == len(celery_control.refusal({"error": "x" * 999}))
    assert "" == celery_control.refusal({"ok": "no longer consuming from q"}) == celery_control.refusal(None)


@given(st.binary(max_size=200) | st.lists(st.integers()).map(lambda v: json.dumps(v).encode()))
def test_no_reply_raises(body: bytes) -> None:
    """Anybody may publish to the reply exchange."""
    replies = celery_control.read(body)
    waiting = a_wait(A)
    waiting.take(replies)

    assert waiting.replies.keys() <= {A}


def test_a_reply_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole tasks with their arguments are big, but not that big."""
    monkeypatch.setattr(celery_control, "_LARGEST_BODY", 10)

    assert {} == celery_control.read(b'{"celery@a": []}')
