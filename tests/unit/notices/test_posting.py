"""The log with ears, against a real server on loopback that is slow, wrong, silent or asks for patience."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from autoscaler.clock import SystemClock
from autoscaler.config import ConfigError
from autoscaler.notices import Notices, posting
from testbed.webhooks import Receiver, Reply, receiver
from tests.unit.notices.saying import section, settings
from tests.unit.stand_ins import Heard, wait_for

PATH = "/services/T0123456/abcdefghijklmnop"
NODE = {"pool": "images", "error": "boom"}


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of production are for people."""
    monkeypatch.setattr(posting, "PACE_S", 0.01)
    monkeypatch.setattr(posting, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(posting, "_LONGEST_PAUSE_S", 0.05)


@contextmanager
def listening(*sections: str, grace_s: float = 5.0, **urls: str) -> Iterator[tuple[Notices, Heard]]:
    heard = Heard()
    notices = Notices(heard, SystemClock())
    notices.prepare(settings(*(sections or (section(),)), **urls))()
    try:
        yield notices, heard
    finally:
        notices.close(grace_s)


def fail(notices: Notices, node: str = "n1") -> None:
    notices.say("node.failed", node=node, **NODE)


def slowest_s(acts: int, act: Callable[[int], None]) -> float:
    slowest = 0.0
    for number in range(acts):
        began = time.monotonic()
        act(number)
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def events(hook: Receiver) -> list[str]:
    return [told.document["event"] for told in hook.told]


def test_what_was_chosen_arrives_and_everything_stands_in_the_log(hook: Receiver) -> None:
    """In order, once; the end of it, too."""
    with listening(ops=f"{hook.url}{PATH}") as (notices, heard):
        fail(notices)
        notices.say("fact.missed", fact="demand", why="down")
        notices.say("node.recovered", node="n1")
        wait_for(lambda: len(hook.told) == 2, "two notices")

    assert ["node.failed", "fact.missed", "node.recovered"] == heard.names()
    assert ["node.failed", "node.recovered"] == events(hook)
    first = hook.told[0]
    assert ("POST", PATH, "application/json") == (first.method, first.path, first.headers["Content-Type"])
    assert "node.failed" == hook.told[1].document["ends"]


def test_a_token_goes_into_its_header_and_a_room_into_the_path(hook: Receiver) -> None:
    """As the Matrix client-server API wants it."""
    more = 'level = "error"\nroom = "!a:b.example"\ntoken = { env = "PASSWORD" }\n'
    with listening(section("room", more, shape="matrix"), room=f"{hook.url}/") as (notices, _):
        fail(notices)
        wait_for(lambda: hook.told, "a notice")

    (told,) = hook.told
    assert ("PUT", "Bearer p@ss/w:rd%") == (told.method, told.headers["Authorization"])
    assert told.path.startswith("/_matrix/client/v3/rooms/%21a%3Ab.example/send/m.room.message/")
    assert "m.text" == told.document["msgtype"]


@pytest.mark.parametrize(
    "reply", [Reply(late_s=math.inf), Reply(trickle_s=0.05), Reply(status=500), Reply(late_s=0.5)]
)
def test_a_receiver_that_hangs_trickles_or_fails_delays_nobody_who_speaks(
    hook: Receiver, reply: Reply
) -> None:
    """A tick says dozens of events; each takes microseconds, whatever becomes of the notices."""
    hook.always(reply)
    with listening(section(more='level = "info"\ntimeout = "300ms"\n'), grace_s=0.1, ops=hook.url) as (
        notices,
        heard,
    ):
        fail(notices, "before")
        wait_for(lambda: hook.told, "the first try")
        slowest = slowest_s(500, lambda number: fail(notices, f"n{number}"))

        assert slowest < 0.1
        assert 501 == heard.names().count("node.failed")


def test_a_failure_is_tried_again_and_what_follows_waits_its_turn(hook: Receiver) -> None:
    """The same notice by the same number, so that a receiver may know it."""
    hook.answer(Reply(status=500), Reply(status=503), Reply(status=200))
    with listening(ops=hook.url) as (notices, heard):
        fail(notices, "n1")
        fail(notices, "n2")
        wait_for(lambda: len(hook.told) == 4, "four requests")

    assert ["n1", "n1", "n1", "n2"] == [told.document["fields"]["node"] for told in hook.told]
    assert 2 == len({told.document["id"] for told in hook.told})
    assert ["node.failed", "node.failed"] == heard.names()


@pytest.mark.parametrize("say_when", [lambda: "1", lambda: formatdate(time.time() + 2.0, usegmt=True)])
def test_a_receiver_that_says_when_is_not_asked_before(hook: Receiver, say_when: Callable[[], str]) -> None:
    """Seconds or a date, as HTTP has it; our own pause would be a fiftieth of that."""
    hook.answer(Reply(status=429, headers={"Retry-After": say_when()}))
    with listening(ops=hook.url) as (notices, _):
        fail(notices)
        wait_for(lambda: hook.told, "the first try")
        began = time.monotonic()
        wait_for(lambda: len(hook.told) == 2, "the second try")

    assert time.monotonic() - began > 0.7


def test_matrix_servers_say_it_in_the_body(hook: Receiver) -> None:
    """Those from before they had the header."""
    hook.answer(Reply(status=429, body=b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 800}'))
    with listening(ops=hook.url) as (notices, _):
        fail(notices)
        wait_for(lambda: hook.told, "the first try")
        began = time.monotonic()
        wait_for(lambda: len(hook.told) == 2, "the second try")

    assert time.monotonic() - began > 0.6


def test_a_definite_no_is_said_once_and_not_asked_again(hook: Receiver) -> None:
    """With the receiver's own word, and without the address that it repeats."""
    hook.answer(Reply(status=404, body=f"no_service: cannot POST {PATH}".encode()))
    with listening(ops=f"{hook.url}{PATH}") as (notices, heard):
        fail(notices)
        wait_for(lambda: "notice.failed" in heard.names(), "word of the failure")
        fail(notices, "n2")
        wait_for(lambda: "notice.recovered" in heard.names(), "word of its end")

    ((_, fields),) = [each for each in heard.events if each[0] == "notice.failed"]
    assert ("ops", "node.failed", 1) == (fields["notice"], fields["about"], fields["tries"])
    assert "status 404 (no_service: cannot POST ********)" == fields["why"]
    assert 1 == hook.told[1].document["lost"]


def test_tries_have_an_end(hook: Receiver) -> None:
    """Then it is said in the log, and the next notice tells how many went before it."""
    hook.answer(*[Reply(status=500)] * posting.MOST_TRIES)
    with listening(ops=hook.url) as (notices, heard):
        fail(notices)
        wait_for(lambda: "notice.failed" in heard.names(), "word of the failure")
        assert posting.MOST_TRIES == len(hook.told)
        fail(notices, "n2")
        wait_for(lambda: len(hook.told) == posting.MOST_TRIES + 1, "the next one")

    assert 1 == hook.told[-1].document["lost"]
    assert "1 notice could not be told" in hook.told[-1].document["text"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_nothing_is_told_elsewhere(hook: Receiver, status: int) -> None:
    """Nor a token given to whoever answers there."""
    with receiver() as elsewhere, listening(ops=hook.url) as (notices, heard):
        hook.answer(Reply(status=status, headers={"Location": f"{elsewhere.url}/stolen"}))
        fail(notices)
        wait_for(lambda: "notice.failed" in heard.names(), "word of the failure")

        assert [] == elsewhere.told


def test_one_that_hangs_keeps_no_other_from_hearing(hook: Receiver) -> None:
    """It costs the others its time-out at most."""
    with receiver() as dead:
        dead.always(Reply(late_s=math.inf))
        slow = section("slow", 'level = "error"\ntimeout = "300ms"\n')
        with listening(slow, section(), grace_s=0.1, slow=dead.url, ops=hook.url) as (notices, _):
            for number in range(5):
                fail(notices, f"n{number}")
            wait_for(lambda: len(hook.told) == 5, "five notices to the other one")


def test_of_too_many_the_oldest_go_and_are_counted(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in the log, and to the receiver once it takes notices again."""
    monkeypatch.setattr(posting, "MOST_WAITING", 5)
    hook.answer(Reply(late_s=0.5))
    with listening(ops=hook.url) as (notices, heard):
        fail(notices, "first")
        wait_for(lambda: hook.told, "the first try")
        for number in range(20):
            fail(notices, f"n{number}")
        wait_for(lambda: len(hook.told) == 6, "the last five")
        wait_for(lambda: "notice.dropped" in heard.names(), "word of the others")

    assert [f"n{number}" for number in range(15, 20)] == [t.document["fields"]["node"] for t in hook.told[1:]]
    ((_, fields),) = [each for each in heard.events if each[0] == "notice.dropped"]
    # The first one had arrived already, and gave up its place in the queue.
    assert 16 == fields["count"]
    assert 16 == hook.told[1].document["lost"]
    assert 0 == hook.told[2].document["lost"]


def test_the_end_tells_what_is_left_within_its_grace(hook: Receiver) -> None:
    """`daemon.stopped` is the last word, and somebody waits for it."""
    with listening(section(more='events = ["daemon.stopped", "node.failed"]\n'), ops=hook.url) as (
        notices,
        _,
    ):
        fail(notices)
        notices.say("daemon.stopped", left_in_flight=0)
        notices.close(5.0)
        notices.say("daemon.stopped", left_in_flight=1)

    assert ["node.failed", "daemon.stopped"] == events(hook)


def test_the_end_waits_for_nobody_beyond_its_grace(hook: Receiver) -> None:
    """A receiver that hangs does not keep the daemon; what was left is said."""
    hook.always(Reply(late_s=math.inf))
    with listening(grace_s=0.3, ops=hook.url) as (notices, heard):
        fail(notices)
        fail(notices, "n2")
        wait_for(lambda: hook.told, "the first try")
        began = time.monotonic()
        notices.close(0.3)
        took_s = time.monotonic() - began

    assert took_s < 2.0
    assert "notice.dropped" in heard.names()


def test_another_configuration_counts_from_then_on(hook: Receiver) -> None:
    """Who stays remembers: the end of what was told goes to the new address."""
    with (
        receiver() as other,
        listening(section(more='events = ["fact.missed"]\n'), ops=hook.url) as (
            notices,
            _,
        ),
    ):
        notices.say("fact.missed", fact="demand", why="down")
        wait_for(lambda: hook.told, "the first notice")
        notices.prepare(settings(section(more='events = ["node.failed"]\n'), ops=other.url))()
        notices.say("fact.recovered", fact="demand")
        fail(notices)
        wait_for(lambda: len(other.told) == 2, "two at the other address")

        assert ["fact.recovered", "node.failed"] == events(other)
        notices.prepare(settings())()
        fail(notices, "n2")
    assert (1, 2) == (len(hook.told), len(other.told))


def test_settings_that_cannot_be_taken_in_change_nothing(hook: Receiver) -> None:
    """They are judged before anything is replaced."""
    with listening(ops=hook.url) as (notices, _):
        with pytest.raises(ConfigError):
            notices.prepare(settings(section(), ops="nowhere"))
        fail(notices)
        wait_for(lambda: hook.told, "a notice to the address before")


def test_a_notice_that_cannot_be_written_is_given_up_and_the_next_one_is_told(hook: Receiver) -> None:
    """A field may be anything; who says it does not hear of that."""

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with listening(ops=hook.url) as (notices, heard):
        notices.say("node.failed", node="n1", pool="images", error=Odd())
        notices.say("node.failed", node=Odd(), pool="images", error="boom")
        wait_for(lambda: heard.names().count("notice.failed") == 2, "word of both")
        fail(notices, "n2")
        wait_for(lambda: hook.told, "the next notice")

    assert ["n2"] == [told.document["fields"]["node"] for told in hook.told]


def test_many_threads_may_speak_at_once(hook: Receiver) -> None:
    """Calls, files and the vigil have threads of their own."""
    with listening(ops=hook.url) as (notices, _):
        speaking = [
            threading.Thread(target=lambda of=of: [fail(notices, f"{of}-{n}") for n in range(10)])
            for of in range(5)
        ]
        for thread in speaking:
            thread.start()
        for thread in speaking:
            thread.join(10)
        wait_for(lambda: len(hook.told) == 50, "fifty notices")

    assert 50 == len({told.document["fields"]["node"] for told in hook.told})
