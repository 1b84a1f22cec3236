"""Why a pool's number is what it is, and where boots spend their seconds, laid out for a page.

In go a stored decision or what is known of an offer's boots, out come rows of text. What never happens here: a reason
that the decision does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autoscaler.core import enrolment
from autoscaler.core.model import PoolDecision
from autoscaler.core.reports import MEANINGS as _MEANINGS
from autoscaler.core.reports import Phase
from autoscaler.views.boots import Known
from autoscaler.web import bars, wording
from autoscaler.web.bars import Piece
from policies.contract import Demand, QueueDemand, Reading, Supply, Traffic, Trust
from policies.phrases import count, duration, plain
from policies.traffic import ASSUMED_BOOT_S

MEANINGS = {phase.value: says for phase, says in _MEANINGS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure that was seen, and how far it is to be believed."""

    name: str
    value: str
    trust: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one policy asked for."""

    policy: str
    asks: str
    why: str
    more: tuple[str, ...]
    won: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What one rule made of the number."""

    rule: str
    before: int
    after: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """A decision, laid out."""

    at: float
    sentence: str
    present: int
    wanted: int
    facts: tuple[Fact, ...]
    queues: tuple[QueueDemand, ...]
    warnings: tuple[str, ...]
    wishes: tuple[Wish, ...]
    links: tuple[Link, ...]
    binding: str
    held: str
    would_change: str


def of(stored: PoolDecision) -> Reasons:
    """All of it."""
    decided = stored.decision
    given = decided.input
    return Reasons(
        at=stored.at,
        sentence=wording.tail(stored.sentence, stored.pool),
        present=given.supply.workers,
        wanted=decided.wanted,
        facts=(
            *_demand(given.demand, given.demand_missing),
            *_supply(given.supply, given.supply_missing),
            *_measured(given.history.traffic),
        ),
        queues=given.demand.queues if given.demand else (),
        warnings=given.demand.warnings if given.demand else (),
        wishes=tuple(
            Wish(
                policy=each.policy,
                asks="no opinion" if each.workers is None else count(each.workers, "worker"),
                why=each.why,
                more=tuple(
                    filter(
                        None, (each.at_most_why if each.at_most_why != each.why else "", each.would_change)
                    )
                ),
                won=each.workers is not None and each.workers == decided.recommended,
            )
            for each in decided.proposals
        ),
        links=tuple(
            Link(rule=step.rule.value.replace("_", " "), before=step.before, after=step.after, why=step.why)
            for step in decided.steps
        ),
        binding=decided.binding.replace("_", " "),
        held=decided.held,
        would_change=decided.would_change,
    )


def _demand(demand: Demand | None, missing: str) -> Iterator[Fact]:
    if demand is None:
        yield Fact(name="Demand", value="not seen", trust="absent", why=missing or "no reason given")
        return
    yield Fact(name="Waiting", value=wording.number(demand.backlog))
    yield Fact(name="In progress", value=wording.number(demand.in_progress))
    yield _read("Oldest", demand.wait_s, duration)
    yield _read("Arrivals", demand.arrivals_per_s, _per_s)
    yield _read("Completions", demand.completions_per_s, _per_s)


def _read(name: str, reading: Reading, say: Callable[[float], str]) -> Fact:
    if reading.value is None:
        return Fact(name=name, value="not measured", why=reading.why)
    trust = "" if reading.trust is Trust.SOLID else reading.trust.value
    return Fact(name=name, value=say(reading.value), trust=trust, why=reading.why)


def _per_s(rate: float) -> str:
    return f"{plain(round(rate, 3))} a second"


def _supply(supply: Supply, missing: str) -> Iterator[Fact]:
    by_state = ", ".join(
        f"{amount} {name}"
        for name, amount in (
            ("serving", supply.serving),
            ("arriving", supply.arriving),
            ("leaving", supply.leaving),
            ("lost", supply.lost),
        )
    )
    yield Fact(
        name="Workers",
        value=by_state,
        trust="absent" if missing else "",
        why=f"could not be seen: {missing}" if missing else f"{count(supply.slots, 'slot')} each",
    )
    hands = "not heard" if supply.tasks_in_hand is None else count(supply.tasks_in_hand, "task")
    yield Fact(name="In their hands", value=hands, why=f"{count(supply.idle, 'worker')} idle")


def _measured(traffic: Traffic) -> Iterator[Fact]:
    if traffic.boots >= 1.0:
        each = duration(traffic.boot_s / traffic.boots)
        machines = count(round(traffic.boots), "machine")
        why = "; ".join(filter(None, (f"over {machines}", traffic.boots_of, traffic.boots_why)))
        yield Fact(name="Boot time", value=each, why=why)
    else:
        yield Fact(
            name="Boot time",
            value=duration(ASSUMED_BOOT_S),
            trust="assumed",
            why="no machine has become a worker yet",
        )
    if traffic.drains >= 1.0:
        each = duration(traffic.drain_s / traffic.drains)
        yield Fact(
            name="Drain time", value=each, why=f"over {count(round(traffic.drains), 'drain')} of idle workers"
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
