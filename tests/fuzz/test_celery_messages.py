"""Whatever is published where workers speak: nobody is seen who did not speak, and idle is only who says so in full."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pika.spec import Basic, BasicProperties

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Hands, Missing, Sightings
from autoscaler.core.model import WorkerName
from autoscaler.gateways import celery_control, celery_link
from autoscaler.gateways.celery_control import Errand, Waiting
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.contract import FactUnavailable
from tests.fuzz import odd
from tests.unit.gateways.control_stage import ScriptedWorker, linked_to
from tests.unit.gateways.looking import HandClock

A, B, OTHER = WorkerName("celery@a"), WorkerName("celery@b"), WorkerName("celery@elsewhere")
HEARTBEAT = {
    "type": "worker-heartbeat", "hostname": A, "pid": 7, "utcoffset": -1, "timestamp": 1.7e9, "clock": 12, "freq": 2.0,
    "active": 1, "processed": 100, "loadavg": [0.1, 0.2, 0.3], "sw_ident": "py-celery", "sw_ver": "5.5",
}  # fmt: skip
EVENTS: tuple[Any, ...] = (
    HEARTBEAT,
    HEARTBEAT | {"hostname": B, "processed": 3, "timestamp": -1e18},
    HEARTBEAT | {"type": "worker-online", "timestamp": 1e300},
    HEARTBEAT | {"type": "worker-offline"},
    {"type": "task-received", "hostname": OTHER, "uuid": "1"},
    {"type": "autoscaler-probe", "hostname": "autoscaler@here", "pid": 1},
    [HEARTBEAT, HEARTBEAT | {"hostname": B, "type": "worker-offline"}],
)
KINDS = {"worker-online", "worker-heartbeat", "worker-offline"}
TASK = {"id": "1", "name": "images.resize", "args": [1], "kwargs": {}, "hostname": A, "time_start": 1.0}
properties = st.builds(
    BasicProperties,
    content_type=st.sampled_from([None, "application/json", "application/x-python-serialize", "text/plain", "\xff"]),
    content_encoding=st.sampled_from([None, "utf-8", "binary", "gzip", "utf-16"]),
    headers=st.sampled_from([None, {}, {"compression": "application/x-gzip"}, {"hostname": 5, "ticket": [1]}]),
)  # fmt: skip
event_bodies = st.sampled_from(EVENTS).flatmap(odd.bodies)


def a_link() -> Any:
    """A link that is connected to nobody and hears its own probe."""
    link: Any = CeleryLink(
        amqp_url="amqp://localhost", username="u", password="p", vhost="/", clock=HandClock()
    )
    link._connection = object()
    probe = Basic.Deliver(routing_key=link._listener._probe_key)
    link._listener._on_word(None, probe, BasicProperties(), b"")
    return link


def said(link: Any, key: str, marked: BasicProperties, body: bytes) -> None:
    """A message comes by the queue that is bound by its key."""
    listener = link._listener
    hear = listener._on_beat if key == "worker.heartbeat" else listener._on_word
    hear(None, Basic.Deliver(routing_key=key), marked, body)


def last_word(own: list[dict[str, Any]]) -> str:
    """The kind of a worker's last event; a beat older than its last hello or goodbye, by its own clock, is none."""
    kind, turned = "", -math.inf
    for event in own:
        at = event.get("timestamp")
        beats, dated = event["type"] == "worker-heartbeat", isinstance(at, float)
        if beats and dated and at < turned:
            continue
        kind = event["type"]
        turned = at if dated and not beats else turned
    return kind


def spoken(body: bytes) -> list[dict[str, Any]]:
    """The worker events that stand in a body, word for word."""
    document = odd.plain(body)
    events = document if isinstance(document, list) else [document]
    return [
        e for e in events if isinstance(e, dict) and isinstance(e.get("type"), str) and e["type"] in KINDS
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["worker.heartbeat", "worker.online", ""]), properties, event_bodies),
        max_size=6,
    )
)
@example([("worker.heartbeat", BasicProperties(), odd.text(HEARTBEAT | {"type": ["worker-heartbeat"]}))])
@example([("worker.heartbeat", BasicProperties(), odd.text(HEARTBEAT | {"\0hostname": OTHER}))])
def test_only_a_worker_that_spoke_is_seen(
    messages: list[tuple[str, BasicProperties, bytes]],
) -> None:
    """By its own heartbeat or greeting, and as it left; with figures that are counts or nothing."""
    link = a_link()
    for key, marked, body in messages:
        link._clock.at += 1.0
        said(link, key, marked, body)
    seen = link.sightings()

    assert isinstance(seen, Sightings)
    events = [event for _, _, body in messages for event in spoken(body)]
    assert seen.workers.keys() <= {
        event.get("hostname") for event in events if isinstance(event.get("hostname"), str)
    }
    for name, sighting in seen.workers.items():
        own = [event for event in events if event.get("hostname") == name]
        assert name == sighting.worker
        assert name.isprintable()
        assert sighting.online is (last_word(own) != "worker-offline")
        assert 0 <= sighting.silent_s <= 6
        for value, key in ((sighting.pid, "pid"), (sighting.active, "active")):
            assert value is None or (type(value) is int and value >= 0 and value in [e.get(key) for e in own])
        rate = sighting.processed_per_s
        assert rate is None or (math.isfinite(rate) and rate >= 0)
    assert [] == odd.exploded


def test_a_heartbeat_is_heard() -> None:
    """Else every law above would hold of the deaf."""
    link = a_link()
    said(link, "worker.heartbeat", BasicProperties(), odd.text(HEARTBEAT))

    assert {A} == link.sightings().workers.keys()


def replies_to(question: int) -> st.SearchStrategy[tuple[int, bytes]]:
    """A worker's answer to that question, or something like it; -1 is a ticket nobody waits for."""
    said = st.sampled_from([[], [], [TASK], [TASK, TASK], {"error": "no such method"}, None, {}, "", 0])
    named = st.dictionaries(st.sampled_from([A, A, B, OTHER]), said, min_size=1, max_size=2)
    return st.tuples(st.sampled_from([question, question, question, -1]), named.flatmap(odd.bodies))


conversations = st.tuples(*(st.lists(replies_to(n), min_size=1, max_size=3) for n in range(3))).map(
    lambda each: list(itertools.chain(*each))
)
IDLE = odd.text({A: []})


@given(conversations, properties)
@example([(0, IDLE), (1, IDLE), (2, IDLE)], BasicProperties())
@example([(0, IDLE), (1, IDLE), (2, odd.text({A: [TASK], f"\0{A}": []}))], BasicProperties())
@example([(0, IDLE), (1, IDLE), (2, odd.text({A: [TASK]})), (2, IDLE)], BasicProperties())
def test_idle_is_only_a_worker_that_answered_every_question_so(
    conversation: list[tuple[int, bytes]], marked: BasicProperties
) -> None:
    """Each by a whole list under its own name and our ticket; answers that contradict each other are none."""
    link = a_link()
    questions = celery_control.QUESTIONS_OF_HANDS
    waiting = [
        Waiting(request=link._request(method, (A, B)), errand=Errand(until=0.0)) for method in questions
    ]
    link._waiting = {one.request.ticket: one for one in waiting}
    for number, body in conversation:
        ticket = waiting[number].request.ticket if number >= 0 else "somebody else's"
        headers = {**(marked.headers or {}), "ticket": ticket}
        link._on_reply(
            None, Basic.Deliver(), BasicProperties(content_type=marked.content_type, headers=headers), body
        )
    answers = link._collect_all(waiting)
    replies = dict(zip(questions, answers, strict=True))

    for worker in (A, B):
        found = celery_control.hands(worker, replies)
        said = [answers_of(worker, conversation, number) for number in range(3)]
        if isinstance(found, Missing):
            assert 0 < len(found.why) < 300
        else:
            assert all(said)
            assert all(isinstance(each, list) and each == own[0] for own in said for each in own)
            assert sum(len(own[0]) for own in said) == found.total
    assert all(answer.keys() <= {A, B} for answer in answers)
    assert {} == link._waiting
    assert [] == odd.exploded


def answers_of(worker: WorkerName, conversation: list[tuple[int, bytes]], number: int) -> list[Any]:
    """What a worker said to one question, in every message that says so in one voice."""
    documents = [
        (odd.plain(body), body)
        for to, body in conversation
        if to == number and isinstance(odd.plain(body), dict)
    ]
    return [
        None if odd.told_twice(body, worker) else said[worker] for said, body in documents if worker in said
    ]


def test_a_worker_that_says_three_times_nothing_is_idle() -> None:
    """Else every law above would hold of the deaf."""
    replies = {method: celery_control.read(IDLE) for method in celery_control.QUESTIONS_OF_HANDS}

    assert Hands(active=0, reserved=0, scheduled=0) == celery_control.hands(A, replies)


class OddWorker(ScriptedWorker):
    """Answers every request with something drawn, and remembers its last word on what it consumes."""

    def __init__(self, answers: list[Any]) -> None:
        super().__init__(A)
        self._answers = itertools.cycle(answers)
        self.consuming: list[Any] = []
        self.orders = 0
        self.most_orders = 0

    def answer(self, method: str, arguments: dict[str, str]) -> Any:
        said = next(self._answers)
        if method == "active_queues":
            self.consuming.append(said)
            self.orders = 0
        else:
            self.orders += 1
            self.most_orders = max(self.most_orders, self.orders)
        return said


QUEUES = [{"name": "images", "exchange": {"name": "images"}}, {"name": "own"}]
odd_answers = st.one_of(
    st.just([]),
    st.just({"ok": "done"}),
    odd.spoiled(QUEUES),
    odd.values,
    st.builds(lambda n: {"error": n}, odd.values),
)


@odd.fewer(3)
@given(st.lists(odd_answers, min_size=1, max_size=6))
@example([[{"name": f"q{n}"} for n in range(500)]])
def test_a_drain_is_confirmed_only_by_an_empty_list_of_queues(answers: list[Any]) -> None:
    """Everything else is a FactUnavailable in words, and however many queues it names, orders stay bounded."""
    worker = OddWorker(answers)
    why = ""
    with pytest.MonkeyPatch.context() as patch, linked_to(worker, SystemClock()) as link:
        patch.setattr(celery_link, "_ASK_AGAIN_S", 0.0)
        try:
            link.cancel_consumers(A, ("images",), 0.05)
        except FactUnavailable as error:
            why = str(error)

    assert 0 < len(why) <= 1_000 or worker.consuming[-1] == []
    assert worker.most_orders <= 100
