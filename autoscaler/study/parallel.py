"""Runs on several cores: jobs go in, their results come out in the order of the jobs, whatever the number of cores.

What all jobs need is handed to each process once. The processes end with the caller, however it ends, and leave Ctrl-C
to it. What never happens here: a result that depends on which process made it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from threading import Thread
from typing import Any, Protocol, TypeVar

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")


class Play(Protocol):
    """Does jobs with what they share, which was given before."""

    def __call__(self, call: Callable[[Any, Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """`call(shared, job)` for each job, in order; `call` is a function of a module, and all of it is values."""
        ...


_shared: list[Any] = []
"""In a process that does jobs: what they share."""


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def over(shared: Any, processes: int) -> Iterator[Play]:
    """Something that does jobs on so many processes; with one, it is this one. They end with the block."""
    if processes <= 1:

        def here(call: Callable[[Any, Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
            return (call(shared, job) for job in jobs)

        yield here
        return
    # Spawned and not forked: a fork would copy the caller's threads' locks in whatever state they are.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(shared,))

    def there(call: Callable[[Any, Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        return executor.map(_do, [call] * len(jobs), jobs)

    before = set(multiprocessing.active_children())
    try:
        yield there
    except BaseException:
        # Nobody waits for what they do any more.
        executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    executor.shutdown()


def _begin(shared: Any) -> None:
    """In a new process, before its first job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared.append(shared)
    caller = multiprocessing.parent_process()
    assert caller is not None
    Thread(target=_end_with, args=(caller.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """A caller that is killed cannot tell anybody to end."""
    connection.wait([sentinel])
    os._exit(1)


def _do(call: Callable[[Any, Any], Any], job: Any) -> Any:
    return call(_shared[0], job)
