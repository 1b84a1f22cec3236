"""`backtest`: a pool's own past under today's settings and a candidate's, and what is said of a wrong word."""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.cli import backtested, timeline
from autoscaler.journal import thinning
from autoscaler.study import parallel
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Terms
from autoscaler.study.run import Configured
from benchmarks.recording import Record, record, write
from policies.contract import PolicySpec
from tests.unit.cli.office import Office
from tests.unit.stand_ins import FixedClock

HOUR_S = 3600.0
TERMS = Terms(boot_s=95.0, max_workers=5, price_per_h=0.1)
BACKLOG = Configured(policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 10}),))
SLOWER = '[[policies]]\nkind = "backlog"\nmessages_per_worker = 30\n'


@pytest.fixture(scope="module")
def made() -> Record:
    """Three hours that ended lately."""
    tasks = workloads.joined(
        workloads.poisson(0.1, 3 * HOUR_S, 30.0, 1.0, 1), workloads.burst(60, HOUR_S, 30.0)
    )
    return record(tasks, TERMS, BACKLOG, pool="images", begins_at=time.time() - 3.25 * HOUR_S)


@pytest.fixture
def desk(office: Office, made: Record, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose daemon has worked for three hours; one core, because processes take long to begin."""
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    office.rewrite('tick = "100ms"', 'tick = "5s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    office.secrets = {}
    with office.journal() as journal:
        write(journal, made)
    return office


def _candidate(desk: Office, text: str = SLOWER) -> str:
    file = desk.directory / "candidate.toml"
    file.write_text(text)
    return str(file)


def test_the_facts_are_the_record_and_a_result_each(desk: Office, made: Record) -> None:
    """Scripts rest on these names: today's settings first, then the candidate's, in the shape that simulate has."""
    answer = desk.command("backtest", "--candidate", _candidate(desk), "--json")

    assert (0, "") == (answer.code, answer.err)
    facts = answer.facts
    assert ["configured", "candidate"] == [result["policy"] for result in facts["results"]]
    assert list(facts["recorded"]) == list(facts["results"][0])
    assert {"file", "seconds", "tasks", "work_seconds"} == facts["workload"].keys()
    assert made.outcome.cost == pytest.approx(facts["recorded"]["cost"])
    assert {made.outcome.tasks_arrived} == {
        facts["workload"]["tasks"], *(result["tasks_arrived"] for result in facts["results"])
    }  # fmt: skip
    assert ("solid", 0, []) == tuple(facts["record"][key] for key in ("trust", "tasks_not_counted", "gaps"))


def test_people_read_a_table_and_the_difference_in_words(desk: Office) -> None:
    """What happened, what today's settings make of it, what the candidate's would have, and what that means."""
    answer = desk.command("backtest", "--candidate", _candidate(desk))

    assert 0 == answer.code
    rows = [line.split()[0] for line in answer.out.splitlines()[2:5]]
    assert ["recorded", "configured", "candidate"] == rows
    assert "The candidate would have cost " in answer.out
    assert " less than today's settings (" in answer.out
    assert "Today's settings, played again, cost " in answer.out
    assert "The record goes back 3 h" in answer.out


def test_a_time_that_was_thinned_is_played_with_every_task_and_says_so(desk: Office, made: Record) -> None:
    """Between two rows of a minute nobody missed a look: what was counted is counted."""
    with desk.journal() as journal:
        later = time.time() + 3_600.0
        terms = thinning.Terms(
            ticks_since_at=later, minutes_since_at=0.0, decisions_since_at=later, apart_s=20.0
        )
        while thinning.thin(journal, terms):
            pass

    answer = desk.command("backtest", "--candidate", _candidate(desk), "--json")

    assert 0 == answer.code
    record = answer.facts["record"]
    assert ([], [60.0]) == (record["gaps"], [each["over_s"] for each in record["coarse"]])
    # What came before the first row that is left was before its time.
    assert made.outcome.tasks_arrived == pytest.approx(answer.facts["workload"]["tasks"], rel=0.05)
    assert any("on record by the minute only" in doubt for doubt in record["doubts"])


WHOLE = '[[pools.images.policies]]\nkind = "backlog"\nmessages_per_worker = 30\n'


def test_a_candidate_whose_policy_cannot_be_opened_is_told_before_anything_is_played(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its file, as a sentence, and with the exit code of a wrong configuration; so is one of today's."""
    monkeypatch.setattr(parallel, "over", None)
    nix = '[[policies]]\nkind = "nix"\n'
    answer = desk.command("backtest", "--candidate", _candidate(desk, nix))
    desk.rewrite('kind = "backlog"\nmessages_per_worker = 10', 'kind = "nix"')
    today = desk.command("backtest", "--candidate", _candidate(desk))

    says = "policies[0] (nix): kind is not known; expected backlog"
    assert [(78, "")] * 2 == [(one.code, one.out) for one in (answer, today)]
    assert f"candidate.toml, pools.images: {says}" in " ".join(answer.err.split())
    assert says in " ".join(today.err.split())


@pytest.mark.parametrize("text", [SLOWER, WHOLE, "whole"])
def test_a_candidate_may_be_whole_or_a_part(desk: Office, text: str) -> None:
    """The pool's own tables, the same under their full names, or a configuration of its own: one result."""
    if text == "whole":
        text = desk.config.read_text().replace("messages_per_worker = 10", "messages_per_worker = 30")
    expected = desk.command("backtest", "--candidate", _candidate(desk), "--json").facts
    found = desk.command("backtest", "--candidate", _candidate(desk, text), "--json").facts

    assert expected["results"] == found["results"]


def test_a_candidate_that_changes_nothing_is_told_of(desk: Office) -> None:
    """An empty file, or one with what stands already: equal rows are no finding then."""
    says = "The candidate changes nothing that is played here"
    empty, same = (
        desk.command("backtest", "--candidate", _candidate(desk, text), "--json").facts
        for text in ("", SLOWER.replace("30", "10"))
    )

    assert all(says in facts["record"]["doubts"][0] for facts in (empty, same))
    assert says in " ".join(desk.command("backtest", "--candidate", _candidate(desk, "")).out.split())


def test_a_part_is_laid_over_what_stands(desk: Office) -> None:
    """Tables are merged key by key: a floor says nothing of the ceiling, and the policies stay."""
    answer = desk.command(
        "backtest", "--candidate", _candidate(desk, "[limits]\nmin_workers = 3\n"), "--json"
    )

    configured, candidate = answer.facts["results"]
    assert candidate["cost"] > configured["cost"]
    assert 5 >= candidate["nodes_peak"] >= 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\nmin_workers = 9\n", "line 2, pools.images.limits.min_workers: found 9; expected at most"),
        ("[[policies]]\nkind = \"wait\"\n", "pools.images.policies[0].target_wait"),
        ("[pools.mail.limits]\nmin_workers = 1\n", "found settings of mail; expected settings of pools.images"),
        ("limits = [", "what is not TOML"),
        ("[limit]\nmin_workers = 1\n", "pools.images.limit"),
    ],
)  # fmt: skip
def test_a_candidate_that_is_wrong_is_told_by_its_own_lines(desk: Office, text: str, says: str) -> None:
    """As the configuration is: every problem, with the file that holds it."""
    answer = desk.command("backtest", "--candidate", _candidate(desk, text))

    assert (78, "") == (answer.code, answer.out)
    assert says in answer.err
    assert "candidate.toml" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--pool", "mail"), 2, "There is no pool 'mail'"),
        (("--since", "yesterday"), 2, "--since 'yesterday' is no duration"),
        (("--since", "5s"), 2, "from 1m to 520w"),
        (("--target-wait", "0s"), 2, "--target-wait"),
        (("--task-seconds", "0"), 2, "--task-seconds"),
        (("--task-cv", "-1"), 2, "--task-cv"),
        (("--since", "1m"), 1, "holds no look at pool images in the last 1 min: the last one was"),
    ],
)
def test_what_cannot_be_played_is_told_with_its_exit_code(
    desk: Office,
    made: Record,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    """A wrong word is 2; a record with nothing in it is 1."""
    if code == 1:
        clock = FixedClock()
        clock.at = made.samples[-1].at + 600.0
        monkeypatch.setattr("autoscaler.cli.opened.CLOCK", clock)
    answer = desk.command("backtest", "--candidate", _candidate(desk), *arguments)

    assert (code, "") == (answer.code, answer.out)
    assert says in answer.err


def test_a_journal_that_is_not_there_or_empty_says_so(office: Office) -> None:
    """There is nothing to be played yet."""
    office.secrets = {}
    absent = office.command("backtest", "--candidate", _candidate(office))
    office.on_record()
    empty = office.command("backtest", "--candidate", _candidate(office))

    assert (69, 1) == (absent.code, empty.code)
    assert "no daemon has run with this configuration yet" in absent.err
    assert "no daemon has watched it yet" in empty.err


def test_the_timeline_has_a_row_a_tick_for_both(desk: Office, tmp_path: Path) -> None:
    """In the columns of simulate."""
    file = tmp_path / "timeline.csv"
    assert 0 == desk.command("backtest", "--candidate", _candidate(desk), "--timeline", str(file)).code

    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert list(timeline.COLUMNS) == list(rows[0])
    counted = [sum(row["policy"] == policy for row in rows) for policy in ("configured", "candidate")]
    assert counted[0] == counted[1] > 1000


def test_two_processes_make_of_it_what_one_does(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only sooner."""
    one = desk.command("backtest", "--candidate", _candidate(desk), "--json").facts
    monkeypatch.setattr(parallel, "cores", lambda: 2)

    two = desk.command("backtest", "--candidate", _candidate(desk), "--json").facts
    assert one["results"] == two["results"]


def test_a_daemon_may_work_on_meanwhile(desk: Office) -> None:
    """The journal is only read, and a tick that is being written keeps nobody from it."""
    with desk.daemon():
        assert 0 == desk.command("backtest", "--candidate", _candidate(desk), "--since", "1h").code


def test_gaps_older_rows_and_other_settings_are_told(
    office: Office, made: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that makes the figures less than exact is a sentence."""
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    office.rewrite('tick = "100ms"', 'tick = "5s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    office.rewrite("price_per_hour = 0.1", "price_per_hour = 0.2")
    office.secrets = {}
    rows = list(made.samples)
    torn = [*rows[:300], *rows[420:600]]
    torn += [replace(row, arrived=None, completed=None, counted_s=None) for row in rows[600:700]]
    torn += [
        *rows[700:800],
        *(replace(row, backlog=None, in_progress=None) for row in rows[800:830]),
        *rows[830:],
    ]
    with office.journal() as journal:
        write(journal, replace(made, samples=tuple(torn)))
    office.rewrite("messages_per_worker = 10", "messages_per_worker = 12")

    out = office.command("backtest", "--candidate", _candidate(office)).out

    assert "No daemon looked for 10 min 5 s from " in out
    assert "Demand could not be seen for 2 min 35 s from " in out
    assert "were not counted but follow from rates and queues (rough)" in out
    assert "For all of that time the pool's settings were others than today's" in out
    assert "bought at other prices or quanta" in out


def test_differences_are_told_as_people_say_them(made: Record) -> None:
    """More, less, or the same; of nothing there is no share."""
    one = replace(made.outcome, cost=2.0, within_target=0.999)
    words = [
        backtested.difference(one, replace(one, cost=4.0, within_target=1.0), "before"),
        backtested.difference(one, replace(one, cost=1.9), "before"),
        backtested.difference(one, replace(one, cost=2.001), "before"),
        backtested.difference(one, replace(one, cost=0.0), "before"),
    ]

    assert [
        "cost 50 % less than before (2.00 instead of 4.00) and started 99.9 % in time instead of 100.0 %",
        "cost 5.3 % more than before (2.00 instead of 1.90) and started as many in time (99.9 %)",
        "cost as much as before (2.00 and 2.00) and started as many in time (99.9 %)",
        "cost 2.00 instead of nothing and started as many in time (99.9 %)",
    ] == words
