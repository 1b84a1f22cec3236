"""What the daemon tells systemd of itself: that it is ready, how it is, that it lives, that it ends.

In go facts about the daemon, out goes one datagram for each to the socket that systemd named (`sd_notify`). Where none
was named, as under supervisord or on a terminal, nobody is told. What never happens here: a wait, an error for whoever
tells, or a word that says more than one thing because somebody else's text held a line break.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

_LONGEST_STATUS = 200
_SEND_S = 0.2
"""systemd that has no room for a datagram is busy, and gets the next one."""
_US = 1_000_000


class Systemd:
    """The service manager that started us, if it was one that listens. Any thread may call it."""

    def __init__(self, address: str | None, *, watches: bool = False) -> None:
        """`watches`: it ends a service of which it hears no beat."""
        # The abstract ones begin with a null byte, which the environment cannot hold.
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self.watches = watches and address is not None

    def ready(self, status: str) -> None:
        """The service has started, or has taken in a new configuration."""
        self._tell("READY=1", _status(status))

    def beat(self, status: str) -> None:
        """It lives, and this is how it is. Tell it only with evidence."""
        self._tell("WATCHDOG=1", _status(status))

    def expect_silence(self, longest_s: float) -> None:
        """Beats will be up to so long apart: more than that means that something is wrong."""
        if self.watches:
            self._tell(f"WATCHDOG_USEC={round(longest_s * _US)}")

    def reloading(self, monotonic_s: float) -> None:
        """A new configuration is being read; `ready` says when that is over."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={round(monotonic_s * _US)}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1", _status("stopping: calls under way may finish"))

    def _tell(self, *assignments: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_SEND_S)
            sender.sendto("\n".join(assignments).encode(), self._address)


def from_environment(environ: MutableMapping[str, str], pid: int) -> Systemd:
    """As systemd told this process. The variables are taken away: what we start is not the service."""
    address = environ.pop("NOTIFY_SOCKET", "")
    watched, watched_pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(pid))
    # Of the kinds of address there are, a service on its own computer is given a path or an abstract name.
    listens = address[:1] in {"/", "@"}
    return Systemd(address if listens else None, watches=bool(watched) and watched_pid == str(pid))


def _status(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text)
    return f"STATUS={line[:_LONGEST_STATUS]}"
