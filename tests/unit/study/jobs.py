"""Jobs for other processes, which find them by this module's name; and a program that does some until it is killed."""

from __future__ import annotations

import os
import sys
import time

from autoscaler.study import parallel


def product(shared: int, job: int) -> int:
    """The larger a job, the sooner it is done."""
    time.sleep(0.02 * (5 - job))
    return shared * job


def fail(shared: int, job: int) -> int:
    """One of them cannot be done."""
    if job == 1:
        raise ValueError(f"job {job} of {shared}")
    return job


def tell(_shared: int, _job: int) -> int:
    """Which process this is."""
    return os.getpid()


def linger(_shared: int, _job: int) -> None:
    """Longer than anybody waits."""
    time.sleep(600.0)


if __name__ == "__main__":
    with parallel.over(1, 2) as play:
        sys.stdout.write(" ".join(str(pid) for pid in play(tell, list(range(20)))) + "\n")
        sys.stdout.flush()
        list(play(linger, [1, 2]))
