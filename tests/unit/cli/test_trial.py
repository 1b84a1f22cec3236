"""`simulate`: a pool's policies on a workload, beside the rules of others, and what is said of a wrong word."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autoscaler.cli import playing, timeline, trial
from autoscaler.cli.app import app
from autoscaler.study.contract import Outcome, Terms
from autoscaler.study.run import Configured
from tests.unit.cli.office import Answer, Office

WAIT = '[[pools.images.policies]]\nkind = "wait"\ntarget_wait = "5m"\n'


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A task a minute for half an hour, of a minute each."""
    file = tmp_path / "tasks.csv"
    rows = [f"{minute * 60},60" for minute in range(30)]
    file.write_text("\n".join(["submit_s,runtime_s", *rows]) + "\n")
    return file


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Arrivals by the minute."""
    file = tmp_path / "counts.csv"
    file.write_text("t_seconds,arrivals\n0,5\n60,20\n120,5\n")
    return file


@pytest.fixture
def quick_office(office: Office) -> Office:
    office.rewrite('tick = "100ms"', 'tick = "10s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    office.secrets = {}
    return office


def _bare(monkeypatch: pytest.MonkeyPatch, place: Path, *arguments: str) -> Answer:
    """The command where nobody wrote a configuration."""
    monkeypatch.setattr(trial, "DEFAULT_PATH", place)
    monkeypatch.setattr(trial, "config_path", lambda config: config or place)
    result = CliRunner().invoke(app, ["simulate", *arguments])
    return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)


def _names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


def _given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Terms, Any]]:
    """What runs are asked for; they are not run."""
    asked = []

    def run(_workload: object, terms: Terms, chooser: Any, **_: object) -> Outcome:
        asked.append((terms, chooser))
        values: dict[str, Any] = {one.name: 0 for one in fields(Outcome)}
        return Outcome(**(values | {"policy": chooser.name}))

    monkeypatch.setattr(playing.running, "run", run)
    return asked


def test_the_facts_are_the_workload_and_a_result_each(quick_office: Office, tasks: Path) -> None:
    """Scripts rest on these names; the configuration's own result is the first."""
    answer = quick_office.command(
        "simulate", "--workload", str(tasks), "--against", "keda, keda V=1c,keda", "--json"
    )

    assert (0, "") == (answer.code, answer.err)
    facts = answer.facts
    assert {"file": str(tasks), "seconds": 1740.0, "tasks": 30, "work_seconds": 1800.0} == facts["workload"]
    assert ["configured", "keda", "keda V=1c"] == [result["policy"] for result in facts["results"]]
    assert [
        "policy", "cost", "node_hours_billed", "node_hours_busy", "wait_p50_s", "wait_p95_s", "wait_p99_s",
        "wait_max_s", "within_target", "tasks_arrived", "tasks_done", "tasks_lost", "tasks_redelivered",
        "creates", "destroys", "nodes_peak",
    ] == list(facts["results"][0])  # fmt: skip
    assert {30} == {result["tasks_done"] for result in facts["results"]}


def test_the_pool_is_tried_as_it_is_configured(
    quick_office: Office, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policies, calming, limits and slots, and the price and quantum of its first offer."""
    asked = _given(monkeypatch)
    quick_office.rewrite(
        "max_workers = 5", "max_workers = 5\nmin_workers = 1\n\n[pools.images.stabilize]\nmax_step_out = 2"
    )

    assert 0 == quick_office.command("simulate", "-p", "images", "--workload", str(tasks)).code
    ((terms, chooser),) = asked
    assert terms == Terms(
        slots=2, min_workers=1, max_workers=5, price_per_h=0.1, quantum_s=3600, target_wait_s=120.0
    )
    assert isinstance(chooser, Configured)
    assert ("backlog", 2, 10.0) == (
        chooser.policies[0].kind,
        chooser.stabilization.max_step_out,
        chooser.tick_s,
    )


@pytest.mark.parametrize(("arguments", "expected_s"), [((), 300.0), (("--target-wait", "30s"), 30.0)])
def test_the_target_is_the_policys_own_unless_another_is_given(
    quick_office: Office,
    tasks: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected_s: float,
) -> None:
    """One number for what is bought for and what is measured."""
    asked = _given(monkeypatch)
    quick_office.rewrite('[[pools.images.policies]]\nkind = "backlog"\nmessages_per_worker = 10\n', WAIT)

    quick_office.command("simulate", "--workload", str(tasks), *arguments)

    ((terms, chooser),) = asked
    assert expected_s == terms.target_wait_s == chooser.policies[0].options["target_wait_s"]


def test_people_get_a_table_and_a_sentence(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durations and shares in words; without a configuration one line says what is tried."""
    answer = _bare(monkeypatch, tmp_path / "none.toml", "--workload", str(tasks), "--against", "keda")

    assert 0 == answer.code
    title, header, own, other, nothing, sentence = answer.out.splitlines()
    assert "tasks.csv: 30 tasks within 29 min, 30 min of work; in time is a start within 2 min" == title
    assert header.split()[:3] == ["POLICY", "COST", "IN"]
    assert own.startswith("configured")
    assert other.startswith("keda")
    assert "" == nothing
    assert "keda" in sentence
    assert ["There is no configuration: the policy is the default one"] == [
        line.split(",")[0] for line in answer.err.splitlines()
    ]


def test_a_rule_that_leaves_tasks_undone_is_told(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A low cost alone would look like a good one."""
    undone = Outcome(
        policy="keda", cost=0.0, node_hours_billed=0.0, node_hours_busy=0.0, wait_p50_s=0.0, wait_p95_s=0.0,
        wait_p99_s=0.0, wait_max_s=0.0, within_target=0.1, tasks_arrived=30, tasks_done=28, tasks_lost=0,
        tasks_redelivered=0, creates=0, destroys=0, nodes_peak=0,
    )  # fmt: skip
    monkeypatch.setattr(playing.running, "run", lambda *_, **__: undone)

    answer = _bare(monkeypatch, tmp_path / "none.toml", "--workload", str(tasks))

    assert "keda: 2 tasks not done in the end." == answer.out.splitlines()[-1]


def test_counts_of_arrivals_need_a_task_time(
    counts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it, the same seed is the same workload."""
    bare = ("--workload", str(counts), "--json")
    without = _bare(monkeypatch, tmp_path / "none.toml", *bare)
    first, again, other = (
        _bare(monkeypatch, tmp_path / "none.toml", *bare, "--task-seconds", "20,0.5", "--seed", seed).facts
        for seed in ("1", "1", "2")
    )

    assert (2, True) == (without.code, "give --task-seconds MEAN[,CV]" in without.err)
    assert first == again != other


def test_the_timeline_has_a_row_a_tick_for_every_result(
    quick_office: Office, tasks: Path, tmp_path: Path
) -> None:
    """Its last rows agree with the results, and nothing else is left beside it."""
    file = tmp_path / "out" / "timeline.csv"
    file.parent.mkdir()
    facts = quick_office.command(
        "simulate", "--workload", str(tasks), "--against", "keda", "--timeline", str(file), "--json"
    ).facts

    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert list(timeline.COLUMNS) == list(rows[0])
    for result in facts["results"]:
        own = [row for row in rows if row["policy"] == result["policy"]]
        ticks_s = [float(row["t_s"]) for row in own]
        assert [ticks_s[0] * (place + 1) for place in range(len(own))] == ticks_s
        last = own[-1]
        assert (result["tasks_done"], result["cost"]) == (
            int(last["done"]),
            pytest.approx(float(last["cost"])),
        )
        assert all(int(row["arrived"]) == int(row["delivered"]) + int(row["backlog"]) for row in own)
        assert result["nodes_peak"] == max(int(row["billable"]) for row in own)
    assert [file.name] == _names_in(file.parent)


def test_ctrl_c_ends_quietly_and_leaves_no_half_timeline(
    quick_office: Office, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before stays."""
    file = tmp_path / "out" / "timeline.csv"
    file.parent.mkdir()
    file.write_text("before")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(playing.running, "run", interrupted)
    answer = quick_office.command("simulate", "--workload", str(tasks), "--timeline", str(file))

    assert (130, "", "") == (answer.code, answer.out, answer.err)
    assert ([file.name], "before") == (_names_in(file.parent), file.read_text())


@pytest.mark.parametrize(
    ("place", "says"),
    [("nowhere/timeline.csv", "cannot be written: No such file"), (".", "is no ordinary file")],
)
def test_a_timeline_that_cannot_be_written_is_told_at_once(
    quick_office: Office, tasks: Path, tmp_path: Path, place: str, says: str
) -> None:
    """Before anything is computed for nothing."""
    answer = quick_office.command("simulate", "--workload", str(tasks), "--timeline", str(tmp_path / place))

    assert (1, "") == (answer.code, answer.out)
    assert says in answer.err


def test_no_journal_is_written_over(quick_office: Office, tasks: Path, tmp_path: Path) -> None:
    """A slip of the keyboard must not cost the record of what is paid."""
    journal = tmp_path / "journal.db"
    with closing(sqlite3.connect(journal)) as link:
        link.execute("CREATE TABLE nodes (name TEXT)")
    before = journal.read_bytes()

    for command in (("simulate", "--timeline"), ("simulate", "--plot"), ("tune", "--output")):
        answer = quick_office.command(command[0], "--workload", str(tasks), command[1], str(journal))
        assert answer.code != 0
        if command[1] != "--plot":  # by its name it is no plot
            assert "is a database, perhaps a journal" in answer.err

    assert before == journal.read_bytes()


def test_a_file_that_is_no_workload_ends_in_its_sentence(quick_office: Office, tmp_path: Path) -> None:
    """Exit code 1, and nothing on the standard output."""
    file = tmp_path / "odd.csv"
    file.write_text("submit_s,runtime_s\n1,soon\n")

    answer = quick_office.command("simulate", "--workload", str(file))

    assert (1, "") == (answer.code, answer.out)
    assert "odd.csv, line 2: runtime_s is 'soon'" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--against", "keda,gremlins"), "There is no rule 'gremlins'. Known are all, keda, hpa,"),
        (("--against", ","), "There is no rule ''"),
        (("--task-seconds", "0"), "--task-seconds '0' is no MEAN[,CV]"),
        (("--task-seconds", "1,2,3"), "is no MEAN[,CV]"),
        (("--task-seconds", "nan"), "is no MEAN[,CV]"),
        (("--boot-seconds", "90,-1"), "--boot-seconds '90,-1' is no MEAN[,CV]"),
        (("--boot-seconds", "1e9"), "up to 86,400"),
        (("--target-wait", "120"), "--target-wait '120' is no duration from 1s to 1d"),
        (("--target-wait", "2d"), "is no duration from 1s to 1d"),
        (("--pool", "videos"), "There is no pool 'videos'; the configuration has: images."),
    ],
)
def test_a_wrong_word_of_a_trial_is_answered_with_the_right_ones(
    quick_office: Office, tasks: Path, arguments: tuple[str, ...], says: str
) -> None:
    """Exit code 2, as for any wrong usage."""
    answer = quick_office.command("simulate", "--workload", str(tasks), *arguments)

    assert (2, "", True) == (answer.code, answer.out, says in answer.err)


def test_a_pool_without_a_configuration_is_none(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default policy in its place would be taken for the pool's."""
    answer = _bare(monkeypatch, tmp_path / "none.toml", "--workload", str(tasks), "--pool", "images")

    assert (2, "There is no configuration, and so no pool 'images'; name one with --config.\n") == (
        answer.code,
        answer.err,
    )


def test_a_configuration_that_is_named_must_be_there(tasks: Path, tmp_path: Path) -> None:
    """A slip in its name is no wish for the defaults."""
    absent = tmp_path / "absent.toml"

    result = CliRunner().invoke(app, ["simulate", "--workload", str(tasks), "--config", str(absent)])

    assert (78, True) == (result.exit_code, "absent.toml" in result.stderr)


def test_the_timeline_never_takes_the_place_of_the_workload(quick_office: Office, tasks: Path) -> None:
    """One word typed twice must not cost a recorded day."""
    before = tasks.read_text()

    answer = quick_office.command("simulate", "--workload", str(tasks), "--timeline", str(tasks))

    assert (2, before) == (answer.code, tasks.read_text())
