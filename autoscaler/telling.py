"""What the log says of a tick: news once, not each tick again what stood before.

A tick that was written down goes in, events go out. What is kept here is only what was said last; after a restart all
is said once more. What never happens here: a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.core import held_back, rations, stalls, unseen
from autoscaler.core.facts import Memory, Misplaced, Missing, OutcomeKind, Snapshot
from autoscaler.core.model import DestroyNode, Plan, PoolName, PoolRules, Transition
from autoscaler.core.reconcile import Reconciled
from autoscaler.core.remarks import by_pool
from autoscaler.core.reports import Refusals
from autoscaler.journal.contract import TickRecord
from autoscaler.telemetry import Log
from policies.contract import Decision
from policies.phrases import count
from providers.contract import InstanceId, NodeName, ProviderName

_OVERDUE_ASKS = 5
"""From this ask on, each further one is said out loud: a machine that does not go is paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one tick saw, thought and chose; whole, for `plan` and for tests."""

    snapshot: Snapshot
    reconciled: Reconciled
    decisions: Mapping[PoolName, Decision]
    plan: Plan
    record: TickRecord


def in_short(done: object) -> str:
    """What a tick came to, in one line for `systemctl status`."""
    if not isinstance(done, Tick):
        return "a tick ended"
    pools = done.record.samples
    workers = (sum(p.serving for p in pools), sum(p.arriving for p in pools), sum(p.leaving for p in pools))
    unseen = sorted(pool for pool, demand in done.snapshot.demand.items() if isinstance(demand, Missing))
    return (
        f"{count(len(pools), 'pool')}: {count(sum(p.wanted for p in pools), 'worker')} wanted, "
        f"{workers[0]} serving, {workers[1]} arriving, {workers[2]} leaving"
        + (f"; demand not seen of {', '.join(unseen)}" if unseen else "")
    )


class Teller:
    """Says what happened. Only the loop's thread may call it."""

    def __init__(self, log: Log, rules: Mapping[PoolName, PoolRules], tick_s: float) -> None:
        self._log = log
        self._rules = rules
        self._tick_s = tick_s
        self._missed: dict[str, str] = {}
        self._said: dict[PoolName, tuple[object, ...]] = {}
        self._strangers: frozenset[str] = frozenset()
        self._troubled: frozenset[NodeName] = frozenset()
        self._held: frozenset[tuple[str, str]] = frozenset()
        self._slowed: frozenset[ProviderName] = frozenset()
        self._limited: frozenset[ProviderName] = frozenset()
        self._refused = 0
        self._misplaced: Mapping[tuple[ProviderName, InstanceId, str], Misplaced] = {}

    def tell(self, tick: Tick) -> None:
        """Say what happened, after it was written down."""
        self._tell_facts(tick.snapshot)
        self._tell_accounts(tick)
        for outcome in tick.snapshot.outcomes:
            good = outcome.kind in {OutcomeKind.DONE, OutcomeKind.ABSENT}
            self._log.say(
                "call.finished" if good else "call.refused",
                call=outcome.call.value,
                node=outcome.node,
                kind=outcome.kind.value,
                says=outcome.says,
            )
        for told in tick.record.transitions:
            self._tell_move(told)
        orders_by_number = {order.number: order for order in tick.snapshot.orders}
        for answer in tick.record.answers:
            order = orders_by_number[answer.number]
            self._log.say(
                "order.answered",
                order=f"{order.kind.value} {order.target}",
                carried_out=answer.carried_out,
                says=answer.says,
            )
        asked = {action.node for action in tick.plan.actions if isinstance(action, DestroyNode)}
        for node in tick.plan.nodes:
            if node.name in asked and node.destroy_asks >= _OVERDUE_ASKS:
                self._log.say("node.overdue", node=node.name, pool=node.pool, asks=node.destroy_asks)
        self._tell_boots(tick)
        self._tell_troubles(tick.plan)
        for node, starved_s in stalls.news(
            tick.snapshot.memory, tick.reconciled.memory, tick.plan.nodes, self._rules
        ):
            self._log.say("node.stalled", node=node.name, pool=node.pool, starved_s=round(starved_s))
        self._tell_strangers(tick.reconciled.memory)
        self._tell_misplaced(tick.reconciled.memory)
        self._tell_held(tick)
        remarks = by_pool(tick.plan.remarks)
        for decision in tick.record.decisions:
            # Waiting messages and ages differ on every tick; what is news is another number, or another reason for it.
            gist = _gist(decision.decision, remarks[decision.pool])
            news = self._said.get(decision.pool) != gist
            self._said[decision.pool] = gist
            self._log.say(
                "pool.decided" if news else "pool.repeated", pool=decision.pool, sentence=decision.sentence
            )

    def _tell_move(self, told: Transition) -> None:
        self._log.say(
            "node.moved",
            node=told.node,
            pool=told.pool,
            before=told.before.value if told.before else "none",
            after=told.after.value,
            reason=told.reason,
        )

    def _tell_boots(self, tick: Tick) -> None:
        """Say once of each machine that its boot failed. Its own words stay in the journal: they may hold anything."""
        before, now = tick.snapshot.memory.booting, tick.reconciled.memory.booting
        for node in tick.snapshot.nodes:
            was, boot = before.get(node.name), now.get(node.name)
            if boot is None or boot.failed is None or (was is not None and was.failed == boot.failed):
                continue
            self._log.say(
                "boot.failed",
                node=node.name,
                pool=node.pool,
                offer=node.offer.name,
                phase=boot.failed.phase.value,
            )

    def tell_refusals(self, refused: Refusals) -> None:
        """Say that strangers write where machines report, without a word a message: they could write for ever."""
        if refused.messages >= max(1, 2 * self._refused):
            self._refused = refused.messages
            self._log.say("report.refused", messages=refused.messages, why=refused.why)

    def _tell_troubles(self, plan: Plan) -> None:
        """Say which node cannot be dealt with when that begins and when it ends; not on every tick between."""
        troubled = {trouble.node: trouble for trouble in plan.troubles}
        for name, trouble in troubled.items():
            if name not in self._troubled:
                self._log.say("node.failed", node=name, pool=trouble.pool, error=trouble.error)
        for name in self._troubled - troubled.keys():
            self._log.say("node.recovered", node=name)
        self._troubled = frozenset(troubled)

    def _tell_strangers(self, memory: Memory) -> None:
        seen = frozenset(f"{s.provider}/{s.instance.instance_id}" for s in memory.strangers)
        for stranger in memory.strangers:
            if f"{stranger.provider}/{stranger.instance.instance_id}" not in self._strangers:
                self._log.say("stranger.seen", machine=stranger.instance.name, provider=stranger.provider)
        self._strangers = seen

    def _tell_misplaced(self, memory: Memory) -> None:
        """Say which machine stands elsewhere when that is found, and again if it is found to be somewhere else."""
        now = {(one.provider, one.instance_id, one.location): one for one in memory.misplaced}
        for key, one in now.items():
            if key not in self._misplaced:
                self._log.say(
                    "machine.misplaced",
                    machine=one.machine,
                    pool=one.pool,
                    provider=one.provider,
                    location=one.location,
                    country=one.country or "not known",
                    allowed=list(one.allowed),
                )
        standing = {key[:2] for key in now}
        for key, one in self._misplaced.items():
            if key[:2] not in standing:
                self._log.say("misplacement.ended", machine=one.machine, provider=one.provider)
        self._misplaced = now

    def _tell_held(self, tick: Tick) -> None:
        now = held_back.look(tick.record.memory, tick.snapshot.at)
        keys = frozenset((held.kind, held.subject) for held in now)
        for held in now:
            if (held.kind, held.subject) not in self._held:
                self._log.say("hold.began", kind=held.kind, subject=held.subject, why=held.why)
        for kind, subject in sorted(self._held - keys):
            self._log.say("hold.ended", kind=kind, subject=subject)
        self._held = keys

    def _tell_accounts(self, tick: Tick) -> None:
        """Say which account becomes slow to answer or short of requests, and which is neither any more.

        One that does not answer at all is a fact that is missed, and stays what it was.
        """
        memory, at = tick.record.memory, tick.snapshot.at
        # Those that are looked at less often than once a tick, because their limit lasts for no more, are not slow.
        spared = {
            name for name, limit in memory.rate_limits.items() if rations.apart_s(limit, at) > self._tick_s
        }
        late = {name: age_s for name, age_s in tick.snapshot.listing_age_s.items() if name not in spared}
        unseen_now = {name for name, seen in tick.snapshot.listings.items() if isinstance(seen, Missing)}
        slowed = frozenset(late) | (self._slowed & unseen_now)
        limited = spared | {
            name
            for name in memory.rate_limits
            if (left := rations.ration(name, memory, at, self._tick_s, 0)) and left.purchases < 1
        }
        for name in sorted(slowed - self._slowed):
            self._log.say("account.slowed", account=name, age_s=round(late[name], 1))
        for name in sorted(limited - self._limited):
            told = memory.rate_limits[name]
            self._log.say(
                "account.limited",
                account=name,
                requests_left=told.remaining,
                for_s=round(told.resets_at - at),
                every_s=round(max(self._tick_s, rations.apart_s(told, at)), 1),
            )
        for name in sorted((self._slowed | self._limited) - slowed - limited):
            self._log.say("account.recovered", account=name)
        self._slowed, self._limited = slowed, frozenset(limited)

    def _tell_facts(self, snapshot: Snapshot) -> None:
        """Say when a fact is missed and when it is seen again; not on every tick between."""
        missed = unseen.missing(snapshot)
        for fact, why in missed.items():
            if fact not in self._missed:
                self._log.say("fact.missed", fact=fact, why=why)
        for fact in self._missed.keys() - missed.keys():
            self._log.say("fact.recovered", fact=fact)
        self._missed = missed


def _gist(decision: Decision, remarks: tuple[str, ...]) -> tuple[object, ...]:
    """What makes a decision another than the one before, to a reader of the log."""
    given = decision.input
    workers = given.supply.workers
    return (
        decision.wanted,
        workers,
        decision.binding,
        given.demand_missing,
        remarks,
    )
