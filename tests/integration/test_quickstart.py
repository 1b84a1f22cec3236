"""`make run` as a first-time user meets it: workers appear within a minute, and its end leaves nothing running."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from testbed.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

RUN = Path(__file__).parents[2] / "examples" / "quickstart" / "run.py"
WORKERS_WITHIN_S = 60
END_WITHIN_S = 60

Start = Callable[..., "subprocess.Popen[str]"]


def _left(directory: Path) -> list[psutil.Process]:
    """Every process with this directory in its command line or environment, the quickstart itself included."""
    found = []
    for process in psutil.process_iter():
        try:
            said = [*process.cmdline(), *process.environ().values()]
        except (psutil.Error, OSError):
            continue
        if any(str(directory) in word for word in said) and _runs(process):
            found.append(process)
    return found


def _runs(process: psutil.Process) -> bool:
    """Whether it does. An ended one may stay in the process table until its parent, or init, asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where a quickstart keeps its files; whatever runs there at the end is ended, by process id."""
    place = tmp_path / "with space"
    yield place
    for process in _left(place):
        process.kill()


@pytest.fixture
def start(directory: Path) -> Start:
    """Starts a quickstart whose words are kept in `said.txt`."""

    def run(*arguments: str) -> subprocess.Popen[str]:
        with (directory.parent / "said.txt").open("a") as said:
            return subprocess.Popen(
                [sys.executable, RUN, "--directory", directory, *arguments],
                cwd=directory.parent,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    return run


def _said(directory: Path) -> str:
    return (directory.parent / "said.txt").read_text()


def _moves(directory: Path, state: str) -> list[float]:
    """When nodes entered that state, by the journal."""
    file = directory / "journal.db"
    if not file.exists():
        return []
    journal = sqlite3.connect(f"file:{file}?mode=ro".replace(" ", "%20"), uri=True, timeout=5)
    try:
        return [at for (at,) in journal.execute("SELECT at FROM transitions WHERE after = ?", (state,))]
    except sqlite3.OperationalError:  # its tables are not made yet
        return []
    finally:
        journal.close()


def test_workers_appear_within_a_minute_and_the_end_leaves_nothing_running(
    directory: Path, start: Start
) -> None:
    """It ends by itself after its seconds with 0; the burst was met by all workers, and no process is left."""
    quickstart = start("--seconds", "70")

    assert quickstart.wait(timeout=70 + 90) == 0, _said(directory)

    assert len(_moves(directory, "ready")) >= 4, _said(directory)
    assert min(_moves(directory, "ready")) - min(_moves(directory, "creating")) < WORKERS_WITHIN_S
    assert (directory / "receipts").read_text().count("\n") >= 120
    assert _moves(directory, "gone"), _said(directory)
    assert _left(directory) == []


def test_ctrl_c_in_the_middle_of_a_burst_ends_all_of_it_in_order(directory: Path, start: Start) -> None:
    """Workers are at work when it is interrupted: exit code 0, the last word, and no process is left."""
    quickstart = start()
    wait_until(lambda: _moves(directory, "ready"), WORKERS_WITHIN_S + 30, "workers to appear")

    os.killpg(quickstart.pid, signal.SIGINT)  # a terminal sends Ctrl-C to the whole group

    assert quickstart.wait(timeout=END_WITHIN_S) == 0, _said(directory)
    assert _said(directory).splitlines()[-1].startswith("Nothing is left running.")
    assert _left(directory) == []


def test_a_killed_run_is_cleaned_up_by_the_next_and_two_at_once_are_refused(
    directory: Path, start: Start
) -> None:
    """`kill -9` leaves broker, daemon and workers; the next run ends them first. A third beside it is turned away."""
    killed = start()
    wait_until(lambda: _moves(directory, "ready"), WORKERS_WITHIN_S + 30, "workers to appear")
    killed.kill()
    killed.wait()
    leftovers = _left(directory)
    assert leftovers

    second = start()
    wait_until(lambda: "An earlier run was killed" in _said(directory), 30, "the clean-up to be told")
    assert [process for process in leftovers if _runs(process)] == []
    assert start().wait(timeout=30) == 75
    assert f"runs already in {directory}, as process {second.pid}" in _said(directory)

    second.terminate()
    assert second.wait(timeout=END_WITHIN_S) == 0, _said(directory)
    assert _left(directory) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One sentence and exit code 1, not a traceback."""
    (tmp_path / "file").touch()

    ended = subprocess.run(
        [sys.executable, RUN, "--directory", tmp_path / "file" / "run"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert str(tmp_path / "file" / "run") in ended.stderr
    assert "Traceback" not in ended.stderr
