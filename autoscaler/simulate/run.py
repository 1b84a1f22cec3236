"""One life: the production loop, observer, gateways' reading and errors, in a world with trouble, checked each tick.

A scenario goes in, a verdict comes out, and never an exception: what broke a rule is the verdict's `harm`, with the
last ticks' sentences, so that a seed can be read without a debugger.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autoscaler.core.model import OrderKind
from autoscaler.core.waits import WaitKind
from autoscaler.journal import JournalUnavailable, TickRecord
from autoscaler.simulate import (
    checks,
    checks_of_money,
    checks_of_replacements,
    checks_of_ticks,
    fleet,
    ledger,
)
from autoscaler.simulate.checks import Harm, Known
from autoscaler.simulate.checks_of_boots import Lates
from autoscaler.simulate.checks_of_canaries import Kinds
from autoscaler.simulate.contract import Counts, Fault, Scenario, Verdict
from autoscaler.simulate.daemons import Crash, Daemon, End
from autoscaler.simulate.fleet import TICK_S
from autoscaler.simulate.operators import Operator
from autoscaler.simulate.script import Script
from autoscaler.simulate.world import World

_TOLD_TICKS = 30
_BACK_UP_EVERY_TICKS = 6
_MOVES_TOLD = 6
"""Of one tick, besides those of the nodes that the harm names."""
_TIDY_EVERY_TICKS = 60
_NEW_RELEASES = 0.3
"""The part of all restarts that come with a new release of a pool's workers."""
_ENDS = {
    Fault.CRASH_BEFORE_COMMIT: (End.BEFORE_COMMIT,),
    Fault.CRASH_AFTER_COMMIT: (End.BEFORE_DISPATCH,),
    Fault.CRASH_IN_DISPATCH: (End.AMID_DISPATCH, End.AFTER_DISPATCH),
    Fault.TWO_DAEMONS: (End.STOPPED_BEFORE_COMMIT, End.STOPPED_BEFORE_DISPATCH, End.STOPPED_AFTER_DISPATCH),
}


def play(scenario: Scenario, watch: Callable[[float], None] = lambda _: None) -> Verdict:
    """Live that life once. `watch` is told after each simulated hour how many have passed."""
    return _Life(scenario, watch).play()


@dataclass(slots=True, kw_only=True)
class _Told:
    """One tick as it is told of."""

    at: float
    notes: list[str]
    record: TickRecord | None = None
    met: tuple[str, ...] = ()
    """The faults that lasted or struck until its end."""

    def lines(self, harm: str) -> Iterator[str]:
        """In sentences; of many moves only some, and those of the nodes that the harm names."""
        if self.met:
            yield f"{self.at:.0f} s: met {', '.join(self.met)}"
        record = self.record
        for decided in record.decisions if record else ():
            yield f"{self.at:.0f} s: {decided.sentence}"
        moves = record.transitions if record else ()
        named = [move for move in moves if move.node.partition("~")[0] in harm]
        others = [move for move in moves if move not in named]
        for move in (*named, *others[:_MOVES_TOLD]):
            before = move.before.value if move.before else "none"
            yield f"{self.at:.0f} s:   {move.node} {before} → {move.after.value}: {move.reason}"
        if len(others) > _MOVES_TOLD:
            yield f"{self.at:.0f} s:   and {len(others) - _MOVES_TOLD} moves of others"
        for note in self.notes:
            yield f"{self.at:.0f} s:   {note}"


class _Life:
    """One world and its daemons, one after another."""

    def __init__(self, scenario: Scenario, watch: Callable[[float], None]) -> None:
        self.scenario = scenario
        self.watch = watch
        self.hours = 0
        self.script = Script(scenario)
        self.world = World(scenario, self.script, fleet.draw(scenario))
        self.shared = ledger.open_ledger(scenario.seed)
        self.known, self.kinds, self.lates = Known(), Kinds(), Lates()
        self.silence_s = {pool: rules.timeouts.silence_s for pool, rules in self.world.fleet.rules.items()}
        self.operator = Operator(self.world, self.shared, scenario.seed)
        self.reader = self.shared.claim()
        self.dice = random.Random(f"run {scenario.seed}")
        self.releases = random.Random(f"releases {scenario.seed}")
        self.told: deque[_Told] = deque(maxlen=_TOLD_TICKS)
        self.notes: list[str] = []
        self.ticks = self.daemons = 0
        self.daemon = self._start()
        self.mended = False

    def play(self) -> Verdict:
        """Until it is at rest, or something happened that never may."""
        harm, counts = "", {}
        try:
            while not self._over():
                self._tick()
            checks.at_last(self.world, self.reader.live_nodes())
        except Harm as happened:
            harm, counts = f"at {self.world.clock.elapsed:.0f} s: {happened}", happened.counts
        finally:
            self.shared.close()
        return self._verdict(harm, counts)

    def _over(self) -> bool:
        at, scenario = self.world.clock.elapsed, self.scenario
        if at <= scenario.trouble_s:
            return False
        nodes = self.reader.live_nodes()
        unrest = checks.unrest(self.world, nodes, self.reader.past(self.world.wall.now() - 4 * TICK_S))
        unrest = unrest or self.kinds.unrest(nodes, self.daemon.becomes, self.world.fleet.rules)
        if unrest and at > scenario.trouble_s + scenario.heals_s:
            raise Harm("unconverged", f"not at rest: {unrest}")
        return not unrest

    def _tick(self) -> None:
        world = self.world
        world.run_to(world.clock.elapsed + TICK_S)
        self.ticks += 1
        if world.clock.elapsed >= (self.hours + 1) * 3600:
            self.hours += 1
            self.watch(float(self.hours))
        self.notes = []
        self.told.append(_Told(at=world.clock.elapsed, notes=self.notes))
        if self.ticks % _BACK_UP_EVERY_TICKS == 0 and self.script.has(Fault.JOURNAL_RESTORED):
            self.shared.back_up()
        if self.ticks % _TIDY_EVERY_TICKS == 0:
            world.tidy()
            self.kinds.forget(self.known)
            self.known.forget(world.clock.elapsed - 7200.0)
        self._befall()
        try:
            self._live_on()
        finally:
            self.told[-1].met = self.script.met()

    def _live_on(self) -> None:
        """The daemon's tick, and all that must hold after it."""
        world = self.world
        try:
            began_at = world.clock.elapsed
            checks.dealt_with(world, self.daemon.tick(), began_at)
        except Harm:
            raise
        except JournalUnavailable as error:
            if self.daemon.may_write():
                raise Harm("failed_ticks", f"a tick could not be written: {error}") from error
            self.notes.append(f"the tick was given up: {error}")
        except Crash:
            self._end_daemon()
        except Exception as error:
            raise Harm("failed_ticks", f"a tick failed: {type(error).__name__}: {error}") from error
        if self.daemon.mistakes:
            raise Harm("failed_ticks", self.daemon.mistakes[0])
        checks.always(world, self.known)

    def _befall(self) -> None:
        """What happens to our own machine and process in this tick, and what people say."""
        world, script, at = self.world, self.script, self.world.clock.elapsed
        if script.strikes(Fault.CLOCK_STEP, at):
            dice = script.dice(Fault.CLOCK_STEP)
            world.till.doubted = True
            world.wall.off_by_s += dice.choice((-1, 1)) * dice.choice((5.0, 60.0, 900.0))
            self.notes.append(f"the wall clock was set: it is off by {world.wall.off_by_s:.0f} s")
        if script.strikes(Fault.COUNTERS_RESET, at):
            script.dice(Fault.COUNTERS_RESET).choice(list(world.queues.values())).forget_counts()
        for fault, ends in _ENDS.items():
            if script.strikes(fault, at):
                self.daemon.ends = script.dice(fault).choice(ends)
        if at <= self.scenario.trouble_s:
            said = self.operator.speak(self.reader.live_nodes())
        else:
            memory = self.reader.memory()
            twins = [wait for wait in memory.waits if wait.kind is WaitKind.TWIN]
            said = self.operator.clean_up(len(memory.strangers) + len(twins))
            said = "; ".join(filter(None, (said, self.operator.look_after(self.reader.live_nodes()))))
            if not self.mended:
                # Rejected offers rest until tomorrow: whoever mends the configuration starts the daemon anew.
                self.mended = True
                world.more_money()
                self.daemon.die()
                self.daemon = self._start()
        if said:
            self.notes.append(said)
            self.known.orders |= {order.number: order for order in self.reader.waiting_orders()}

    def _start(self) -> Daemon:
        self.daemons += 1
        if self.daemons > 1 and self.releases.random() < _NEW_RELEASES:
            self.world.releases[self.releases.choice(list(self.world.fleet.rules))] += 1
        seed = f"{self.scenario.seed} {self.daemons}"
        return Daemon(self.world, self.shared, seed, noted=self._noted)

    def _end_daemon(self) -> None:
        """It was killed, and its supervisor starts another; or it was stopped, and another takes over."""
        old, world = self.daemon, self.world
        assert old.ends is not None
        self.notes.append(f"the daemon ended: {old.ends.value}")
        stopped = old.ends in _ENDS[Fault.TWO_DAEMONS]
        old.die()
        world.run_to(world.clock.elapsed + self.dice.choice((0.0, 1.0, self.dice.uniform(0, 60))))
        if not stopped:
            self._restore()
        self.daemon = self._start()
        if stopped:
            world.clock.later(self.dice.uniform(1, 300), lambda: self._wake(old))

    def _restore(self) -> None:
        """Whoever starts it again may do so with a copy of the journal."""
        script, at = self.script, self.world.clock.elapsed
        if not script.strikes(Fault.JOURNAL_RESTORED, at) or not self.shared.restore(
            script.dice(Fault.JOURNAL_RESTORED)
        ):
            return
        reader = self.reader
        nodes = reader.live_nodes()
        self.known.restored(nodes, reader.waiting_orders(), reader.wishes(), self.world.clock.elapsed)
        self.kinds.restored()
        self.lates.restored()
        self.world.restored({node.machine for node in nodes})
        self.notes.append("the journal was restored from an old copy")

    def _wake(self, old: Daemon) -> None:
        try:
            old.wake()
        except JournalUnavailable:
            return
        raise Harm("failed_ticks", "a daemon whose lease was taken wrote a tick")

    def _noted(self, record: TickRecord) -> None:
        self.told[-1].record = record
        checks.committed(self.world, record, self.daemon.knows_anew)
        checks_of_ticks.answers(self.known, record)
        checks_of_ticks.silences(record, self.silence_s, self.daemon.listened_s())
        asked = frozenset(self.known.end_asked_at)
        self.known.noted(record, self.world.clock.elapsed)
        self.kinds.learn(self.known, record, self.daemon.becomes)
        self.lates.learn(self.known, record, self.world.clock.elapsed, self.world.fleet.rules)
        self._obeyed(record)
        self.known.took(record, self.world.clock.elapsed, self.world.fleet.rules)
        checks.first_asked(self.world, self.known, record, asked)
        checks_of_ticks.choices(self.known, record, self.world.fleet.rules)
        checks_of_replacements.kept_up(self.known, record)
        self.kinds.replaced_by_proven(record, self.daemon.becomes)
        checks_of_money.bought(self.world, record)
        checks_of_money.shrinks(self.world, self.known, record)
        self.kinds.tried_first(self.known, record)

    def _obeyed(self, record: TickRecord) -> None:
        """Who is woken by an operator's word is trusted, and may be asked at once."""
        for answer in record.answers:
            order = self.known.orders[answer.number]
            if order.kind is OrderKind.WAKE and answer.carried_out:
                self.kinds.trust(order, self.daemon.becomes)
                for manners in self.world.manners.values():
                    manners.woken()

    def _story(self, harm: str) -> Iterator[str]:
        for told in self.told:
            yield from told.lines(harm)

    def _verdict(self, harm: str, harms: dict[str, int]) -> Verdict:
        world = self.world
        stood_s = sum(world.clock.now() - place.machine.created_at for place in world.places.values())
        counts = Counts(
            seeds=1,
            ticks=self.ticks,
            nodes=world.nodes,
            faults=sum(self.script.struck.values()),
            fleet_s=world.clock.elapsed,
            node_s=world.node_s + stood_s,
            **harms,
        )
        return Verdict(
            scenario=self.scenario,
            counts=counts,
            harm=harm,
            story=tuple(self._story(harm)),
            struck=frozenset(self.script.struck),
        )
