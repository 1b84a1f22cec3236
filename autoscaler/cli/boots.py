"""How machines became workers, for people and for programs: one boot phase by phase, and an offer's in quantiles.

In go what the journal holds, out come tables and plain values. What never happens here: a look at a machine.
"""

from __future__ import annotations

from rich.console import RenderableType

from autoscaler.cli import output
from autoscaler.config import Settings
from autoscaler.core import enrolment
from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, PoolName
from autoscaler.core.reports import MEANINGS, Boots, Phase, PhaseTime
from autoscaler.journal.contract import BootRecord
from autoscaler.views.boots import Known, known
from policies.phrases import count, duration

_BAR = 36
"""Characters for the longest way from an order to a task."""
_BLOCK, _FAILED_BLOCK = "█", "▓"
_TITLE = "Where the seconds of a boot go"


def portrait(record: BootRecord | None, node: Node) -> RenderableType | None:
    """One machine's boot, phase by phase; where it failed, its phase, its words and the end of its log."""
    if record is None:
        return None
    boot = record.boot
    parts: list[RenderableType] = [output.words("Its boot, in seconds since it had power", output.STRONG)]
    times = enrolment.timeline(boot, node.ordered_at, node.enrolled_at)
    if times:
        parts.append(_bars(times))
    if boot.disk is not None:
        disk = boot.disk
        parts.append(
            output.words(
                f"Disk: {disk.mean_ms:.1f} ms in the mean, {disk.worst_ms:.1f} ms at worst, of "
                f"{count(disk.requests, 'request')}"
            )
        )
    if boot.failed is not None:
        parts.append(output.words(f"Failed in phase {boot.failed.phase}: {boot.failed.says}", output.BAD))
    if record.log:
        title = f"The last {count(len(record.log), 'line')} of its log"
        parts += [output.words(title, output.STRONG), output.words("\n".join(record.log), output.DIM)]
    return output.together(*parts)


def by_offer(memory: Memory, settings: Settings, only: PoolName | None = None) -> RenderableType | None:
    """A line for each offer of whose boots something is known: median and 95th percentile of each phase."""
    found = [each for each in known(memory, settings) if only in {None, each.pool}]
    phases = [phase for phase in Phase if any(phase in each.boots.took_s for each in found)]
    if not found:
        return None
    columns = (phase.value.upper() for phase in phases)
    headers = ["OFFER", "POOL", "BOOTS", "ALL", *columns, "LATE AFTER", "FAILED"]
    rows = [
        [
            output.offer(each.offer),
            each.pool,
            str(each.machines),
            _quantiles(each.boots.whole_s),
            *(_quantiles(each.boots.took_s.get(phase, ())) for phase in phases),
            duration(each.late_after_s),
            _failures(each.boots),
        ]
        for each in found
    ]
    return output.together(
        output.words(f"{_TITLE}: median / 95th percentile in seconds, of the last boots", output.STRONG),
        output.columns(headers, rows, right=headers[2:-1]),
    )


def of_pool(memory: Memory, settings: Settings, pool: PoolName) -> RenderableType | None:
    """Each offer of that pool with a bar for each phase."""
    found = [each for each in known(memory, settings) if each.pool == pool]
    return output.together(*map(_block, found)) if found else None


def _block(of: Known) -> RenderableType:
    boots = of.boots
    longest_s = max((high for taken in boots.took_s.values() for _, high in [_pair(taken)]), default=0.0)
    rows = []
    for phase in Phase:
        taken = boots.took_s.get(phase)
        if taken:
            middle, high = _pair(taken)
            rows.append((phase.value, _s(middle), _s(high), _bar(0.0, middle, longest_s), MEANINGS[phase]))
    whole = enrolment.middle_and_high(boots.whole_s)
    title = f"{_TITLE} at {output.offer(of.offer)}"
    if whole is not None:
        title += f": {_s(whole[0])} s from the order to the first heartbeat, 95th percentile {_s(whole[1])} s"
    failed = _failures(boots)
    return output.together(
        output.words(title, output.STRONG),
        output.columns(("PHASE", "P50", "P95", "", "WHAT"), rows, right=("P50", "P95")) if rows else None,
        output.words(f"A machine is late after {duration(of.late_after_s)}: {of.late_why}"),
        output.words(f"Failed: {failed}", output.BAD) if boots.failed else None,
    )


def _bars(times: tuple[PhaseTime, ...]) -> RenderableType:
    begins_s = min(time.from_s for time in times)
    whole_s = max(time.to_s for time in times) - begins_s
    rows = []
    for time in times:
        block = _BLOCK if time.ok else _FAILED_BLOCK
        bar = _bar(time.from_s - begins_s, time.to_s - begins_s, whole_s, block)
        said = MEANINGS[time.phase] if time.ok else "failed"
        style = "" if time.ok else output.BAD
        rows.append(
            (
                output.words(time.phase.value, style),
                f"{time.from_s:.1f}",
                f"{time.took_s:.1f}",
                output.words(bar, style),
                said,
            )
        )
    return output.columns(("PHASE", "FROM", "TOOK", "", "WHAT"), rows, right=("FROM", "TOOK"))


def _bar(from_s: float, to_s: float, whole_s: float, block: str = _BLOCK) -> str:
    """Where in the whole it lies; the shortest is still seen."""
    if whole_s <= 0.0:
        return ""
    first = min(_BAR - 1, round(from_s / whole_s * _BAR))
    last = max(first + 1, min(_BAR, round(to_s / whole_s * _BAR)))
    return " " * first + block * (last - first)


def _pair(taken: tuple[float, ...]) -> tuple[float, float]:
    return enrolment.middle_and_high(taken) or (0.0, 0.0)


def _s(seconds: float) -> str:
    """Tenths matter below ten seconds only."""
    return f"{seconds:.1f}" if seconds < 10.0 else f"{seconds:.0f}"


def _quantiles(taken: tuple[float, ...]) -> str:
    both = enrolment.middle_and_high(taken)
    return output.NOTHING if both is None else f"{_s(both[0])} / {_s(both[1])}"


def _failures(boots: Boots) -> str:
    return ", ".join(f"{phase.value} {number}" for phase, number in boots.failed.items()) or output.NOTHING
