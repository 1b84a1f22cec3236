"""A server that answers every connection with the bytes it was given, whether or not they are HTTP, and hangs up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class RawServer:
    """Where it listens, and what it says to whoever asks."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.says = b""

    def serve(self) -> None:
        """Until the listener is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(connection, self.says), daemon=True).start()


def _answer(connection: socket.socket, says: bytes) -> None:
    with connection, suppress(OSError):
        connection.settimeout(5)
        _take(connection)
        connection.sendall(says)
        connection.shutdown(socket.SHUT_WR)
        # Closed with something unread, the kernel would take back what was said.
        while connection.recv(65_536):
            pass


def _take(connection: socket.socket) -> None:
    asked = b""
    while b"\r\n\r\n" not in asked and (chunk := connection.recv(65_536)):
        asked += chunk
    head, _, body = asked.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    left = int(fields.get(b"content-length", b"0")) - len(body)
    while left > 0 and (chunk := connection.recv(65_536)):
        left -= len(chunk)


@contextmanager
def listening() -> Iterator[RawServer]:
    """A server on a free loopback port for the length of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        server = RawServer(listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
