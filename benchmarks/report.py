"""What `make bench-decisions` found, to be read: tables in Markdown, and a plot for each scenario and billing.

`python -m benchmarks.report --table PAGE` renews the tables in a page, between its two marks, from the records of the
last benchmark. What never happens here: a figure that is not in the records.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from autoscaler.plots import image
from autoscaler.plots import page as pages
from autoscaler.plots.contract import PlotsUnavailable, Table
from autoscaler.study import drawing, run
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.course import Recorder
from policies.phrases import duration

OURS = "default"
IN_TIME = 0.995
BEGIN, END = "<!-- decisions: begin -->", "<!-- decisions: end -->"

Record = dict[str, Any]


def best_peer(ours: Record, told: Iterable[Record]) -> Record | None:
    """The cheapest on the same scenario and billing that keeps as many in time as ours, or 99.5 %."""
    least = min(ours["within_target"], IN_TIME)
    peers = (other for other in _beside(ours, told) if other["within_target"] >= least)
    return min(peers, key=lambda record: record["cost"], default=None)


def nearest_peer(ours: Record, told: Iterable[Record]) -> Record | None:
    """Where none is as good: the one that keeps most in time, the cheapest of these."""
    return max(
        _beside(ours, told), key=lambda record: (record["within_target"], -record["cost"]), default=None
    )


def _beside(ours: Record, told: Iterable[Record]) -> Iterator[Record]:
    place = (ours["scenario"], ours["billing_quantum_s"])
    return (
        other
        for other in told
        if (other["scenario"], other["billing_quantum_s"]) == place and other["policy"] != OURS
    )


def tables(told: list[Record]) -> str:
    """How ours fared, then of what the gap to the bound is made; in Markdown."""
    rows = [record for record in told if record["policy"] == OURS]
    quanta = sorted({row["billing_quantum_s"] for row in rows}, reverse=True)
    by_place = {(row["scenario"], row["billing_quantum_s"]): row for row in rows}
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    peers = sorted({record["policy"] for record in told} - {OURS})
    lines = [*_fared(told, names, quanta, by_place), "", f"Peers played: {', '.join(peers) or 'none'}."]
    if any("gap" in row for row in rows):
        lines += ["", *_gaps(names, quanta, by_place)]
    return "\n".join(lines)


def _fared(
    told: list[Record], names: Sequence[str], quanta: Sequence[int], by_place: dict[tuple[str, int], Record]
) -> Iterator[str]:
    heads = [head for q in quanta for head in (f"by {_unit(q)}: ÷ bound", "in time", "÷ best peer")]
    yield f"| Workload | {' | '.join(heads)} |"
    yield "|---" * (1 + len(heads)) + "|"
    ratios: dict[int, list[float]] = {q: [] for q in quanta}
    against: dict[int, list[float]] = {q: [] for q in quanta}
    for name in names:
        cells = [name]
        for q in quanta:
            ours = by_place.get((name, q))
            if ours is None:
                cells += ["", "", ""]
                continue
            best = best_peer(ours, told)
            than = ours["cost"] / best["cost"] if best and best["cost"] else None
            ratios[q] += [ours["ratio"]] if ours["ratio"] else []
            against[q] += [than] if than else []
            cells += [
                f"{ours['ratio']:.2f}" if ours["ratio"] else "–",
                f"{100 * ours['within_target']:.2f} %",
                f"{than:.2f}" if than else "none",
            ]
        yield f"| {' | '.join(cells)} |"
    ends = [end for q in quanta for end in (_middle_and_worst(ratios[q]), "", _middle_and_worst(against[q]))]
    yield f"| median, worst | {' | '.join(ends)} |"


def _middle_and_worst(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}, {max(values):.2f}" if values else "–"


def _gaps(
    names: Sequence[str], quanta: Sequence[int], by_place: dict[tuple[str, int], Record]
) -> Iterator[str]:
    heads = [
        head
        for q in quanta
        for head in (f"by {_unit(q)}: not knowing", "boots", "rule", "boots in the bound")
    ]
    yield f"| Parts of the bound | {' | '.join(heads)} |"
    yield "|---" * (1 + len(heads)) + "|"
    for name in names:
        cells = [name]
        for q in quanta:
            ours = by_place.get((name, q), {})
            parts, bound = ours.get("gap"), ours.get("bound")
            keys = ("not_knowing_the_future", "boot_time", "rule", "boot_time_in_the_bound")
            cells += [f"{parts[key] / bound:.2f}" if parts and bound else "–" for key in keys]
        yield f"| {' | '.join(cells)} |"


def _unit(quantum_s: int) -> str:
    return {3600: "the hour", 60: "the minute"}.get(quantum_s, duration(quantum_s))


def page(told: list[Record], drawn: Sequence[str]) -> str:
    """The whole report."""
    lines = ["# Decisions, measured", "", tables(told), "", "## Over time", ""]
    for name in drawn:
        lines += [f"![{name}]({name}.png)", f"[{name}, with figures]({name}.html)", ""]
    return "\n".join(lines)


def draw(
    place: Path, workload: Workload, choosers: Sequence[tuple[Terms, run.Chooser]], bound: float | None
) -> None:
    """Ours and a peer on one axis of time: as a page, and as PNG where that can be drawn."""
    courses, rows = [], []
    for terms, chooser in choosers:
        recorder = Recorder(chooser.name, workload, terms)
        fared = run.run(workload, terms, chooser, watch=recorder)
        courses.append(recorder.course())
        rows.append(
            (fared.policy, f"{fared.cost:.2f}", f"{100 * fared.within_target:.2f} %", str(fared.creates))
        )
    picture = drawing.picture(
        workload,
        choosers[0][0],
        courses,
        best=None,
        bound=bound,
        table=Table(headers=("POLICY", "COST", "IN TIME", "BOUGHT"), rows=tuple(rows)),
    )
    place.with_name(f"{place.name}.html").write_text(pages.html(picture), encoding="utf-8")
    try:
        place.with_name(f"{place.name}.png").write_bytes(image.png(picture))
    except PlotsUnavailable:
        return


def renewed(text: str, told: list[Record]) -> str:
    """The page with the tables of these records between its marks; ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the tables; expected a line {BEGIN} and one {END}")
    return f"{before}{BEGIN}\n{tables(told)}\n{END}{after}"


def main() -> None:
    """Renew the tables of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="?", type=Path, default=Path("build/decisions.json"))
    parser.add_argument("--table", type=Path, required=True, metavar="PAGE", help="such as docs/deciding.md")
    asked = parser.parse_args()
    told = json.loads(asked.records.read_text(encoding="utf-8"))
    asked.table.write_text(renewed(asked.table.read_text(encoding="utf-8"), told), encoding="utf-8")


if __name__ == "__main__":
    main()
