"""How fast the disk answers, before anything else uses it: a slow one makes every task slow, and is given back.

Random reads of 4 KiB past all caches of this machine, one after another, from a fresh file of 1 MiB in the worker's
directory: what `ioping -D` does, and done by it where it is installed. It comes before the packages: while apt writes,
a good disk looks slow. What never happens here: a refusal because of one bad moment.
"""

from __future__ import annotations

import mmap
import os
import shutil
import time

from bootstrap.assets.enrol import machine, reports

_REQUESTS, _LONGEST_S = 200, 3
"""A disk of 5 ms has answered all of them after a second, a good one after 50 ms."""
_ATTEMPTS, _PAUSE_S = 3, 2
"""Services that start with the machine use the disk too; a slow one is slow each time."""
_BLOCK, _BLOCKS = 4096, 256
_STRIDE = 97
"""Has no divisor in common with the number of blocks: all of them are read, none beside the one before."""


def check(settings: machine.Settings, told: reports.Reports) -> str:
    """What was found, in words. Raises Failed where the disk is too slow for this pool."""
    limit_ms = settings.disk["limit_ms"]
    best = (0.0, 0.0, 0)
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            found = _by_ioping(settings.directory) if shutil.which("ioping") else _by_us(settings.directory)
        except (OSError, ValueError, LookupError, machine.Failed) as error:
            return f"not measured: {error}"
        best = min(best, found) if attempt else found
        if best[0] <= limit_ms:
            break
    told.disk = dict(zip(("mean_ms", "worst_ms", "requests"), best))
    says = f"{best[0]:.2f} ms on average, {best[1]:.2f} ms at worst"
    if best[0] > limit_ms:
        says += f": slow, the limit is {limit_ms:g} ms"
        if settings.disk["check"] == "refuse":
            raise machine.Failed(says)
    return says


def _by_us(directory: str) -> tuple[float, float, int]:
    path = f"{directory}/.autoscaler-disk"
    # One that is there was left by a measurement in whose middle the power went, here or where the image was made.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, os.urandom(_BLOCK * _BLOCKS))
        os.fsync(file)
        os.close(file)
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    finally:
        os.unlink(path)
    # Direct reads want memory that begins where a page does.
    buffer = mmap.mmap(-1, _BLOCK)
    times_ms: list[float] = []
    # The first one warms up and does not count.
    while len(times_ms) <= _REQUESTS and sum(times_ms) < _LONGEST_S * 1000:
        began_at = time.monotonic()
        os.preadv(file, [buffer], len(times_ms) * _STRIDE % _BLOCKS * _BLOCK)
        times_ms.append((time.monotonic() - began_at) * 1000)
    os.close(file)
    counted = times_ms[1:] or times_ms
    return sum(counted) / len(counted), max(counted), len(counted)


def _by_ioping(directory: str) -> tuple[float, float, int]:
    """The same by ioping, which does not count its first request either."""
    ioping = ["ioping", "-BD", "-i0", f"-c{_REQUESTS + 1}", f"-w{_LONGEST_S}", directory]
    # Ten numbers in nanoseconds: the phase says in the log what they mean.
    words = machine.answer(ioping).split()
    if len(words) < 7:
        raise machine.Failed(f"ioping: {words}")
    return int(words[5]) / 1e6, int(words[6]) / 1e6, int(words[0])
