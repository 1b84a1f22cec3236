"""`soak` as it is called: usage, exit codes, what it leaves, and what Ctrl-C leaves standing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from autoscaler.cli.app import app
from autoscaler.simulate import soak as soaking
from tests.tidy.repository import ROOT
from tests.unit.simulate import stand_ins

INTERRUPTED = """
from autoscaler.cli import main, study
from autoscaler.simulate import soak
from tests.unit.simulate import stand_ins
if __name__ == "__main__":
    study._NEWS_EVERY_S = 0.0
    soak.lived = stand_ins.slow
    main()
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either --seeds N or --seed K"),
        (["--seeds", "3", "--seed", "1"], "either --seeds N or --seed K"),
        (["--seed", "1", "--hours", "inf"], "a number of hours that ends"),
        (["--seed", "1", "--faults", "gremlins"], "There is no fault gremlins. Known are account-down,"),
        (["--seed", "1", "--sabotage", "gremlins"], "There is no sabotage gremlins. Known are "),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(arguments: list[str], says: str) -> None:
    """Exit code 2, as for any wrong usage."""
    ended = CliRunner().invoke(app, ["soak", *arguments])

    assert (2, True) == (ended.exit_code, says in " ".join(ended.output.split()))


def test_seeds_without_harm_end_well_and_leave_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file holds the record, the last lines of the output the figures."""
    monkeypatch.setattr(soaking, "lived", stand_ins.good)
    file = tmp_path / "build" / "soak.json"
    ended = CliRunner().invoke(app, ["soak", "--seeds", "3", "--jobs", "1", "--output", str(file)])

    assert (0, "no harm") == (ended.exit_code, ended.stdout.splitlines()[-1])
    record = json.loads(file.read_text())
    assert (3, 300, True) == (record["seeds"], record["ticks"], record["good"])


def test_a_seed_that_does_harm_ends_in_failure_with_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever else went well."""
    monkeypatch.setattr(soaking, "lived", stand_ins.one_bad)
    ended = CliRunner().invoke(app, ["soak", "--seeds", "5", "--jobs", "1"])

    assert ended.exit_code == 1
    assert f"to see it again: autoscaler soak --seed {stand_ins.BAD_SEED}" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "1 of 5 seeds did harm"


def test_a_broken_rule_that_did_harm_is_not_told_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends well, because it was noticed, and says nothing of a life without harm."""
    monkeypatch.setattr(soaking, "lived", stand_ins.one_bad)
    seed = str(stand_ins.BAD_SEED)
    ended = CliRunner().invoke(
        app, ["soak", "--seed", seed, "--sabotage", "ignores_the_lease", "--jobs", "1"]
    )

    assert (0, "all 1 broken rules caught") == (ended.exit_code, ended.stdout.splitlines()[-1])


def test_ctrl_c_tells_what_stands_so_far_and_leaves_no_process() -> None:
    """The signal goes to every process of the terminal, as it does in life."""
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "soak", "--seeds", "100000", "--jobs", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as soak:
        assert soak.stderr is not None
        assert "seeds" in soak.stderr.readline()
        children = psutil.Process(soak.pid).children(recursive=True)
        os.killpg(soak.pid, signal.SIGINT)
        told, _ = soak.communicate(timeout=30)

    assert (130, "interrupted: more was asked for") == (soak.returncode, told.splitlines()[-1])
    assert ([], True) == (psutil.wait_procs(children, timeout=10)[1], len(children) >= 2)
