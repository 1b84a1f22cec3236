"""Free TCP ports on the loopback interface.

A port is free when it is handed out, not reserved: whoever asks should bind it soon.
"""

import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different ports nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return tuple(int(each.getsockname()[1]) for each in sockets)


def free_port() -> int:
    """Return one port nobody listens on now."""
    return free_ports(1)[0]


def is_listening(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether a connection to this port of the loopback interface is accepted."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True
