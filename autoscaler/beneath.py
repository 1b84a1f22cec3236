"""The commands beneath a daemon: at the lowest priority, within bounds, and no longer than who started them lives.

`python -m autoscaler.beneath backtest …` in, what `autoscaler backtest …` says out. Its standard input is a pipe from
whoever started it; once that ends, so does this. What never happens here: a command of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from threading import Thread

NICEST = 19
MOST_BYTES = 2 * 1024**3
"""Of address space, in each of its processes: a month of a large pool takes a tenth of that."""
_FIRST_TO_END = "1000"
"""Where memory runs out for all: before the daemon."""


def _bow() -> None:
    """Make way for everybody else. A service that may not say so is told in its unit; it goes on all the same."""
    with contextlib.suppress(OSError):
        os.nice(NICEST)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_END)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


def _end_with_who_started_it() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)  # processes of its own end with it


if __name__ == "__main__":
    Thread(target=_end_with_who_started_it, daemon=True).start()
    _bow()
    from autoscaler import cli  # what it brings along takes a second of a core: at the lowest priority

    cli.main()
