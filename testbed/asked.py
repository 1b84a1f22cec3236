"""How often somebody asked a program that starts others for its end.

In go signals, out comes a count that the program looks at between its steps. What never happens here: an exception at a
place that does not expect one, or an end of anything.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType


class Asked:
    """Once is in order, twice is in a hurry."""

    def __init__(self) -> None:
        self.times = 0
        self._interrupts = False

    def listen(self) -> None:
        """From now on signals are requests, and Ctrl-C no exception."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Around a long wait of somebody else's: a request ends it by KeyboardInterrupt."""
        if self.times:
            raise KeyboardInterrupt
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def wait_for(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Whether the condition became true before the deadline and before a second request."""
        end = time.monotonic() + deadline_s
        while not condition():
            if self.times > 1 or time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.times += 1
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
