"""The timeline of simulated runs: a CSV file with a row a tick for each policy, written as the runs go.

It is written beside its place and takes it when all is there, so that nobody ever reads half a file. What never happens
here: a figure kept in memory longer than its row.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from autoscaler.cli import exits
from autoscaler.study.contract import Terms
from autoscaler.study.fleet import Fleet
from autoscaler.study.run import Watch
from autoscaler.study.score import HOUR_S, bill_s
from policies.contract import Decision

COLUMNS = (
    "t_s", "policy", "arrived", "delivered", "done", "backlog", "in_progress",
    "arriving", "serving", "leaving", "billable", "wanted", "cost",
)  # fmt: skip


class Timeline:
    """A file that is open for rows."""

    def __init__(self, file: TextIO, *, headed: bool = True) -> None:
        """`headed` is False for a part that is to be taken into another."""
        self._file = file
        self._rows = csv.writer(file, lineterminator="\n")
        if headed:
            self._rows.writerow(COLUMNS)

    def take(self, rows: str) -> None:
        """Rows that were written elsewhere, as they are."""
        self._file.write(rows)

    def of(self, policy: str, terms: Terms) -> Watch:
        """What writes the rows of one run."""
        gone, gone_s = 0, 0.0

        def watch(at_s: float, fleet: Fleet, decision: Decision) -> None:
            nonlocal gone, gone_s
            # Of a machine that is gone the bill is final, and is made once.
            for ordered_s, end_s in fleet.lives[gone:]:
                gone_s += bill_s(ordered_s, end_s, terms.quantum_s)
            gone = len(fleet.lives)
            standing = fleet.all_lives()[gone:]
            owed_s = sum(bill_s(ordered_s, now_s, terms.quantum_s) for ordered_s, now_s in standing)
            world, supply = fleet.world, decision.input.supply
            self._rows.writerow(
                (
                    f"{at_s:.10g}",
                    policy,
                    world.arrived,
                    world.arrived - world.backlog,
                    world.done,
                    world.backlog,
                    world.in_progress,
                    supply.arriving,
                    supply.serving,
                    supply.leaving,
                    len(standing),
                    decision.wanted,
                    f"{(gone_s + owed_s) / HOUR_S * terms.price_per_h:.10g}",
                )
            )

        return watch


@contextmanager
def written(path: Path | None) -> Iterator[Timeline | None]:
    """A timeline that takes its place at the end of the block, if that ends well; None without a path.

    Raises CommandFailed where the file cannot be written.
    """
    if path is None:
        yield None
        return
    with _told(path):
        place = path.resolve()
        if place.exists() and not place.is_file():
            raise exits.CommandFailed(f"{path} is no ordinary file; expected a name for a CSV file.")
        beside = place.with_name(f".{place.name[:200]}.{os.getpid()}")
        file = beside.open("x", encoding="utf-8")
        try:
            with file:
                yield Timeline(file)
            beside.replace(place)
        finally:
            with suppress(OSError):
                beside.unlink()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise exits.CommandFailed(f"{path} cannot be written: {error.strerror}.") from error
    except RuntimeError as error:
        if "Symlink loop" not in str(error):
            raise
        raise exits.CommandFailed(f"{path} cannot be written: its links lead in a circle.") from error
