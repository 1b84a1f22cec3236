"""Workloads from CSV and from dice: what is read, what is refused and where, and that a seed repeats."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from autoscaler.study import workload as room
from autoscaler.study.contract import Workload
from autoscaler.study.workload import WorkloadWrong, burst, joined, poisson, read, steady

TASK_S = (10.0, 0.5)
COUNTS = "t_seconds,arrivals\n"
TASKS = "submit_s,runtime_s\n"


def a_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "trace.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(workload: Workload) -> list[tuple[float, float]]:
    return list(zip(workload.submit_s, workload.runtime_s, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "submit_s,runtime_s\n0,1\n2.5,3e1\n",
        "\ufeffruntime_s, submit_s ,host\r\n1,0,a\r\n\r\n30,2.5,b",
        '"submit_s","runtime_s"\n2.5,30\n"0", 1\n',
    ],
)
def test_a_row_is_a_task(tmp_path: Path, text: str) -> None:
    """Whatever the order of rows and columns, with further columns, empty lines, quotes or a byte order mark."""
    workload = read(a_file(tmp_path, text))

    assert ("trace.csv", [(0, 1), (2.5, 30)]) == (workload.name, rows(workload))


def test_tasks_of_one_instant_stay_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """Sorting keeps what is equal as it was."""
    assert [(1, 9), (1, 3), (2, 5)] == rows(read(a_file(tmp_path, TASKS + "2,5\n1,9\n1,3\n")))


def test_counts_are_arrivals_of_the_interval_that_starts_there(tmp_path: Path) -> None:
    """Each interval gets its number, within it; the last is as long as the one before."""
    workload = read(a_file(tmp_path, COUNTS + "60,5\n0,3\n90,400\n100,2\n"), task_s=TASK_S)
    starts = [0, 60, 90, 100, 110]

    assert [3, 5, 400, 2] == [
        sum(start <= sent < end for sent in workload.submit_s) for start, end in pairwise(starts)
    ]
    assert sorted(workload.submit_s) == list(workload.submit_s)


def test_runtimes_of_counts_have_the_mean_and_spread_asked_for(tmp_path: Path) -> None:
    """Lognormal, so never 0; without spread all are the mean."""
    path = a_file(tmp_path, COUNTS + "0,20000\n60,0\n")
    drawn = read(path, task_s=TASK_S).runtime_s

    assert 10 == pytest.approx(statistics.fmean(drawn), rel=0.02)
    assert 0.5 == pytest.approx(statistics.stdev(drawn) / statistics.fmean(drawn), rel=0.04)
    assert min(drawn) > 0
    assert {10} == set(read(path, task_s=(10, 0)).runtime_s)


def test_a_seed_repeats_bit_for_bit_and_another_differs(tmp_path: Path) -> None:
    """For files of counts and for made-up arrivals."""
    path = a_file(tmp_path, COUNTS + "0,50\n60,10\n")

    assert read(path, task_s=TASK_S, seed=7) == read(path, task_s=TASK_S, seed=7)
    assert read(path, task_s=TASK_S, seed=7) != read(path, task_s=TASK_S, seed=8)
    assert poisson(1, 100, 5, 1, 7) == poisson(1, 100, 5, 1, 7)
    assert poisson(1, 100, 5, 1, 7) != poisson(1, 100, 5, 1, 8)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("", 1, "expected the columns submit_s,runtime_s or t_seconds,arrivals"),
        ("\n\n", 1, "nothing is there"),
        ("submit_s,run\n0,1\n", 1, "the header is 'submit_s,run'"),
        ("submit_s,runtime_s,submit_s\n0,1,2\n", 1, "each once"),
        (TASKS, 2, "expected at least one row"),
        (TASKS + "0,1\n1\n", 3, "1 fields; expected 2"),
        (TASKS + "0,1,2\n", 2, "3 fields; expected 2"),
        (TASKS + "0,1\n\n1,soon\n", 4, "runtime_s is 'soon'; expected a number from 0"),
        (TASKS + "-1,1\n", 2, "submit_s is '-1'"),
        (TASKS + "0,-0.5\n", 2, "runtime_s is '-0.5'"),
        (TASKS + "0,nan\n", 2, "runtime_s is 'nan'"),
        (TASKS + "inf,1\n", 2, "submit_s is 'inf'"),
        (TASKS + "1764000000,1\n", 2, "from 0 to 1,000,000,000"),
        (TASKS + "1_0,1\n", 2, "submit_s is '1_0'"),
        (TASKS + ",1\n", 2, "submit_s is ''"),
        (TASKS + '0,"1\n', 2, "expected CSV"),
        (TASKS.encode() + b"0,1\n\xff,2\n", 3, "expected text in UTF-8"),
        (TASKS + "0,1\n0," + "1" * 20_000 + "\n", 3, "longer than 10000 bytes"),
        (COUNTS + "0,1.5\n", 2, "expected a whole number"),
        (COUNTS + "0,-1\n", 2, "arrivals is '-1'"),
        (COUNTS + "0,1\n0,2\n60,1\n", 2, "another row starts at 0.0 too"),
        (COUNTS + "0,1\n60,1\n60,2\n", 3, "another row starts at 60.0 too"),
        (COUNTS + "0,1\n", 2, "expected two"),
        (COUNTS + "0,40000000\n60,20000000\n", 3, "60,000,000 tasks so far; expected at most 50,000,000"),
    ],
)
def test_what_is_malformed_is_refused_by_line(
    tmp_path: Path, text: str | bytes, line: int, expected: str
) -> None:
    """With the file, the line, and what was expected there."""
    path = a_file(tmp_path, text)

    with pytest.raises(WorkloadWrong) as refused:
        read(path, task_s=TASK_S)
    assert str(refused.value).startswith(f"{path}, line {line}: ")
    assert expected in str(refused.value)


def test_more_tasks_than_fit_are_refused_before_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are counted as they are read."""
    monkeypatch.setattr(room, "TASKS_AT_MOST", 2)

    with pytest.raises(WorkloadWrong, match=r"line 4: 3 tasks so far; expected at most 2"):
        read(a_file(tmp_path, TASKS + "0,1\n" * 3))


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory, or nothing at all."""
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(WorkloadWrong, match="expected a CSV file"):
            read(path)


def test_counts_do_not_say_how_long_tasks_run(tmp_path: Path) -> None:
    """Whoever reads them must; rows of tasks do, and nothing is asked for."""
    with pytest.raises(WorkloadWrong, match="do not say how long tasks run"):
        read(a_file(tmp_path, COUNTS + "0,1\n60,1\n"))


def test_poisson_arrivals_come_at_their_rate_and_without_memory() -> None:
    """As many as expected, gaps that spread as much as they last, all before the end, in order."""
    sent = poisson(2, 10_000, 5, 1, 3).submit_s
    gaps = [later - sooner for sooner, later in pairwise(sent)]

    assert 20_000 == pytest.approx(len(sent), rel=0.03)
    assert 1 == pytest.approx(statistics.stdev(gaps) / statistics.fmean(gaps), rel=0.03)
    assert 0 < min(sent) <= max(sent) < 10_000
    assert min(gaps) >= 0


def test_the_other_makers_make_what_they_say() -> None:
    """A burst is one instant, a steady stream has equal gaps, and no rate sends nothing."""
    assert [(7, 2)] * 3 == rows(burst(3, 7, 2))
    assert [(0, 2), (0.5, 2), (1, 2)] == rows(steady(2, 1.5, 2))
    assert [] == rows(steady(0, 10, 2)) == rows(poisson(0, 10, 2, 1, 1))


def test_joined_workloads_arrive_in_the_order_of_time() -> None:
    """At one instant those of the first argument come first; the name tells all."""
    both = joined(steady(1, 3, 5), burst(2, 1, 9))

    assert [(0, 5), (1, 5), (1, 9), (1, 9), (2, 5)] == rows(both)
    assert "steady 1/s + burst of 2" == both.name


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_makers_refuse_what_no_workload_has(wrong: float) -> None:
    """Negative and endless numbers; tasks made by a distribution run for some time."""
    for make in (
        lambda: steady(wrong, 1, 1), lambda: burst(1, wrong, 1), lambda: poisson(1, wrong, 1, 1, 1),
        lambda: poisson(1, 1, wrong, 1, 1), lambda: poisson(1, 1, 1, wrong, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected a finite number"):
            make()
    with pytest.raises(ValueError, match="0 seconds on average"):
        poisson(1, 1, 0, 1, 1)
