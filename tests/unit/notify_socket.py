"""A systemd's ear: a real datagram socket that remembers what a service told it.

In come datagrams, out come their lines, each with the second of its coming. What never happens here: an answer.
"""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class NotifySocket:
    """Listens from the beginning of the block to its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(self.path))
        self._thread.join(10.0)
        self._socket.close()

    def _listen(self) -> None:
        while told := self._socket.recv(65536):
            at = time.monotonic()
            self._heard += [(at, line) for line in told.decode().split("\n")]

    def lines(self) -> list[str]:
        """All that was told, in its order."""
        return [line for _, line in list(self._heard)]

    def times(self, line: str) -> list[float]:
        """When that was told."""
        return [at for at, each in list(self._heard) if each == line]

    def statuses(self) -> list[str]:
        """What was told of how it is."""
        return [line.removeprefix("STATUS=") for line in self.lines() if line.startswith("STATUS=")]
