"""What a search for settings came to: the trade-off curve for people and scripts, and the fragment to be put in place.

What never happens here: a run, or a word that depends on how many cores there were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType

from autoscaler.cli import outcomes, output
from autoscaler.config import writing
from autoscaler.study import knobs
from autoscaler.study.contract import Outcome
from autoscaler.study.knobs import Knob, Point
from policies.phrases import count, duration

_HEADERS = ("SETTINGS", "COST", "IN TIME", "CHECK COST", "CHECK IN TIME", "P95", "CHANGES")
_ENOUGH = 0.005
"""Settings that cost less by a smaller share than this are no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A point with how it fared in the time that was searched, and in the time that was put aside."""

    point: Point
    searched: Outcome
    checked: Outcome | None

    @property
    def cost(self) -> float:
        """Over all the time."""
        return self.searched.cost + (self.checked.cost if self.checked else 0.0)

    def keeps(self, in_time: float, *, unchecked: bool = False) -> bool:
        """Whether it keeps that share in both parts of the time; `unchecked` lets the first be enough."""
        if self.checked is None:
            return unchecked and self.searched.within_target >= in_time
        return min(self.searched.within_target, self.checked.within_target) >= in_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that is told of a search."""

    pool: str
    table: Mapping[str, Any]
    """The pool's, as it is written today."""
    of: str
    """What was played, in words."""
    knobs: tuple[Knob, ...]
    curve: tuple[Tried, ...]
    """The points that none beats in both cost and time, the cheapest first."""
    today: Tried
    in_time: float
    target_wait_s: float
    tried: int
    seed: int
    interrupted: bool = False

    @property
    def chosen(self) -> Tried:
        """The cheapest that keeps the promise in both parts; today's where none does, or none is cheaper."""
        keeping = [one for one in self.curve if self.keeps(one)]
        if not keeping:
            return self.today
        best = min(keeping, key=lambda one: (self._cost(one), one.point))
        worth = not self.keeps(self.today) or self._cost(best) < self._cost(self.today) * (1.0 - _ENOUGH)
        return best if worth else self.today

    def keeps(self, one: Tried) -> bool:
        """Whether a point keeps the promise, as far as that was looked at before somebody ended it."""
        return one.keeps(self.in_time, unchecked=self.interrupted)

    def _cost(self, one: Tried) -> float:
        """Of a search that was ended, of the part that all points were tried on."""
        return one.searched.cost if self.interrupted else one.cost

    def share_saved(self) -> float:
        """What the chosen point saves of today's cost; negative where it costs more."""
        before = self._cost(self.today)
        return 1.0 - self._cost(self.chosen) / before if before else 0.0


def facts(found: Findings, workload: Mapping[str, object]) -> Mapping[str, Any]:
    """For scripts."""
    return {
        "workload": workload,
        "goal": {"target_wait_s": found.target_wait_s, "in_time": found.in_time},
        "tried": found.tried,
        "seed": found.seed,
        "interrupted": found.interrupted,
        "today": _fact(found, found.today),
        "chosen": _fact(found, found.chosen),
        "curve": [_fact(found, one) for one in found.curve],
        "fragment": fragment(found),
    }


def _fact(found: Findings, one: Tried) -> dict[str, Any]:
    return {
        "changes": knobs.changes(found.knobs, one.point),
        "searched": asdict(one.searched),
        "checked": asdict(one.checked) if one.checked else None,
    }


def told(found: Findings) -> list[RenderableType]:
    """For people."""
    rows = [_row(found, one) for one in _ordered(found)]
    return [
        output.words(f"{found.pool}: {found.of}", output.STRONG),
        output.columns(_HEADERS, rows, right=_HEADERS[1:-1]),
        "",
        verdict(found),
    ]


def verdict(found: Findings) -> str:
    """What is recommended, and why, in a sentence."""
    goal, chosen, today = outcomes.share(found.in_time), found.chosen, found.today
    early = "Ended early and not checked: " if found.interrupted else ""
    kept = outcomes.share(min(_shares(today)))
    if not found.tried:
        instead = "" if found.keeps(today) else f" and not {goal}"
        return f"{early}No other settings were tried to the end; today's keep {kept} in time{instead}."
    tried = f"{count(found.tried, 'other setting')} tried"
    if chosen is today and found.keeps(today):
        return f"{early}Nothing beats today's settings: of {tried} none keeps {goal} in time for less."
    if chosen is today:
        best = max(found.curve, key=lambda one: min(_shares(one)), default=today)
        return (
            f"{early}Nothing keeps {goal} in time in both parts: of {tried} the best keeps "
            f"{outcomes.share(min(_shares(best)))}, today's settings keep {kept}. These are left as they are."
        )
    saved = found.share_saved()
    money = f"cost {abs(saved) * 100:.0f} % {'less' if saved >= 0.0 else 'more'} than today's settings"
    kept_now = outcomes.share(min(_shares(chosen)))
    return f"{early}The cheapest that keeps {goal} in time would {money} and keep {kept_now}; today's keep {kept}."


def fragment(found: Findings) -> str:
    """The chosen settings as TOML: for `backtest --candidate`, or in place of the pool's own tables."""
    chosen = found.chosen
    table = found.table if chosen is found.today else {}
    said = knobs.turned(found.table, found.knobs, chosen.point) or table
    lines = [
        f"# Settings of pool {found.pool}, found by `autoscaler tune` (seed {found.seed}).",
        f"# {_comment(found.of)}",
        f"# {_comment(verdict(found))}",
        "#",
        *(f"# {_comment(line)}" for line in _curve_lines(found)),
        "#",
        "# `autoscaler backtest --candidate` takes this file as it is. To keep these settings, put the tables in place",
        "# of the pool's own.",
    ]
    prefix = f"pools.{writing.key(found.pool)}"
    for name in ("limits", "stabilize"):
        if name in said:
            lines += ["", f"[{prefix}.{name}]", *writing.pairs(said[name])]
    for policy in said["policies"]:
        lines += ["", f"[[{prefix}.policies]]", *writing.pairs(policy)]
    return "\n".join(lines) + "\n"


def _curve_lines(found: Findings) -> Iterator[str]:
    yield f"{'':11} {'cost':>10} {'in time':>8} {'check cost':>11} {'in time':>8}  what differs from today's"
    for one in _ordered(found):
        name, cost, kept, check, check_kept, _, differs = _row(found, one)
        yield f"{name:11} {cost:>10} {kept:>8} {check:>11} {check_kept:>8}  {differs}".rstrip()


def _ordered(found: Findings) -> list[Tried]:
    """The curve with today's settings in their place."""
    points = {one.point: one for one in (*found.curve, found.today)}
    return sorted(points.values(), key=lambda one: (one.searched.cost, one.searched.within_target, one.point))


def _row(found: Findings, one: Tried) -> tuple[str, ...]:
    chosen, today = one.point == found.chosen.point, one.point == found.today.point
    name = "today's, chosen" if chosen and today else "chosen" if chosen else "today's" if today else ""
    changes = [
        f"{place} = {writing.value(value)}" for place, value in knobs.changes(found.knobs, one.point).items()
    ]
    check = one.checked
    return (
        name or output.NOTHING,
        output.amount(one.searched.cost),
        outcomes.share(one.searched.within_target),
        output.amount(check.cost) if check else output.NOTHING,
        outcomes.share(check.within_target) if check else output.NOTHING,
        duration(one.searched.wait_p95_s),
        ", ".join(changes),
    )


def _shares(one: Tried) -> Sequence[float]:
    return [part.within_target for part in (one.searched, one.checked) if part is not None]


def _comment(text: str) -> str:
    """On one line, whatever is in it."""
    return output.clean(text).replace("\n", " ")
