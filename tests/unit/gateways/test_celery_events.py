"""What workers say becomes sightings, whoever else may publish to their exchange."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.facts import Sighting
from autoscaler.core.model import WorkerName
from autoscaler.gateways import celery_events
from autoscaler.gateways.celery_events import Hearing, WorkerEvent

A = WorkerName("celery@a")


def heartbeat(**changes: object) -> dict[str, object]:
    return {
        "type": "worker-heartbeat",
        "hostname": "celery@a",
        "pid": 7,
        "active": 2,
        "processed": 10,
    } | changes


def read(document: object) -> list[WorkerEvent]:
    return list(celery_events.read(json.dumps(document).encode()))


def heard(*events: tuple[float, dict[str, object]]) -> Hearing:
    hearing = Hearing()
    for at, event in events:
        for one in read(event):
            hearing.take(one, at)
    return hearing


def test_a_heartbeat_is_a_sighting() -> None:
    """With its age on our own clock, never on the worker's."""
    hearing = heard((100.0, heartbeat(timestamp=1e18)))

    expected = Sighting(worker=A, silent_s=3.0, online=True, pid=7, active=2, processed=10)
    assert {A: expected} == hearing.sightings(103.0)


def test_a_goodbye_is_remembered_until_the_worker_is_heard_again() -> None:
    """`worker-offline` is evidence too."""
    hearing = heard((100.0, heartbeat()), (110.0, heartbeat(type="worker-offline")))

    assert not hearing.sightings(111.0)[A].online

    hearing.take(read(heartbeat(type="worker-online"))[0], 112.0)

    assert hearing.sightings(112.0)[A].online


@pytest.mark.parametrize(
    "begins",
    [heartbeat(type="worker-online"), heartbeat(pid=8), heartbeat(processed=9)],
    ids=["it says so", "another process", "its count fell"],
)
def test_a_worker_that_begins_anew_is_known_by_its_word_its_pid_or_its_count(
    begins: dict[str, object],
) -> None:
    """A container's processes all have pid 1; what one of them confirmed binds not the next."""
    hearing = heard((100.0, heartbeat()), (110.0, begins), (112.0, begins | {"type": "worker-heartbeat"}))

    assert 5.0 == hearing.sightings(115.0)[A].began_s


def test_a_worker_that_was_up_before_us_is_not_taken_for_one_that_begins() -> None:
    """A heartbeat is all we know of it."""
    assert heard((100.0, heartbeat()), (102.0, heartbeat(processed=11))).sightings(103.0)[A].began_s is None


def test_a_beat_said_before_a_goodbye_or_a_hello_is_no_word_after_it() -> None:
    """Beats wait in a queue of their own. Only the worker's own clock orders them, and only for some seconds."""
    goodbye = heartbeat(type="worker-offline", timestamp=50.0)
    said = heard((100.0, heartbeat(timestamp=48.0)), (101.0, goodbye), (102.0, heartbeat(timestamp=49.0)))
    assert not said.sightings(102.0)[A].online

    said.take(read(heartbeat(type="worker-online", pid=8, timestamp=52.0))[0], 103.0)
    said.take(read(heartbeat(timestamp=51.0))[0], 104.0)
    assert (True, 8) == (said.sightings(104.0)[A].online, said.sightings(104.0)[A].pid)

    said.take(read(heartbeat(type="worker-offline", pid=8, timestamp=53.0))[0], 105.0)
    said.take(read(heartbeat(pid=8, timestamp=53.5))[0], 106.0)
    assert said.sightings(106.0)[A].online


def test_a_worker_whose_clock_was_set_back_is_heard_again_within_seconds() -> None:
    """It said hello an hour ahead; its beats are not old for ever."""
    hello = heartbeat(type="worker-online", timestamp=4_000.0)
    said = heard((100.0, hello), (109.0, heartbeat(timestamp=400.0)))
    assert 9.0 == said.sightings(109.0)[A].silent_s

    said.take(read(heartbeat(timestamp=402.0))[0], 111.0)
    assert 0.0 == said.sightings(111.0)[A].silent_s


def test_rates_and_begins_go_by_the_clock_that_never_stops() -> None:
    """Tasks are taken up while nobody is listened to as well."""
    hearing = Hearing()
    hearing.take(read(heartbeat(processed=0))[0], 100.0, 1_000.0)
    hearing.take(read(heartbeat(processed=0, type="worker-online"))[0], 102.0, 1_002.0)
    hearing.take(read(heartbeat(processed=60))[0], 103.0, 1_030.0)

    seen = hearing.sightings(104.0, 1_042.0)[A]
    assert (1.0, 40.0) == (seen.silent_s, seen.began_s)
    assert 2.0 == pytest.approx(seen.processed_per_s or 0.0, rel=0.1)


def test_throughput_is_counted_over_the_last_minute() -> None:
    """Heartbeats come every two seconds; a minute of them is enough, and little of it is kept."""
    hearing = heard(
        *((float(t), heartbeat(processed=t * 3 if t < 600 else 1800 + (t - 600))) for t in range(0, 800, 2))
    )

    assert 1.0 == pytest.approx(hearing.sightings(799.0)[A].processed_per_s, rel=0.01)
    assert 18 >= len(hearing._workers[A].processed)


@pytest.mark.parametrize(
    "change", [{"pid": 8, "processed": 900}, {"processed": 3}], ids=["new process", "fallen"]
)
def test_a_worker_that_began_anew_is_counted_anew(change: dict[str, object]) -> None:
    """Its counter says nothing about the process before."""
    hearing = heard((0.0, heartbeat()), (30.0, heartbeat(processed=400)), (40.0, heartbeat(**change)))

    assert None is hearing.sightings(40.0)[A].processed_per_s


def test_a_batch_of_events_is_read_whole() -> None:
    """Celery may send a list."""
    assert [A, "celery@b"] == [e.worker for e in read([heartbeat(), 7, heartbeat(hostname="celery@b")])]


@pytest.mark.parametrize(
    "document",
    [
        None, 7, "worker-online", [], {}, [[heartbeat()]],
        heartbeat(type="task-sent"), heartbeat(type=["worker-online"]), heartbeat(type=None),
        heartbeat(hostname=""), heartbeat(hostname=None), heartbeat(hostname="x" * 256), heartbeat(hostname="a\nb"),
        heartbeat(hostname="\x1b[2J"), {"type": "autoscaler-probe", "hostname": "autoscaler@x"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_understood_is_passed_over(document: object) -> None:
    """Other events, other types, names that would harm a terminal."""
    assert [] == read(document)


@pytest.mark.parametrize("value", [-1, 2.5, "3", True, None, 2**60, []], ids=str)
def test_an_implausible_count_is_left_out(value: object) -> None:
    """The worker was heard all the same."""
    (event,) = read(heartbeat(active=value, processed=value, pid=value))

    assert (None, None, None) == (event.active, event.processed, event.pid)


def test_a_body_too_large_is_not_read() -> None:
    """One megabyte is more than any worker sends."""
    assert [] == list(celery_events.read(json.dumps([heartbeat()] * 20_000).encode()))


def test_the_longest_unheard_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of made-up names cannot push out workers that speak every two seconds, nor fill the memory."""
    monkeypatch.setattr(celery_events, "_MOST_WORKERS", 10)
    hearing = Hearing()
    for i in range(100):
        hearing.take(read(heartbeat(hostname=f"made-up-{i}"))[0], float(i))
        hearing.take(read(heartbeat())[0], float(i))

    assert 10 == len(hearing.sightings(100.0))
    assert A in hearing.sightings(100.0)


def test_a_worker_unheard_for_an_hour_is_forgotten() -> None:
    """Long after every deadline that could rest on it."""
    hearing = heard((0.0, heartbeat()))

    assert A in hearing.sightings(3599.0)
    assert A not in hearing.sightings(3601.0)


@given(st.binary(max_size=300))
def test_no_body_raises(body: bytes) -> None:
    """Bytes of any kind."""
    list(celery_events.read(body))


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["worker-heartbeat", "worker-offline", 3]),
        "hostname": st.sampled_from(["a", "b"]) | VALUES,
        "pid": VALUES,
        "active": VALUES,
        "processed": st.integers(0, 99) | VALUES,
    }
)


@given(st.lists(EVENTS))
def test_no_event_breaks_the_sightings(events: list[dict[str, Any]]) -> None:
    """Whatever is said, ages and rates are never negative."""
    hearing = Hearing()
    for at, event in enumerate(celery_events.read(json.dumps(events).encode())):
        hearing.take(event, float(at))

    for sighting in hearing.sightings(float(len(events))).values():
        assert sighting.silent_s >= 0
        assert sighting.processed_per_s is None or sighting.processed_per_s >= 0
