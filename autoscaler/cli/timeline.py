"""The timeline of simulated runs: a CSV file with a row a tick for each policy, written as the runs go.

What never happens here: a figure kept in memory longer than its row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from autoscaler.cli import files
from autoscaler.study.bill import Bill
from autoscaler.study.contract import Terms
from autoscaler.study.fleet import Fleet
from autoscaler.study.run import Watch
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
        bill = Bill(terms)

        def watch(at_s: float, fleet: Fleet, decision: Decision) -> None:
            billable, cost = bill.so_far(fleet)
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
                    billable,
                    decision.wanted,
                    f"{cost:.10g}",
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
    with files.placed(path, "a CSV file") as file:
        text = TextIOWrapper(file, encoding="utf-8", write_through=True)
        yield Timeline(text)
        text.flush()
        text.detach()
