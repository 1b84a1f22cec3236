"""A connection to the broker by AMQP 0-9-1, of our own because a fresh machine has no library for it.

In go a URL and what to say; out come confirmations and messages, or an OSError in words without a password. Every step
has a time-out, every answer a largest size. What never happens here: a certificate that is not looked at, a second
attempt; whoever calls knows whether one is due.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

STEP_S = 15
"""For one step: a login, a publish with its confirmation, a look into a queue."""
LARGEST = 131_072
"""Bytes of a frame; four such are the largest message."""
_HEARTBEAT_S = 60

CLOSES = {(10, 50), (20, 40)}
"""What ends the connection, and what ends its channel: methods by class and number, as in the published grammar."""


def short(text: str) -> bytes:
    """A short string."""
    return bytes([len(text.encode())]) + text.encode()


def long(data: bytes) -> bytes:
    """A long string, and a table."""
    return struct.pack(">I", len(data)) + data


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """1 is a method, 2 the head of a content, 3 its body, 8 a sign of life."""
    return struct.pack(">BH", kind, channel) + long(payload) + b"\xce"


def places(url: str) -> list[SplitResult]:
    """The brokers that a URL as Celery takes it names. Raises OSError where it is none, and shows nothing of it."""
    try:
        found = [urlsplit(each) for each in url.split(";") if each]
        # It is read only where it is asked for, and may be no number.
        [port(place) for place in found]
    except ValueError:
        raise OSError("the broker's address is no URL") from None
    return found


def port(place: SplitResult) -> int:
    """Where it listens."""
    return place.port or (5671 if place.scheme == "amqps" else 5672)


def connect(url: str, ca_file: str | None, name: str) -> Connection:
    """A connection to the first broker that lets us in."""
    trouble = OSError("no broker is named")
    for place in places(url):
        try:
            return Connection(place, ca_file, name)
        except OSError as error:
            trouble = error
    raise trouble


class Connection:
    """One connection with one channel, on which the broker confirms what is published. Every failure ends it."""

    def __init__(self, place: SplitResult, ca_file: str | None, name: str) -> None:
        host = place.hostname or "localhost"
        self._ends_at = time.monotonic() + STEP_S
        self._published = 0
        self._socket = socket.create_connection((host, port(place)), STEP_S)
        try:
            if place.scheme == "amqps":
                import ssl  # noqa: PLC0415 - only these connections need it, and it takes long to load

                context = ssl.create_default_context(cafile=ca_file)
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._send(b"AMQP\0\0\x09\x01")
            self._await(10, 10)
            us = short("connection_name") + b"S" + long(name.encode())
            # A wrong password is then told in words, and not by a connection that ends.
            us += short("capabilities") + b"F" + long(short("authentication_failure_close") + b"t\1")
            login = "\0".join(("", unquote(place.username or "guest"), unquote(place.password or "guest")))
            self._method(0, 10, 11, long(us), "PLAIN", long(login.encode()), "en_US")
            _, largest, _ = struct.unpack_from(">HIH", self._await(10, 30), 4)
            # Nought is a broker without a limit, and no broker takes less than 4096.
            self._largest = max(4096, min(largest or LARGEST, LARGEST))
            self._method(0, 10, 31, struct.pack(">HIH", 1, self._largest, _HEARTBEAT_S))
            self._method(0, 10, 40, unquote(place.path[1:]) or "/", "", b"\0")
            self._await(10, 41)
            self.call(20, 10, "")
            self.call(85, 10, b"\0")
        except BaseException:
            self._socket.close()
            raise

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Return once the broker has the message in a queue."""
        # The last bit is `mandatory`: the broker gives a message back that no queue takes.
        self._step(60, 40, b"\0\0", exchange, routing_key, b"\1")
        # The flags say which properties follow: the content's type, and the mode that survives a restart.
        head = struct.pack(">HHQH", 60, 0, len(body), 0x9000) + short("application/json") + b"\2"
        self._send(frame(2, 1, head))
        room = self._largest - 8
        for start in range(0, len(body), room):
            self._send(frame(3, 1, body[start : start + room]))
        self._published += 1
        returned = False
        while True:
            name, payload = self._next()
            if name == (60, 50):
                self._body()
                returned = True
            # Confirmed or refused, by the number of the message.
            elif name in ((60, 80), (60, 120)) and struct.unpack_from(">Q", payload, 4)[0] == self._published:
                break
        if returned or name == (60, 120):
            raise OSError(f"nobody listens at {exchange}, or the broker has no room")

    def get(self, queue: str) -> Iterator[bytes]:
        """The messages in a queue. Each is the broker's until the next one is asked for, and so is the last."""
        while True:
            self._step(60, 70, b"\0\0", queue, b"\0")
            name, payload = self._next()
            if name != (60, 71):
                return
            yield self._body()
            self._step(60, 80, payload[4:12], b"\0")

    def call(self, kind: int, number: int, *arguments: bytes | str) -> None:
        """Ask on the channel for what is answered by the method of the next number."""
        self._step(kind, number, *arguments)
        self._await(kind, number + 1)

    def beat(self) -> None:
        """Say that we are alive: a broker that hears nothing for two minutes hangs up."""
        self._ends_at = time.monotonic() + STEP_S
        self._send(frame(8, 0, b""))

    def close(self) -> None:
        """Take leave; whether it is heard does not matter."""
        try:
            self._ends_at = time.monotonic() + 2
            self._method(0, 10, 50, b"\0\xc8\0\0\0\0\0")
            self._await(10, 51)
        except OSError:
            pass
        self._socket.close()

    def _step(self, *method: Any) -> None:
        """Begin a step, with its time."""
        self._ends_at = time.monotonic() + STEP_S
        self._method(1, *method)

    def _method(self, channel: int, kind: int, number: int, *arguments: bytes | str) -> None:
        """Text is a short string; all else is as it is."""
        said = [short(each) if isinstance(each, str) else each for each in arguments]
        self._send(frame(1, channel, struct.pack(">HH", kind, number) + b"".join(said)))

    def _await(self, *wanted: int) -> bytes:
        name, payload = self._next()
        if name != wanted:
            raise OSError(f"the broker answers {name} for {wanted}")
        return payload

    def _next(self) -> tuple[tuple[int, int], bytes]:
        """The next method. Raises what the broker closes a channel or the connection for."""
        payload = self._frame(1)
        kind, number = struct.unpack_from(">HH", payload)
        if (kind, number) in CLOSES:
            code, length = struct.unpack_from(">HB", payload, 4)
            raise OSError(f"the broker says {code} {payload[7 : 7 + length].decode(errors='replace')}")
        return (kind, number), payload

    def _body(self) -> bytes:
        """The content that follows a method."""
        (size,) = struct.unpack_from(">Q", self._frame(2), 4)
        body = b""
        while len(body) < min(size, 4 * LARGEST):
            body += self._frame(3)
        return body

    def _frame(self, wanted: int) -> bytes:
        while True:
            kind, _, size = struct.unpack(">BHI", self._receive(7))
            if kind not in (wanted, 8) or size > LARGEST:
                raise OSError("what answers at the broker's address speaks no AMQP")
            # Room for the longest fixed arguments: whatever is cut short is filled up, and means nothing.
            payload = self._receive(size + 1)[:-1]
            if kind == wanted:
                return payload if kind == 3 else payload.ljust(12, b"\0")

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._socket.settimeout(self._left_s())
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise OSError("the broker hung up")
            data += piece
        return data

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._left_s())
        self._socket.sendall(data)

    def _left_s(self) -> float:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise OSError(f"no answer within {STEP_S} s")
        return left_s
