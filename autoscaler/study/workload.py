"""Workloads: read from CSV that somebody recorded, or made up so that the same seed makes the same one bit for bit.

A file has a row for each task, or counts of arrivals by interval. What never happens here: a guess at what a malformed
row meant, another program's format, or dice without a seed.
"""

from __future__ import annotations

import csv
import math
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from autoscaler.study.contract import Workload

TASKS_AT_MOST = 50_000_000
"""More do not fit in the memory of a small machine."""
SECONDS_AT_MOST = 1e9
"""Some 31 years: a larger time is a date in seconds since 1970, or a slip."""
LINE_AT_MOST = 10_000
"""Bytes: a longer line is no row of numbers, and is not read to its end."""
TASK_COLUMNS = ("submit_s", "runtime_s")
COUNT_COLUMNS = ("t_seconds", "arrivals")


class WorkloadWrong(ValueError):
    """A file that is no workload: says which file, which line, and what was expected there."""


class RuntimesUnknown(WorkloadWrong):
    """Counts of arrivals without `task_s`."""


def read(path: Path, *, task_s: tuple[float, float] | None = None, seed: int = 0) -> Workload:
    """The workload in this CSV file, whose name it gets. Rows may come in any order, and with further columns.

    With the columns `submit_s,runtime_s` a row is a task, in seconds since the workload's start. With
    `t_seconds,arrivals` it is the number of tasks that were sent from `t_seconds` until the next row's; the last
    interval is as long as the one before it. Given its count, a Poisson process scatters arrivals evenly over an
    interval, and so does the seed here. Such tasks run for a lognormal time with this mean in seconds and this
    coefficient of variation, `task_s`, which is not used otherwise. WorkloadWrong for whatever is malformed, and for
    counts without `task_s`; ValueError for a `task_s` that no distribution has.
    """
    try:
        with path.open("rb") as file:
            columns, rows = _table(path, _lines(path, iter(lambda: file.readline(LINE_AT_MOST + 1), b"")))
            if columns == TASK_COLUMNS:
                return _tasks(path, rows)
            counts = sorted(_counts(path, rows))
    except OSError as error:
        raise WorkloadWrong(f"{path}: cannot be read ({error.strerror}); expected a CSV file") from error
    if task_s is None:
        raise RuntimesUnknown(f"{path}, line 1: counts of arrivals do not say how long tasks run")
    return _scattered(path, counts, task_s, seed)


def poisson(rate_per_s: float, seconds: float, task_s: float, cv: float, seed: int) -> Workload:
    """Arrivals at random at this mean rate, for so many seconds, running lognormally (mean in seconds, spread ÷ mean).

    ValueError for a negative or endless number, or a mean of 0.
    """
    _check(rate_per_s=rate_per_s, seconds=seconds)
    dice = random.Random(seed)
    runtime = runtimes(task_s, cv, dice)
    submit_s: array[float] = array("d")
    runtime_s: array[float] = array("d")
    at_s = dice.expovariate(rate_per_s) if rate_per_s else math.inf
    while at_s < seconds:
        submit_s.append(at_s)
        runtime_s.append(runtime())
        at_s += dice.expovariate(rate_per_s)
    return Workload(name=f"poisson {rate_per_s:g}/s", submit_s=submit_s, runtime_s=runtime_s)


def burst(count: int, at_s: float, task_s: float) -> Workload:
    """So many tasks at one instant, each of `task_s` seconds. ValueError for a negative or endless number."""
    _check(count=count, at_s=at_s, task_s=task_s)
    return Workload(
        name=f"burst of {count}", submit_s=array("d", [at_s]) * count, runtime_s=array("d", [task_s]) * count
    )


def steady(rate_per_s: float, seconds: float, task_s: float) -> Workload:
    """Tasks of `task_s` seconds at equal distances, the first at 0, all before `seconds`; errors as for `burst`."""
    _check(rate_per_s=rate_per_s, seconds=seconds, task_s=task_s)
    submit_s: array[float] = array("d")
    while rate_per_s and (at_s := len(submit_s) / rate_per_s) < seconds:
        submit_s.append(at_s)
    return Workload(
        name=f"steady {rate_per_s:g}/s", submit_s=submit_s, runtime_s=array("d", [task_s]) * len(submit_s)
    )


def joined(*workloads: Workload) -> Workload:
    """All their tasks in one, in the order of arrival; at one instant, in the order of the arguments."""
    submit_s: array[float] = array("d")
    runtime_s: array[float] = array("d")
    for one in workloads:
        submit_s.extend(one.submit_s)
        runtime_s.extend(one.runtime_s)
    return _in_order(" + ".join(one.name for one in workloads), submit_s, runtime_s)


def _check(**given: float) -> None:
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}; expected a finite number, not negative")


def runtimes(mean_s: float, cv: float, dice: random.Random) -> Callable[[], float]:
    """Makes run times: lognormal with this mean and coefficient of variation; always the mean where that is 0.

    ValueError for a negative or endless number, or a mean of 0.
    """
    _check(mean=mean_s, cv=cv)
    if not mean_s:
        raise ValueError("tasks run for 0 seconds on average; expected more")
    if not cv:
        return lambda: mean_s
    variance = math.log1p(cv * cv)
    mu, sigma = math.log(mean_s) - variance / 2, math.sqrt(variance)
    return lambda: dice.lognormvariate(mu, sigma)


def _in_order(name: str, submit_s: array[float], runtime_s: array[float]) -> Workload:
    if any(later < sooner for sooner, later in pairwise(submit_s)):
        order = sorted(range(len(submit_s)), key=submit_s.__getitem__)
        submit_s = array("d", map(submit_s.__getitem__, order))
        runtime_s = array("d", map(runtime_s.__getitem__, order))
    return Workload(name=name, submit_s=submit_s, runtime_s=runtime_s)


@dataclass(frozen=True, slots=True)
class _Row:
    """The two fields of a line that are read."""

    line: int
    fields: tuple[str, str]


def _lines(path: Path, raw_lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(raw_lines, 1):
        if len(raw) > LINE_AT_MOST:
            raise WorkloadWrong(
                f"{path}, line {number}: longer than {LINE_AT_MOST} bytes; expected a row of numbers"
            )
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise WorkloadWrong(f"{path}, line {number}: not UTF-8; expected text in UTF-8") from error


def _table(path: Path, lines: Iterable[str]) -> tuple[tuple[str, str], Iterator[_Row]]:
    """Which two columns the header has, and the rows below it."""
    rows = _rows(path, lines)
    number, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    for columns in (TASK_COLUMNS, COUNT_COLUMNS):
        if all(names.count(column) == 1 for column in columns):
            places = (names.index(columns[0]), names.index(columns[1]))
            return columns, _fields(path, rows, len(names), places)
    found = f"the header is {','.join(names)[:100]!r}" if header else "nothing is there"
    either = " or ".join(",".join(columns) for columns in (TASK_COLUMNS, COUNT_COLUMNS))
    raise WorkloadWrong(f"{path}, line {number}: {found}; expected the columns {either}, each once")


def _rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The CSV rows with their lines; empty lines are none."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise WorkloadWrong(f"{path}, line {reader.line_num}: {error}; expected CSV") from error


def _fields(
    path: Path, rows: Iterable[tuple[int, list[str]]], width: int, places: tuple[int, int]
) -> Iterator[_Row]:
    empty = True
    for line, row in rows:
        empty = False
        if len(row) != width:
            raise WorkloadWrong(f"{path}, line {line}: {len(row)} fields; expected {width}, as in the header")
        yield _Row(line, (row[places[0]], row[places[1]]))
    if empty:
        raise WorkloadWrong(f"{path}, line 2: nothing is there; expected at least one row below the header")


def _number(path: Path, line: int, column: str, text: str, at_most: float = SECONDS_AT_MOST) -> float:
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value <= at_most:  # NaN is neither
        expected = f"a number from 0 to {at_most:,.0f}"
        raise WorkloadWrong(f"{path}, line {line}: {column} is {text[:100]!r}; expected {expected}")
    return value


def _tasks(path: Path, rows: Iterable[_Row]) -> Workload:
    submit_s: array[float] = array("d")
    runtime_s: array[float] = array("d")
    for row in rows:
        submit_s.append(_number(path, row.line, TASK_COLUMNS[0], row.fields[0]))
        runtime_s.append(_number(path, row.line, TASK_COLUMNS[1], row.fields[1]))
        _limit(path, row.line, len(submit_s))
    return _in_order(path.name, submit_s, runtime_s)


def _counts(path: Path, rows: Iterable[_Row]) -> Iterator[tuple[float, int, int]]:
    """The start of each interval, its line, and the arrivals in it."""
    total = 0
    for row in rows:
        start_s = _number(path, row.line, COUNT_COLUMNS[0], row.fields[0])
        # A count above the limit is for the limit to name.
        count = _number(path, row.line, COUNT_COLUMNS[1], row.fields[1], at_most=1e15)
        if not count.is_integer():
            raise WorkloadWrong(f"{path}, line {row.line}: arrivals are {count}; expected a whole number")
        total += int(count)
        _limit(path, row.line, total)
        yield start_s, row.line, int(count)


def _limit(path: Path, line: int, tasks: int) -> None:
    if tasks > TASKS_AT_MOST:
        raise WorkloadWrong(
            f"{path}, line {line}: {tasks:,} tasks so far; expected at most {TASKS_AT_MOST:,}"
        )


def _scattered(
    path: Path, counts: Sequence[tuple[float, int, int]], task_s: tuple[float, float], seed: int
) -> Workload:
    """The arrivals of each interval at random in it, with their runtimes."""
    if len(counts) == 1:
        raise WorkloadWrong(
            f"{path}, line {counts[0][1]}: one row does not say how long its interval is; expected two"
        )
    dice = random.Random(seed)
    runtime = runtimes(*task_s, dice)
    submit_s: array[float] = array("d")
    last_s = counts[-1][0] + (counts[-1][0] - counts[-2][0])
    for (start_s, line, count), end_s in zip(
        counts, [*(start for start, _, _ in counts[1:]), last_s], strict=True
    ):
        if not start_s < end_s:
            raise WorkloadWrong(
                f"{path}, line {line}: another row starts at {start_s} too; expected one interval each"
            )
        length_s = end_s - start_s
        submit_s.extend(sorted(start_s + length_s * dice.random() for _ in range(count)))
    return Workload(
        name=path.name, submit_s=submit_s, runtime_s=array("d", (runtime() for _ in range(len(submit_s))))
    )
