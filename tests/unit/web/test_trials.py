"""Trials: real processes, one at a time, each of which ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from autoscaler.views import wording
from autoscaler.web import trials as of_trials
from autoscaler.web.trials import Busy, State, Trial, Trials
from testbed.waiting import wait_until

Make = Callable[..., Trials]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Trials whose replay is this program."""
    made: list[Trials] = []

    def of(program: str, **more: float) -> Trials:
        def command(config: Path, pool: str, since: str, candidate: Path) -> Sequence[str]:
            return [sys.executable, "-I", "-c", program, str(config), pool, since, str(candidate)]

        made.append(Trials(tmp_path / "config.toml", time.monotonic, command=command, **more))
        return made[-1]

    yield of
    for each in made:
        each.close()


def ended(trials: Trials, trial: Trial) -> Trial:
    wait_until(lambda: found(trials, trial).state is not State.RUNNING, 30, "the trial to end")
    return found(trials, trial)


def found(trials: Trials, trial: Trial) -> Trial:
    kept = trials.look(trial.id)
    assert kept is not None
    return kept


def running(trials: Trials) -> subprocess.Popen[bytes]:
    """Its process."""
    assert trials._run is not None
    return trials._run[1].process


FOREVER = "import time; print('begun', flush=True); time.sleep(600)"
ECHO = (
    "import json, os, stat, sys; p = sys.argv[4]; s = os.stat(os.path.dirname(p)); "
    "print(json.dumps({'said': sys.argv[1:4], 'toml': open(p).read(), 'mode': stat.S_IMODE(s.st_mode), 'dir': p}))"
)


def test_what_a_replay_tells_is_kept(make: Make) -> None:
    """It is given the candidate as a file that nobody else may read, which is gone afterwards."""
    trials = make(ECHO)

    done = ended(trials, trials.begin("images", "7d", "max = 1\n"))

    assert (State.DONE, "") == (done.state, done.says)
    assert done.facts is not None
    assert (["images", "7d"], "max = 1\n", 0o700) == (
        done.facts["said"][1:], done.facts["toml"], done.facts["mode"]
    )  # fmt: skip
    assert not Path(done.facts["dir"]).parent.exists()


@pytest.mark.parametrize(
    ("program", "state", "says"),
    [
        ("import sys; print(sys.argv[4] + ' has one problem: x', file=sys.stderr); sys.exit(78)",
         State.WRONG, "the candidate has one problem: x"),
        ("import sys; print('no look at pool', file=sys.stderr); sys.exit(1)", State.FAILED, "no look at pool"),
        ("import os; os.kill(os.getpid(), 9)", State.FAILED, "The replay ended by signal 9, without a word."),
        ("print('{')", State.FAILED, "The replay said what is no document."),
    ],
)  # fmt: skip
def test_a_replay_that_fails_is_told_of(make: Make, program: str, state: State, says: str) -> None:
    """In its own words where it has any."""
    trials = make(program)

    told = ended(trials, trials.begin("images", "7d", ""))

    assert (state, says, None) == (told.state, told.says, told.facts)


def test_advice_of_the_command_line_becomes_one_that_can_be_followed_in_a_browser(make: Make) -> None:
    """There is no option to give there; the command that has it is told, whole."""
    said = f"7 tasks came in that time, and none was seen to be completed; {wording.SAY_HOW_LONG} with --X."
    trials = make(f"import sys; print({said!r}, file=sys.stderr); sys.exit(1)")

    told = ended(trials, trials.begin("images", "7d", ""))

    assert (
        "7 tasks came in that time, and none was seen to be completed; wait until some tasks are done, or use the "
        "command: autoscaler backtest --pool=images --since=7d --candidate=FILE --task-seconds=MEAN"
    ) == told.says


def test_one_runs_at_a_time(make: Make) -> None:
    """The next is taken once it has ended."""
    trials = make(FOREVER)
    first = trials.begin("images", "7d", "")

    with pytest.raises(Busy):
        trials.begin("images", "7d", "")
    stopped = trials.stop(first.id)

    assert stopped is not None
    assert (State.STOPPED, "It was stopped.") == (stopped.state, stopped.says)
    assert State.RUNNING is trials.begin("images", "7d", "").state


def test_a_replay_ends_when_its_time_is_over(make: Make) -> None:
    """However often it is asked for."""
    trials = make(FOREVER, most_s=0.5)

    told = ended(trials, trials.begin("images", "30d", ""))

    assert State.STOPPED is told.state
    assert told.says.startswith("It was not done within")


def test_a_replay_that_nobody_asks_for_ends(make: Make) -> None:
    """Who left does not come back to say so."""
    trials = make(FOREVER, unasked_s=0.5)
    trial = trials.begin("images", "7d", "")

    process = running(trials)
    wait_until(lambda: process.poll() is not None, 30, "the process to end")

    told = ended(trials, trial)
    assert (State.STOPPED, "Nobody asked for it any more.") == (told.state, told.says)


def test_the_end_of_all_ends_what_runs_and_begins_no_more(make: Make) -> None:
    """As the daemon ends."""
    trials = make(FOREVER)
    trial = trials.begin("images", "7d", "")

    process = running(trials)

    trials.close()

    assert process.returncode is not None
    assert State.STOPPED is found(trials, trial).state
    with pytest.raises(Busy):
        trials.begin("images", "7d", "")


def test_the_last_few_are_kept(make: Make) -> None:
    """However many are asked for."""
    trials = make("print('{}')")
    kept = []
    for _ in range(10):
        kept.append(trials.begin("images", "7d", ""))
        ended(trials, kept[-1])

    assert [False] * 2 + [True] * 8 == [trials.look(each.id) is not None for each in kept]
    assert trials.look("nothing") is None


def test_the_command_is_that_of_this_installation(tmp_path: Path) -> None:
    """No shell, nothing from the folder that the daemon stands in, and a pool's name is never an option."""
    words = of_trials.command(tmp_path / "c.toml", "--json", "7d", tmp_path / "x")

    assert [sys.executable, "-P", "-m", "autoscaler.beneath", "backtest"] == words[:5]
    assert "--pool=--json" in words
    assert json.dumps(words)
