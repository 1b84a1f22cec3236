"""Heartbeats are read within a share of a core, and what is left unread is nobody's silence."""

import pytest

from autoscaler import meters
from autoscaler.gateways import celery_listening, roll_calls
from autoscaler.gateways.roll_calls import SHARE
from tests.unit.gateways.played_broker import PlayedBroker, beat, name_of

WORKERS = 4_000
PER_S = WORKERS / 2.0
LIGHT_S, HEAVY_S = 0.5 * SHARE / PER_S, 4 * SHARE / PER_S
"""Seconds of a core for one beat: half of what may be spent on all of them, and four times as much."""


def a_broker(read_s: float) -> PlayedBroker:
    """Five seconds after the first connection: the listener has heard itself."""
    broker = PlayedBroker(workers=WORKERS, read_s=read_s)
    broker.live(5)
    return broker


def shut(broker: PlayedBroker) -> None:
    """Between two roll calls."""
    for _ in range(60):
        if broker.unbound:
            return
        broker.live(0.5)
    raise AssertionError("every beat is let in, though they are more than may be read")


def read(broker: PlayedBroker) -> float:
    found = {each.labels: each.total for each in broker.counted.read()[meters.WORKER_MESSAGES.name]}
    return found["heard",]


def test_what_can_be_read_within_the_share_is_read_whole() -> None:
    """Nothing is dropped, and everybody's last word is as young as it can be."""
    broker = a_broker(LIGHT_S)
    before = read(broker)
    broker.live(10)

    assert 0 == broker.unbound
    assert 10 * PER_S == pytest.approx(read(broker) - before, rel=0.02)
    seen = broker.hears()
    assert 0.0 == seen.unheard_s
    assert max(each.silent_s for each in seen.workers.values()) < 2.2


def test_what_a_hiccup_left_waiting_is_caught_up_with() -> None:
    """A machine that was busy for some seconds is no reason to drop anything."""
    broker = a_broker(LIGHT_S)
    before = read(broker)
    broker.at += 4.0
    broker.live(16)

    assert 0 == broker.unbound
    assert 20 * PER_S == pytest.approx(read(broker) - before, rel=0.02)


def test_more_than_the_share_is_never_spent() -> None:
    """Whatever is said; what came at once counts over some seconds."""
    broker = a_broker(HEAVY_S)
    spent_s, at = broker.cpu_s, broker.at
    broker.live(40)

    assert (broker.cpu_s - spent_s) / (broker.at - at) < 1.15 * SHARE


def test_a_worker_that_speaks_never_looks_silent_however_much_is_dropped() -> None:
    """Each is heard in every roll call, and the clock of silence stands between two of them."""
    broker = a_broker(HEAVY_S)
    began = read(broker)
    for _ in range(40):
        broker.live(1)
        assert max(each.silent_s for each in broker.hears().workers.values()) < 10.0

    assert WORKERS == len(broker.hears().workers)
    assert broker.unbound >= 2
    assert read(broker) - began < 0.5 * 40 * PER_S


def test_a_worker_that_fell_silent_is_found_later_by_as_much_as_was_left_unread() -> None:
    """Hearing a quarter of the time, it takes four times as long; but it is found."""
    broker = a_broker(HEAVY_S)
    broker.silent = {17}
    began = broker.hears()
    broker.live(60)

    seen = broker.hears()
    heard_s = 60 - (seen.unheard_s - began.unheard_s)
    assert 10 < heard_s < 30
    assert heard_s == pytest.approx(seen.workers[name_of(17)].silent_s, abs=8.0)


def test_what_was_left_unread_is_counted() -> None:
    """The meter tells what the sightings tell, once a roll call begins."""
    broker = a_broker(HEAVY_S)
    broker.live(40)
    (counted,) = broker.counted.read()[meters.WORKERS_UNHEARD.name]

    assert 0 < counted.total <= broker.hears().unheard_s + 0.001


def test_a_goodbye_is_heard_between_roll_calls_and_no_older_beat_takes_it_back() -> None:
    """It has a queue of its own; beats said before it are read after it."""
    broker = a_broker(HEAVY_S)
    broker.live(2)
    broker.say("worker.heartbeat", beat(9_999, timestamp=broker.now()))
    shut(broker)
    broker.say("worker.offline", beat(9_999, type="worker-offline", timestamp=broker.now()))
    broker.live(0.1)
    waiting = broker.queue_declare("q1", passive=True).method.message_count
    assert waiting > 0
    assert not broker.hears().workers[name_of(9_999)].online

    broker.live(20)
    assert not broker.hears().workers[name_of(9_999)].online


def test_a_roll_call_that_the_broker_cut_short_says_nothing_of_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More was said than the queue holds, so who was not heard may have spoken."""
    monkeypatch.setattr(roll_calls, "MOST_WAITING", 6_000)
    monkeypatch.setitem(celery_listening._BEATS, "x-max-length", 6_000)
    broker = a_broker(HEAVY_S)
    broker.silent = {17}
    broker.live(10)
    before = broker.hears()
    broker.live(40)

    seen = broker.hears()
    assert broker.unbound >= 2
    assert seen.workers[name_of(17)].silent_s < 10.0
    assert seen.unheard_s - before.unheard_s > 30
    assert not seen.would_hear_within(10)


def test_a_new_connection_begins_with_a_roll_call() -> None:
    """What the old one was about to read is gone, and the time until now is nobody's silence."""
    broker = a_broker(HEAVY_S)
    shut(broker)
    broker.listener.lose()
    broker._queues.clear()
    broker.at += 30.0
    broker.listener.begin(broker)  # type: ignore[arg-type]  # its part of pika's connection
    broker.live(1)

    seen = broker.hears()
    assert seen.listening_s <= 1.0
    assert max(each.silent_s for each in seen.workers.values()) < 10.0
