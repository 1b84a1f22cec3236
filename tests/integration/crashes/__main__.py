"""`make crashes`: the whole crash matrix, a line for each cell as it ends, and all records in build/crashes.json.

Options: words that a cell's name must hold (all of them). Exits 1 if a cell is not clean.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import Future, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.integration.crashes import matrix
from tests.integration.crashes.play import Cell, Record

RECORDS = Path("build/crashes.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="crashes", description="Kill the daemon at every step and compare.")
    parser.add_argument("words", nargs="*", help="words that a cell's name must hold; all cells without any")
    parser.add_argument("--at-once", type=int, default=2 * (os.cpu_count() or 1), help="cells played at once")
    given = parser.parse_args()
    cells = [cell for cell in matrix.whole() if all(word in cell.name for word in given.words)]
    began = time.monotonic()
    records: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="crashes-", ignore_cleanup_errors=True) as directory,
        matrix.parts(Path(directory), at_once=given.at_once) as parts,
    ):
        playing = {future: cell for cell, future in parts.begin(cells).items()}
        for future in as_completed(playing):
            record = _record(playing[future], future)
            records.append(record)
            word = "clean" if not record["problems"] else "NOT CLEAN"
            name = playing[future].name
            print(f"{len(records):>3}/{len(cells)} {record['took_s']:>6} s  {word:<9}  {name}", flush=True)
            for problem in record["problems"]:
                print(f"        {problem}", flush=True)
    unclean = sum(bool(record["problems"]) for record in records)
    RECORDS.parent.mkdir(exist_ok=True)
    RECORDS.write_text(json.dumps(records, indent=2) + "\n")
    print(
        f"{len(records)} cells, {unclean} not clean, {time.monotonic() - began:.0f} s; records in {RECORDS}"
    )
    return 1 if unclean else 0


def _record(cell: Cell, future: Future[Record]) -> dict[str, Any]:
    """What became of it; a cell that could not be played to its end is not clean."""
    error = future.exception()
    if error is None:
        return asdict(future.result())
    return {"cell": asdict(cell), "took_s": 0.0, "problems": [f"{type(error).__name__}: {error}"]}


if __name__ == "__main__":
    raise SystemExit(main())
