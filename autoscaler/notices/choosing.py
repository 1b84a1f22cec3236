"""What of all that is said one receiver is told: what it chose, nothing again too soon, and the end of what it heard.

In go events with their instants, out come notices. A trouble that comes back too soon is told once it may be, if it
stands then; so the last word that somebody heard of it is never that it is over while it is not. What never happens
here: a clock, a request, or a memory without a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from autoscaler.notices import pairs
from autoscaler.notices.contract import Choice, Notice, Said
from autoscaler.notices.pairs import Key
from autoscaler.telemetry import EVENTS

LARGEST = 10_000
"""So many subjects are remembered; of more, those that were told of longest ago are forgotten."""


@dataclass(slots=True)
class _Told:
    """When the same was told last, and how often it was only said since."""

    on: float
    unsaid: int = 0


@dataclass(slots=True)
class _Trouble:
    """One that stands. Where it came back too soon it waits, `told` only later or never."""

    said: Said
    told: bool


class Chooser:
    """One receiver's ears. Whoever calls it sees to it that nobody else does at the same time."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._told: dict[Key, _Told] = {}
        self._troubles: dict[Key, _Trouble] = {}
        self._untold: dict[Key, _Trouble] = {}
        """Those of them that wait for their time. Few: looked through often, while who speaks waits."""

    def go_by(self, choice: Choice) -> None:
        """Another choice from now on. The ends of what was told are told all the same."""
        self._choice = choice

    def listens_to(self) -> frozenset[str]:
        """Every event that may become a notice: those chosen, and the ends of what stands."""
        standing = frozenset(key[0] for key in self._troubles)
        return pairs.heard_for(self._choice.events | standing)

    def hear(self, said: Said) -> Notice | None:
        """What to tell of it, if anything."""
        end = self._end_of(said)
        if end is not None or not self._is_chosen(said):
            return end
        news = pairs.same(said.event, said.fields)
        before = self._told.get(news)
        too_soon = before is not None and said.on < before.on + self._choice.repeat_s
        trouble = pairs.trouble_of(said.event, said.fields)
        if trouble is not None:
            standing = self._troubles.setdefault(trouble, _Trouble(said=said, told=False))
            if too_soon and not standing.told:
                self._untold[trouble] = standing
            else:
                standing.told = True
                self._untold.pop(trouble, None)
            for dropped in _bound(self._troubles):
                self._untold.pop(dropped, None)
        if too_soon and before is not None:
            before.unsaid += 1
            return None
        return self._tell(said, news)

    def due(self, on: float) -> tuple[Notice, ...]:
        """Troubles that came back too soon to be told, stand still, and may be told now."""
        ready = [key for key, trouble in self._untold.items() if self._may_be_told_on(trouble) <= on]
        return tuple(self._late(self._untold.pop(key), on) for key in ready)

    def next_due_on(self) -> float | None:
        """When `due` will have something, unless that ends before."""
        return min(map(self._may_be_told_on, self._untold.values()), default=None)

    def _is_chosen(self, said: Said) -> bool:
        wanted = self._choice.pools
        pool = said.fields.get("pool")
        return said.event in self._choice.events and (not wanted or pool is None or str(pool) in wanted)

    def _end_of(self, said: Said) -> Notice | None:
        keys = pairs.troubles_ended(said.event, said.fields)
        for key in keys:
            self._untold.pop(key, None)
        stood = [self._troubles.pop(key) for key in keys if key in self._troubles]
        ended = [trouble for trouble in stood if trouble.told]
        if not ended:
            return None
        first = min(ended, key=lambda trouble: trouble.said.on)
        return _notice(said, ends=first.said.event, stood_s=said.on - first.said.on)

    def _may_be_told_on(self, trouble: _Trouble) -> float:
        before = self._told.get(pairs.same(trouble.said.event, trouble.said.fields))
        return trouble.said.on if before is None else before.on + self._choice.repeat_s

    def _late(self, trouble: _Trouble, on: float) -> Notice:
        said = trouble.said
        trouble.told = True
        notice = self._tell(said, pairs.same(said.event, said.fields), on=on)
        # It was counted as said and not told when it came.
        return _notice(said, stood_s=on - said.on, unsaid=max(0, notice.unsaid - 1))

    def _tell(self, said: Said, news: Key, *, on: float | None = None) -> Notice:
        before = self._told.pop(news, None)
        self._told[news] = _Told(on=said.on if on is None else on)
        _bound(self._told)
        return _notice(said, unsaid=before.unsaid if before else 0)


def _bound(remembered: dict[Key, _Told] | dict[Key, _Trouble]) -> tuple[Key, ...]:
    """Forget the first that came, where there are too many; those."""
    gone = tuple(islice(remembered, max(0, len(remembered) - LARGEST)))
    for key in gone:
        del remembered[key]
    return gone


def _notice(said: Said, *, ends: str = "", stood_s: float | None = None, unsaid: int = 0) -> Notice:
    kind = EVENTS[said.event]
    return Notice(
        event=said.event,
        level=kind.level,
        means=kind.means,
        fields=said.fields,
        at=said.at,
        ends=ends,
        stood_s=stood_s,
        unsaid=unsaid,
    )
