"""Jobs on several cores: in order, whole or not at all, and never left behind."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import psutil
import pytest

from autoscaler.study import parallel
from testbed.waiting import wait_until
from tests.unit.study import jobs


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_jobs(processes: int) -> None:
    """Whichever is done first; so that nothing depends on how many there are."""
    with parallel.over(7, processes) as play:
        assert [0, 7, 14, 21, 28] == list(play(jobs.product, range(5)))
        assert [28, 0] == list(play(jobs.product, [4, 0]))


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_job_raises_is_raised_here(processes: int) -> None:
    """And nobody goes on in the dark."""
    with pytest.raises(ValueError, match="job 1 of 3"), parallel.over(3, processes) as play:
        list(play(jobs.fail, range(3)))

    wait_until(lambda: not multiprocessing.active_children(), 10.0, "the processes to end")


def test_processes_end_with_a_caller_that_is_killed() -> None:
    """It cannot tell them, so they watch it: a command that ran into a time limit leaves nothing that computes on."""
    caller = subprocess.Popen([sys.executable, "-m", jobs.__name__], stdout=subprocess.PIPE, text=True)
    try:
        assert caller.stdout is not None
        pids = {int(pid) for pid in caller.stdout.readline().split()}
    finally:
        caller.kill()
        caller.communicate()

    assert pids
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), 10.0, "the processes to end")
