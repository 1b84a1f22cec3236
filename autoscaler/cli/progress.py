"""A bar for who waits: on the standard error, on a terminal only, gone when all is done.

What never happens here: a line elsewhere; a command that has news for a file says it itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autoscaler.cli import output

Each = TypeVar("Each")


def along(results: Iterable[Each], total: int, doing: str) -> Iterator[Each]:
    """These results as they come, with a bar of how many of them there are."""
    if not sys.stderr.isatty():
        yield from results
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console(errors=True), transient=True) as bars:
        task = bars.add_task(doing, total=total)
        for result in results:
            yield result
            bars.update(task, advance=1)
