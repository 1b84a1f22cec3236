"""What answers at the broker's address may be anything: the program of a machine gives up in words and in time."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed.ports import LOOPBACK
from tests.unit.bootstrap import on_machine

STEP_S = 1


def frame(kind: int, payload: bytes, channel: int = 0) -> bytes:
    """As the protocol has it."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(kind: int, number: int, arguments: bytes = b"", channel: int = 0) -> bytes:
    """A method's frame."""
    return frame(1, struct.pack(">HH", kind, number) + arguments, channel)


START = method(10, 10, b"\0\x09" + b"\0" * 12)
TUNE = method(10, 30, struct.pack(">HIH", 0, 131_072, 60))
OPENED = method(10, 41, b"\0") + method(20, 11, b"\0" * 4, 1) + method(85, 11, b"", 1)
LOGGED_IN = START + TUNE + OPENED
EMPTY = method(60, 72, b"\0", 1)


@contextmanager
def server(answer: bytes, *, hangs: bool = False) -> Iterator[int]:
    """A port that says this to whoever comes, whatever it is asked, and then hangs up or says nothing more."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        listening.settimeout(20)
        done = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listening.accept()
                with client:
                    client.settimeout(5)
                    client.sendall(answer)
                    if hangs:
                        done.wait(20)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65_536):
                        pass

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            done.set()
            listening.close()
            serving.join(20)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The program's modules, with little patience."""
    with on_machine.loaded(tmp_path_factory.mktemp("root")) as modules:
        modules.amqp.STEP_S = STEP_S
        yield modules


def _told(here: SimpleNamespace, answer: bytes, *, hangs: bool = False) -> list[bytes] | str:
    """What is read from a queue of such a broker, or the trouble in words."""
    with server(answer, hangs=hangs) as port:
        try:
            connection = here.amqp.connect(f"amqp://me:geheim@{LOOPBACK}:{port}/", None, "a machine")
            try:
                return list(connection.get("q"))
            finally:
                connection.close()
        except OSError as error:
            return str(error)


def test_a_broker_that_keeps_to_the_protocol_is_understood(here: SimpleNamespace) -> None:
    """So that what follows fails for what is wrong in it."""
    assert [] == _told(here, LOGGED_IN + EMPTY)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks no AMQP"),
        (b"AMQP\0\x01\0\0", "speaks no AMQP"),
        (b"\x15\x03\x03\0\x02\x02\x46", "speaks no AMQP"),
        (b"", "hung up"),
        (START[:9], "hung up"),
        (START + frame(1, b""), r"answers \(0, 0\) for \(10, 30\)"),
        (START + frame(3, b"body"), "speaks no AMQP"),
        (START + struct.pack(">BHI", 1, 0, 0xFFFFFFFF), "speaks no AMQP"),
        (START + method(10, 50, b"\x01\x93\x0eACCESS_REFUSED" + b"\0" * 4), "says 403 ACCESS_REFUSED"),
        (START + method(10, 50, b"\x01\x93\xffshort"), "says 403 short"),
        (LOGGED_IN + method(60, 71, b"\0" * 20, 1) + EMPTY, "speaks no AMQP"),
        (LOGGED_IN + method(20, 40, b"\x01\x94\x09NOT_FOUND" + b"\0" * 4, 1), "says 404 NOT_FOUND"),
    ],
)
def test_an_answer_that_is_none_is_trouble_in_words(
    here: SimpleNamespace, answer: bytes, expected: str
) -> None:
    """Never another kind of exception, and never the password."""
    said = _told(here, answer)

    assert isinstance(said, str)
    assert re.search(expected, said)
    assert "geheim" not in said


@pytest.mark.parametrize("answer", [b"", START, START + TUNE, LOGGED_IN, START[:3]])
def test_a_silent_broker_is_given_up_in_time(here: SimpleNamespace, answer: bytes) -> None:
    """At whichever step it stops to speak."""
    began_at = time.monotonic()
    said = _told(here, answer, hangs=True)

    assert isinstance(said, str)
    assert time.monotonic() - began_at < STEP_S + 4


def test_signs_of_life_alone_are_no_answer(here: SimpleNamespace) -> None:
    """A broker that only says that it lives is silent too."""
    assert "hung up" in _told(here, START + frame(8, b"") * 50)


def test_a_message_without_an_end_is_not_read_for_ever(here: SimpleNamespace) -> None:
    """One announced as an exabyte is given up after half a megabyte; it is no grant then."""
    head = frame(2, struct.pack(">HHQH", 60, 0, 1 << 60, 0), 1)
    bodies = frame(3, b"x" * 131_072, 1) * 5
    said = _told(here, LOGGED_IN + method(60, 71, b"\0" * 8 + b"\0" * 12, 1) + head + bodies)

    assert isinstance(said, str)


chunk = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [START, TUNE, OPENED, EMPTY, LOGGED_IN, frame(8, b""), frame(2, b"\0" * 14, 1), frame(3, b"{}", 1)]
    ),
    st.tuples(
        st.sampled_from([(10, 50), (20, 40), (60, 71), (60, 50), (60, 80)]), st.binary(max_size=30)
    ).map(lambda drawn: method(*drawn[0], drawn[1], 1)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(chunk, max_size=6).map(b"".join))
def test_no_bytes_make_it_fail_otherwise(here: SimpleNamespace, answer: bytes) -> None:
    """Whatever comes, it is messages or an OSError: the thread that tells the fleet goes on."""
    for before in (b"", LOGGED_IN):
        _told(here, before + answer)


keys = st.sampled_from(["v", "proof", "broker_url", "environment", "x"])
documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
)


@given(body=st.binary(max_size=200) | documents.map(json.dumps).map(str.encode) | st.just(b"[" * 200_000))
def test_no_message_is_a_grant_without_its_proof(here: SimpleNamespace, body: bytes) -> None:
    """It is passed over in words, and nothing is written."""
    wanted = SimpleNamespace(node="n", token="5e" * 32)
    queue = SimpleNamespace(get=lambda _: iter([body]))

    assert "" == here.grant.look(queue, wanted)
    assert not Path(here.machine.ETC).exists()
