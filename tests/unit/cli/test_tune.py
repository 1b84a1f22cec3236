"""`tune`: the cheapest settings that keep a promise, as a table, as facts and as a fragment to be put in place."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autoscaler.cli import tune
from autoscaler.study import parallel
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Terms
from autoscaler.study.run import Configured
from benchmarks.recording import record, write
from policies import steps
from policies.contract import PolicySpec
from tests.unit.cli.office import SECRETS, Office

HOUR_S = 3600.0


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """An hour and a half of short tasks, more of them in the second half hour."""
    file = tmp_path / "tasks.csv"
    rows = [f"{t},{40 if t // 1800 % 2 else 10}" for t in range(0, 5400, 300)]
    file.write_text("\n".join(["t_seconds,arrivals", *rows]) + "\n")
    return file


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    office.rewrite('tick = "100ms"', 'tick = "10s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    office.rewrite("messages_per_worker = 10", "messages_per_worker = 2")
    office.rewrite('billing_quantum = "1h"', 'billing_quantum = "1m"')
    office.secrets = {}
    return office


def _tuned(desk: Office, tasks: Path, *more: str) -> Any:
    return desk.command("tune", "--workload", str(tasks), "--task-seconds", "20", "--trials", "6", *more)


def test_cheaper_settings_that_keep_the_promise_are_found_and_written(desk: Office, tasks: Path) -> None:
    """Two messages a worker are far too few for a promise of two minutes."""
    file = desk.directory / "tuned.toml"
    answer = _tuned(desk, tasks, "--output", str(file), "--json")

    assert 0 == answer.code
    facts = answer.facts
    chosen, now = facts["chosen"], facts["today"]
    assert chosen["searched"]["cost"] < now["searched"]["cost"]
    assert all(chosen[part]["within_target"] >= 0.995 for part in ("searched", "checked"))
    assert {} == now["changes"]
    assert now["changes"] != chosen["changes"]
    assert facts["fragment"] == file.read_text()
    costs = [point["searched"]["cost"] for point in facts["curve"]]
    assert costs == sorted(costs)
    assert "trials: the best so far costs" in answer.err


def test_the_fragment_is_a_candidate_as_it_is(desk: Office, tasks: Path) -> None:
    """And may be put in place of the pool's own tables."""
    file = desk.directory / "tuned.toml"
    assert 0 == _tuned(desk, tasks, "--output", str(file)).code
    flat = Configured(policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 2}),))
    past = record(
        workloads.steady(0.1, HOUR_S, 20.0), Terms(max_workers=5), flat, pool="images",
        begins_at=time.time() - 1.5 * HOUR_S,
    )  # fmt: skip
    with desk.journal() as journal:
        write(journal, past)

    assert 0 == desk.command("backtest", "--candidate", str(file)).code
    said = tomllib.loads(file.read_text())["pools"]["images"]
    assert 5 == said["limits"]["max_workers"]
    standing = desk.config.read_text()
    tables = standing[standing.index("[pools.images.limits]") : standing.index("[[pools.images.offers]]")]
    desk.config.write_text(standing.replace(tables, file.read_text() + "\n"))
    desk.secrets = dict(SECRETS)
    assert 0 == desk.command("check").code


def test_equal_seeds_give_equal_bytes_on_any_number_of_cores(desk: Office, tasks: Path) -> None:
    """Else nobody could repeat what somebody recommended."""
    one, two = (_tuned(desk, tasks, "--json", "--jobs", jobs).out for jobs in ("1", "2"))

    assert one == two
    assert one != _tuned(desk, tasks, "--json", "--seed", "1").out


def test_steps_that_contradict_each_other_are_passed_over(desk: Office, tasks: Path) -> None:
    """Low thresholds fall together where they are scaled down, and no pool would open such steps."""
    desk.rewrite(
        'kind = "backlog"\nmessages_per_worker = 2',
        'kind = "steps"\nout = [{ above = 1, add = 1 }, { above = 2, add = 2 }, { above = 40, add = 5 }]\n'
        "in = [{ below = 1, remove = 1 }]",
    )
    file = desk.directory / "tuned.toml"
    answer = _tuned(desk, tasks, "--trials", "20", "--output", str(file), "--json")

    assert 0 == answer.code
    assert answer.facts["tried"] > 0
    (chosen,) = tomllib.loads(file.read_text())["pools"]["images"]["policies"]
    assert steps.open_policy({"out": chosen["out"], "in": chosen["in"]})


def test_where_nothing_is_better_todays_settings_are_written(desk: Office, tmp_path: Path) -> None:
    """And it is said."""
    desk.rewrite('billing_quantum = "1m"', 'billing_quantum = "1h"')
    tasks = tmp_path / "none.csv"
    tasks.write_text("submit_s,runtime_s\n0,1\n7200,1\n")
    file = tmp_path / "tuned.toml"
    answer = _tuned(desk, tasks, "--output", str(file))

    assert "Nothing beats today's settings" in answer.out
    assert "# Nothing beats today's settings" in file.read_text()
    said = tomllib.loads(file.read_text())["pools"]["images"]
    assert [{"kind": "backlog", "messages_per_worker": 2}] == said["policies"]


def test_a_promise_that_nothing_keeps_is_told(desk: Office, tasks: Path) -> None:
    """Machines that boot for ten minutes start nothing new within ten seconds."""
    answer = _tuned(desk, tasks, "--boot-seconds", "600", "--target-wait", "10s")

    assert 0 == answer.code
    assert "Nothing keeps 99.5 % in time in both parts" in answer.out


def test_machines_for_nothing_are_counted_by_the_hour(desk: Office, tasks: Path) -> None:
    """Else all settings would cost the same, and the dearest be chosen."""
    desk.rewrite("price_per_hour = 0.1\n", "")
    answer = _tuned(desk, tasks, "--json")

    assert "costs are hours of machines" in answer.err
    facts = answer.facts
    assert facts["today"]["searched"]["cost"] == facts["today"]["searched"]["node_hours_billed"] > 0.0


def test_ctrl_c_tells_the_best_so_far(desk: Office, tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is not lost with the patience."""
    calls = 0

    @contextmanager
    def impatient(shared: Any, processes: int) -> Iterator[Any]:
        def play(call: Any, jobs: Any) -> Iterator[Any]:
            nonlocal calls
            for job in jobs:
                calls += 1
                if calls > 3:
                    raise KeyboardInterrupt
                yield call(shared, job)

        yield play

    monkeypatch.setattr(tune.parallel, "over", impatient)
    answer = _tuned(desk, tasks, "--json")

    assert 130 == answer.code
    assert answer.facts["interrupted"]
    assert answer.facts["today"]["searched"]
    assert answer.facts["chosen"]["checked"] is None
    assert (
        "# Ended early and not checked: No other settings were tried to the end" in answer.facts["fragment"]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--since", "1d"), 2, "either --workload or --since"),
        (("--in-time", "0"), 2, "--in-time 0 is no share"),
        (("--pool", "mail"), 2, "There is no pool 'mail'"),
        (("--output", "/nowhere/at/all.toml"), 1, "/nowhere/at/all.toml cannot be written"),
        (("--output", "/"), 1, "/ cannot be written: it is a directory"),
    ],
)
def test_a_wrong_word_is_told(
    desk: Office, tasks: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """With what was expected in its place."""
    answer = _tuned(desk, tasks, *arguments)

    assert code == answer.code
    assert says in answer.err


@pytest.mark.parametrize("read", ["config.toml", "tasks.csv"])
@pytest.mark.parametrize("linked", ["", "soft", "hard"])
def test_the_fragment_takes_the_place_of_nothing_that_is_read(
    desk: Office, tasks: Path, read: str, linked: str
) -> None:
    """By none of its names: the daemon would not start again with a part of a configuration."""
    file = place = desk.directory / read
    before = file.read_bytes()
    if linked:
        place = desk.directory / "tuned.toml"
        (place.symlink_to if linked == "soft" else place.hardlink_to)(file)
    answer = _tuned(desk, tasks, "--output", str(place))

    assert (2, "") == (answer.code, answer.out)
    assert "would overwrite the" in answer.err
    assert before == file.read_bytes()


def test_counts_need_a_task_time(desk: Office, tasks: Path) -> None:
    """As simulate says it."""
    answer = desk.command("tune", "--workload", str(tasks))

    assert 2 == answer.code
    assert "give --task-seconds" in answer.err
    assert "task_s" not in answer.err
