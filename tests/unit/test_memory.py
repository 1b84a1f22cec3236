"""How the process keeps its memory: asked of the C library and of the collector, each in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_ARENAS = """
import ctypes, sys, threading
from autoscaler import memory

assert sys.argv[1] == "apart" or memory.share_one_arena()
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
_GARBAGE = """
import gc, sys
from collections import deque
from autoscaler import memory

class Ring:
    alive = 0
    def __init__(self):
        self.me = self
        Ring.alive += 1
    def __del__(self):
        Ring.alive -= 1

code = [[] for _ in range(1_000_000)]  # as what a daemon has imported and opened
memory.settle() if sys.argv[1] == "settled" else gc.collect()
most, last = 0, deque(maxlen=10_000)  # of fifty ticks: they are old by then
for tick in range(2_000):
    last.extend(Ring() for _ in range(200))
    looked_at = [[] for _ in range(800)]
    most = max(most, Ring.alive)
print(most)
"""


def _told(program: str, how: str) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", program, how]
    return subprocess.run(command, env=plain, capture_output=True, text=True, timeout=90, check=True).stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_take_memory_from_one_place() -> None:
    """What a thread of the web gave back serves the tick; apart, each would keep its own holes for good."""
    heaps = {how: _told(_ARENAS, how).count("<heap nr=") for how in ("apart", "shared")}

    assert heaps["apart"] > 1
    assert heaps["shared"] == 1


def test_garbage_of_ticks_does_not_wait_for_a_quarter_of_all_code() -> None:
    """Rings that outlived some ticks are found by their own number, not by that of all that was imported."""
    most = {how: int(_told(_GARBAGE, how)) for how in ("as ever", "settled")}

    assert 2 * most["settled"] < most["as ever"]


_TICKS = """
import gc, sys
from autoscaler import memory

memory.settle()
before, made, most = gc.get_stats()[0]["collections"], [], 0
for tick in range(30):
    looks = gc.get_stats()[0]["collections"]
    with memory.of_a_tick():
        made = [[] for _ in range(int(sys.argv[1]))]
    most = gc.get_stats()[0]["collections"] - looks
print(most, gc.get_threshold()[0])
"""


def test_a_tick_that_makes_much_is_not_looked_through_over_and_over() -> None:
    """The first one is, and by that it is known how much a tick makes."""
    looks, after = map(int, _told(_TICKS, "150000").split())

    assert looks <= 1
    assert 150_000 <= after <= 500_000


def test_a_small_fleet_is_looked_through_as_often_as_ever() -> None:
    """However long it runs, what its ticks make does not add up."""
    _, after = map(int, _told(_TICKS, "3000").split())

    assert after == 10_000
