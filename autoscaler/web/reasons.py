"""Why a pool's number is what it is, and where boots spend their seconds, laid out for a page.

In go a stored decision or what is known of an offer's boots, out come rows of text. What never happens here: a reason
that the decision does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core import enrolment
from autoscaler.core.model import PoolDecision
from autoscaler.core.reports import MEANINGS as _MEANINGS
from autoscaler.core.reports import Phase
from autoscaler.views.boots import Known
from autoscaler.web import bars, wording
from autoscaler.web.bars import Piece
from policies.account import Part, account
from policies.phrases import duration

MEANINGS = {phase.value: says for phase, says in _MEANINGS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """A decision's account in two columns: what was seen, and what was made of it."""

    at: float
    sentence: str
    wanted: int
    seen: tuple[Part, ...]
    made: tuple[Part, ...]


_SEEN = 3
"""After its headline an account begins with demand, workers and machines."""


def of(stored: PoolDecision) -> Reasons:
    """All of it."""
    _, *parts = account(stored.decision)
    return Reasons(
        at=stored.at,
        sentence=wording.tail(stored.sentence, stored.pool),
        wanted=stored.decision.wanted,
        seen=tuple(parts[:_SEEN]),
        made=tuple(parts[_SEEN:]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """One phase of an offer's boots."""

    phase: str
    says: str
    middle: str
    high: str
    bar: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootsRow:
    """What is known of one offer's boots."""

    offer: str
    machines: int
    whole: str
    late_after: str
    late_why: str
    failed: str
    phases: tuple[PhaseRow, ...]


def of_boots(known: Known) -> BootsRow:
    """Where the seconds go at one offer."""
    took = {phase: enrolment.middle_and_high(known.boots.took_s.get(phase, ())) for phase in Phase}
    longest_s = max((both[1] for both in took.values() if both), default=0.0)
    whole = enrolment.middle_and_high(known.boots.whole_s) or enrolment.middle_and_high(known.learned.took_s)
    return BootsRow(
        offer=wording.offer(known.offer),
        machines=known.machines,
        whole="" if whole is None else f"{_s(whole[0])}, 95th percentile {_s(whole[1])}",
        late_after=duration(known.late_after_s),
        late_why=known.late_why,
        failed=", ".join(f"{phase.value} {number}" for phase, number in known.boots.failed.items()),
        phases=tuple(
            PhaseRow(
                phase=phase.value,
                says=MEANINGS[phase.value],
                middle=_s(both[0]),
                high=_s(both[1]),
                bar=bars.share(phase.value, both[0], longest_s),
            )
            for phase, both in took.items()
            if both is not None
        ),
    )


def _s(seconds: float) -> str:
    """Tenths matter below ten seconds only."""
    return f"{seconds:.1f} s" if seconds < 10.0 else f"{seconds:.0f} s"
