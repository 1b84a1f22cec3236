"""One arena for all threads: asked of the C library itself, in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_COUNTED = """
import ctypes, sys, threading
from autoscaler import arenas

assert sys.argv[1] == "apart" or arenas.share_one()
all_there, over = threading.Barrier(9), threading.Event()

def hold():
    kept = [bytes(4_000) for _ in range(50)]
    all_there.wait(60)
    over.wait(60)
    return kept

threads = [threading.Thread(target=hold) for _ in range(8)]
for each in threads:
    each.start()
all_there.wait(60)
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
over.set()
"""


def _arenas(how: str) -> int:
    """How many there are while eight threads hold memory."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", _COUNTED, how]
    told = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=90, check=True).stdout
    return told.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_take_memory_from_one_place() -> None:
    """What a thread of the web gave back serves the tick; apart, each would keep its own holes for good."""
    assert _arenas("apart") > 1
    assert _arenas("shared") == 1
