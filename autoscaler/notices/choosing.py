"""What of all that is said one receiver is told: what it chose, nothing again too soon, and the end of what it heard.

In go events with their instants, out come notices. A trouble that comes back too soon is told once it may be, if it
stands then; so the last word that somebody heard of it is never that it is over while it is not. What never happens
here: a clock, a request, or a memory without a bound.
"""

from __future__ import annotations

from dataclasses import dataclass

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
            standing.told = standing.told or not too_soon
            _bound(self._troubles)
        if too_soon and before is not None:
            before.unsaid += 1
            return None
        return self._tell(said, news)

    def due(self, on: float) -> tuple[Notice, ...]:
        """Troubles that came back too soon to be told, stand still, and may be told now."""
        return tuple(
            self._late(trouble, on)
            for trouble in self._troubles.values()
            if not trouble.told and self._may_be_told_on(trouble) <= on
        )

    def next_due_on(self) -> float | None:
        """When `due` will have something, unless that ends before."""
        waiting = [self._may_be_told_on(each) for each in self._troubles.values() if not each.told]
        return min(waiting, default=None)

    def _is_chosen(self, said: Said) -> bool:
        wanted = self._choice.pools
        pool = said.fields.get("pool")
        return said.event in self._choice.events and (not wanted or pool is None or str(pool) in wanted)

    def _end_of(self, said: Said) -> Notice | None:
        ended = [
            standing
            for key in pairs.troubles_ended(said.event, said.fields)
            if (standing := self._troubles.pop(key, None)) is not None and standing.told
        ]
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


def _bound(remembered: dict[Key, _Told] | dict[Key, _Trouble]) -> None:
    """Forget the first that came, where there are too many."""
    while len(remembered) > LARGEST:
        del remembered[next(iter(remembered))]


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
