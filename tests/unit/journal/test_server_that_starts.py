"""A server that says no to every login, in PostgreSQL's own words: which of them pass by themselves."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoscaler.journal import JournalAway, JournalUnavailable, open_journal

_LONGEST_S = 10.0


@contextmanager
def refusing(sqlstate: str, message: str) -> Iterator[int]:
    """A server that answers every start-up packet with that error; its port."""
    fields = f"SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0".encode()
    answer = b"E" + struct.pack("!i", len(fields) + 4) + fields
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the end of the block shuts the socket under it
                while True:
                    client, _ = listening.accept()
                    with client, contextlib.suppress(OSError):
                        client.settimeout(_LONGEST_S)
                        client.recv(4096)
                        client.sendall(answer)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            server.join(_LONGEST_S)


@pytest.mark.parametrize(
    "says",
    [
        "the database system is starting up",
        "the database system is shutting down",
        "the database system is in recovery mode",
        "the database system is not yet accepting connections",
    ],
)
def test_a_server_that_comes_up_or_goes_down_is_waited_for(says: str) -> None:
    """All words of `backend_startup.c` for what passes by itself; a login that fails has no code for a client."""
    with refusing("57P03", says) as port, pytest.raises(JournalAway, match="going down or coming up"):
        open_journal(f"postgresql+psycopg://me@127.0.0.1:{port}/journal?sslmode=disable")


@pytest.mark.parametrize(
    ("sqlstate", "says"),
    [
        ("57P03", "the database system is not accepting connections"),  # a replica that serves nobody
        ("55000", 'database "journal" is not currently accepting connections'),
        ("28P01", 'password authentication failed for user "me"'),
    ],
)
def test_what_only_people_can_mend_is_told_at_once(sqlstate: str, says: str) -> None:
    """Who waits for these waits for ever, and says nothing."""
    with refusing(sqlstate, says) as port, pytest.raises(JournalUnavailable, match=says) as refused:
        open_journal(f"postgresql+psycopg://me@127.0.0.1:{port}/journal?sslmode=disable")
    assert not isinstance(refused.value, JournalAway)
