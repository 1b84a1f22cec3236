"""What really is there: accounts with machines, workers on them, the broker with its queues, and what befalls them all.

The world knows everything and tells the daemon nothing but through `gateways`; the daemon changes it through `calls`
and by its words to workers. It keeps no diary: what ended is counted and forgotten, so that a life may be long. What
never happens here: a choice of the daemon's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from autoscaler.core.model import PoolName
from autoscaler.simulate import clouds
from autoscaler.simulate.checks_of_accounts import Manners
from autoscaler.simulate.clock import SteppedClock, WorldClock
from autoscaler.simulate.contract import Fault, Scenario
from autoscaler.simulate.fleet import CREATE_S, HERE, Fleet
from autoscaler.simulate.restored import Forgotten
from autoscaler.simulate.script import Script
from autoscaler.simulate.speaking import Speech
from autoscaler.simulate.till import Till
from autoscaler.simulate.workers import Worker, Zombie
from autoscaler.simulate.workload import Load, Queue
from providers.contract import NodeName, ProviderName
from providers.simulated import Machine, SimulatedCloud

_KEPT_S = 7200.0
"""How long the world remembers the names of machines: far longer than any request is under way."""
_REQUEUES_S = 60.0
"""How long the broker waits for a connection's heartbeats before it takes its messages back."""


@dataclass(slots=True, eq=False)
class Place:
    """A machine that stands, and the worker on it."""

    machine: Machine
    account: ProviderName
    pool: PoolName
    price_per_h: float
    worker: Worker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A machine that we ended while its worker ran tasks."""

    place: Place
    tasks: int
    lost: int
    """How many of these are gone for ever: those that were acknowledged when they began."""


class _Landlord:
    """What one account tells of its machines."""

    def __init__(self, world: World, account: ProviderName) -> None:
        self._world = world
        self._account = account

    def made(self, machine: Machine) -> None:
        world = self._world
        world.clock.later(
            machine.created_at - world.clock.now(), lambda: world.appear(machine, self._account)
        )

    def ended(self, machine: Machine) -> None:
        self._world.vanish(machine, self._account)


class World:
    """One life's outside."""

    def __init__(self, scenario: Scenario, script: Script, fleet: Fleet) -> None:
        self.script, self.fleet = script, fleet
        self.clock = WorldClock(fleet.begins_at)
        self.wall, self.till = SteppedClock(self.clock), Till(self.clock)
        self.speech = Speech(self.clock, script, self.broker_down)
        self.dice = random.Random(f"world {scenario.seed}")
        self.accounts: dict[ProviderName, SimulatedCloud] = {
            name: clouds.open_cloud(
                script, self.clock, name, _Landlord(self, name), boot_s=fleet.boot_s, create_s=CREATE_S
            )
            for name in fleet.accounts
        }
        self.forgotten = Forgotten(self.clock)
        """Machines whose records were lost with a journal."""
        self.manners = {name: Manners(self.wall, fleet.calls_per_minute[name]) for name in fleet.accounts}
        """How each account is treated."""
        self.queues = {pool: Queue(pool, self.broker_delivers) for pool in fleet.rules}
        self.loads = [self._load(pool, scenario) for pool in fleet.rules]
        self.places: dict[tuple[ProviderName, str], Place] = {}
        self.workers: dict[str, list[Worker]] = {}
        """Worker processes that are up, by the name of their machine; two where the provider made it twice."""
        self.zombies: list[Worker] = []
        """Worker processes that are up and became zombies, the cured ones too."""
        self.standing: Counter[PoolName] = Counter()
        self.seconds: Counter[PoolName] = Counter()
        """Of those standing, how many nobody asked for, and their price."""
        self.cost_per_h = dict.fromkeys(fleet.rules, 0.0)
        self.cost_of_seconds_per_h = dict.fromkeys(fleet.rules, 0.0)
        self.releases: Counter[PoolName] = Counter()
        """How often what a pool's machines become was changed; a daemon knows it from its start on."""
        self.good_looks = dict.fromkeys(fleet.rules, 0)
        """How often in a row the broker told a pool's demand, since it last did not."""
        self.kills: list[Kill] = []
        self.ended: list[tuple[NodeName, tuple[Place, ...]]] = []
        """For whose node we asked for an end, and the machines that this call ended."""
        self._unconnected_at: dict[str, float] = {}
        """When the broker said last that it knows no connection of the worker on the machine of that name."""
        self._ending: list[Place] = []
        self.goodbyes: list[Callable[[Worker], None]] = []
        self.hellos: list[Callable[[Worker], None]] = []
        self.asked_at: dict[str, float] = {}
        """When a machine of that name was ordered, by the world's clock."""
        self.newly_asked: list[str] = []
        """Names ordered since somebody last compared them with the records."""
        self.doubled: str = ""
        """A name that was ordered a second time."""
        self._ticks_began_at = self.odd_told_at = float("-inf")
        """When a worker last answered what is no number."""
        self.trespass = self.astray = ""
        """What a daemon sent whose lease another had taken before; a machine that was ordered where none may stand."""
        self.made_twice: dict[str, float] = {}
        """Names that the provider gave to two machines, and when."""
        self.node_s = 0.0
        self.nodes = self.ears = self.done = self.lost = 0
        """Machines that stood, daemons that began to listen, tasks that were done, and tasks gone for ever."""
        self._worlds_doing = False

    # What the broker is like now.

    def broker_down(self) -> bool:
        """Whether nobody reaches the broker."""
        return self.script.lasts(Fault.BROKER_DOWN, self.clock.elapsed)

    def broker_delivers(self) -> bool:
        """Whether workers get tasks from it."""
        return not self.broker_down()

    def demand_told(self, pool: PoolName, *, told: bool) -> None:
        """Somebody asked the broker for the figures of that pool's queue."""
        self.good_looks[pool] = self.good_looks[pool] + 1 if told else 0

    def tick_begins(self) -> None:
        """A daemon looks at the world."""
        self._ticks_began_at = self.clock.elapsed

    def told_unconnected(self, name: str) -> None:
        """The broker says that nobody of that name is there."""
        self._unconnected_at[name] = self.clock.elapsed

    def unconnected_now(self, name: str) -> bool:
        """Whether it said so on this tick."""
        return self._unconnected_at.get(name, -1.0) >= self._ticks_began_at

    # Looking things up.

    @property
    def sent(self) -> int:
        """Tasks published so far."""
        return sum(load.sent for load in self.loads)

    def workers_up(self) -> Iterator[Worker]:
        """Every worker process that runs."""
        for named in self.workers.values():
            yield from named

    def finished(self) -> int:
        """Tasks done so far."""
        return self.done + sum(worker.finished for worker in self.workers_up())

    def outstanding(self) -> int:
        """Tasks that wait or are held."""
        held = sum(len(w.running) + len(w.reserved) + len(w.scheduled) for w in self.workers_up())
        return held + sum(len(queue.ready) for queue in self.queues.values())

    # Time.

    def run_to(self, until: float) -> None:
        """Let time pass."""
        self.clock.run_to(until)
        for queue in self.queues.values():
            queue.deliver()

    def restored(self, recorded: set[str]) -> None:
        """The journal is an older one, in which only machines of these names have a record."""
        self.till.doubted = True
        self.forgotten.restored(self.asked_at.keys() - recorded)
        for (account, instance_id), place in self.places.items():
            self.forgotten.stands(account, instance_id, place.machine.name, place.pool)
        for manners in self.manners.values():
            manners.restored()

    def more_money(self) -> None:
        """Who runs the fleet lifts the ceilings on a month: what waits for money would wait until the next one."""
        rules = {
            name: replace(pool, limits=replace(pool.limits, max_cost_per_month=None))
            for name, pool in self.fleet.rules.items()
        }
        self.fleet = replace(self.fleet, rules=rules, max_cost_per_month=None)

    def tidy(self) -> None:
        """Forget what nobody can ask about any more."""
        at = self.clock.elapsed
        for cloud in self.accounts.values():
            cloud.forget(self.clock.now() - _KEPT_S / 2)
        for manners in self.manners.values():
            manners.tidy()
        self.speech.tidy({place.machine.name for place in self.places.values()}.__contains__)
        old = at - _KEPT_S
        self._unconnected_at = {name: told for name, told in self._unconnected_at.items() if told >= old}
        for name in [n for n, asked_at in self.asked_at.items() if asked_at < at - _KEPT_S]:
            del self.asked_at[name]

    # Machines.

    def asked(self, name: str) -> None:
        """A create of that name was sent."""
        if name in self.asked_at:
            self.doubled = name
        self.asked_at[name] = self.clock.elapsed
        self.newly_asked.append(name)

    def destroy_was_sent(self, node: NodeName) -> None:
        """A call for the end of that node's machine arrived: what it ended, if anything."""
        if self._ending:
            self.ended.append((node, tuple(self._ending)))
            self._ending.clear()

    def appear(self, machine: Machine, account: ProviderName) -> None:
        """A machine stands from now on; its worker comes later, or never."""
        pool = PoolName(machine.pool)
        offers = self.fleet.rules[pool].offers
        offer = next(o for o in offers if o.provider == account and o.size == machine.size)
        price = offer.price_per_h
        place = Place(machine, account, pool, price)
        if machine.location != HERE:
            self.astray = f"{machine.name} of {pool} was ordered {machine.location}"
        self.places[account, machine.instance_id] = place
        self.forgotten.stands(account, machine.instance_id, machine.name, pool)
        self.nodes += 1
        self.standing[pool] += 1
        self.cost_per_h[pool] += price
        if machine.second:
            self.seconds[pool] += 1
            self.made_twice[machine.name] = self.clock.elapsed
            self.cost_of_seconds_per_h[pool] += price
        else:
            self.till.opens(account, machine.instance_id, pool, offer)
        lengths, key = self.fleet.lengths, (account, machine.instance_id)
        boots_in_s = machine.boots_at - self.clock.now() + lengths.longer_s(pool, account, self.clock.elapsed)
        if boots_in_s != float("inf"):
            self.clock.later(boots_in_s + self.dice.uniform(0, 10), lambda: self._boot(place, pid=100))
        if lengths.reports:
            self.speech.begins(machine.name, boots_in_s, lambda: key in self.places)
        self._draw_fate(place)

    def vanish(self, machine: Machine, account: ProviderName) -> None:
        """A machine stands no more."""
        place = self.places.pop((account, machine.instance_id))
        self.forgotten.known(account, machine.instance_id)
        self.till.closes(account, machine.instance_id)
        self.standing[place.pool] -= 1
        self.cost_per_h[place.pool] -= place.price_per_h
        self.node_s += self.clock.now() - machine.created_at
        if machine.second:
            self.seconds[place.pool] -= 1
            self.cost_of_seconds_per_h[place.pool] -= place.price_per_h
        if not self._worlds_doing:
            self._ending.append(place)
        worker = place.worker
        if worker is None or not worker.up:
            return
        if worker.works and not self._worlds_doing:
            tasks = len(worker.running)
            self.kills.append(Kill(place=place, tasks=tasks, lost=tasks * worker.habits.early_ack))
        worker.end()

    def _boot(self, place: Place, *, pid: int) -> None:
        if self.places.get((place.account, place.machine.instance_id)) is not place:
            return
        if self.broker_down():  # it cannot connect, and tries again
            self.clock.later(5.0, lambda: self._boot(place, pid=pid))
            return
        worker = Worker(
            self.clock,
            self.queues[place.pool],
            self.fleet.workers[place.pool],
            name=place.machine.name,
            pid=pid + (1000 if place.machine.second else 0),
            over=self._bury,
        )
        place.worker = worker
        self.workers.setdefault(worker.name, []).append(worker)
        self._draw_temper(worker)
        for heard in list(self.hellos):
            heard(worker)

    def stop_worker(self, worker: Worker) -> None:
        """A warm shutdown. Its goodbye is its first act."""
        worker.stop()
        for heard in list(self.goodbyes):
            heard(worker)

    def _bury(self, worker: Worker) -> None:
        named = self.workers[worker.name]
        named.remove(worker)
        self.done += worker.finished
        self.lost += worker.lost
        if worker in self.zombies:
            self.zombies.remove(worker)
        if not named:
            del self.workers[worker.name]

    # What befalls machines and workers.

    def _draw_fate(self, place: Place) -> None:
        if self.script.strikes(Fault.MACHINE_DIES, self.clock.elapsed):
            dice = self.script.dice(Fault.MACHINE_DIES)
            self.clock.later(dice.expovariate(1 / 600), lambda: self._die(place))

    def _die(self, place: Place) -> None:
        if self.places.get((place.account, place.machine.instance_id)) is place:
            self._worlds_doing = True
            self.accounts[place.account].crash(place.machine.instance_id)
            self._worlds_doing = False

    def _draw_temper(self, worker: Worker) -> None:
        """What will befall this worker process."""
        script, at = self.script, self.clock.elapsed
        if script.strikes(Fault.WORKER_SILENT, at):
            dice = script.dice(Fault.WORKER_SILENT)
            self.clock.later(dice.choice((0.0, dice.expovariate(1 / 300))), lambda: self._fall_silent(worker))
        if script.strikes(Fault.WORKER_RESTARTS, at):
            dice = script.dice(Fault.WORKER_RESTARTS)
            self.clock.later(dice.expovariate(1 / 300), lambda: self._restart(worker))
        if script.strikes(Fault.WORKER_ZOMBIE, at):
            dice = script.dice(Fault.WORKER_ZOMBIE)
            self.clock.later(dice.expovariate(1 / 300), lambda: self._turn_zombie(worker))
        # With early acknowledgement the broker's word is worthless about what runs, so the worker's own is the only
        # proof there is: if that one lies, nobody could know. And nobody's two witnesses lie at the same time.
        if not worker.habits.early_ack and script.strikes(Fault.HANDS_LIE, at):
            worker.hands_lie_until = at + script.dice(Fault.HANDS_LIE).uniform(60, 1800)
        elif script.strikes(Fault.UNACKNOWLEDGED_LIES, at):
            worker.unacknowledged_lies_until = at + script.dice(Fault.UNACKNOWLEDGED_LIES).uniform(60, 1800)

    def _fall_silent(self, worker: Worker) -> None:
        """Unheard and deaf to orders for a while, at work all the same; or dead in silence, its machine standing."""
        dice = self.script.dice(Fault.WORKER_SILENT)
        if not worker.up:
            return
        if dice.random() < 0.25:
            worker.silent_from, worker.silent_until = self.clock.elapsed, float("inf")
            worker.zombie = Zombie.NEVER_FINISHES
            self.clock.later(_REQUEUES_S, lambda: self._end_worker(worker))
        else:
            # Shorter than silence and lost deadline together: a worker that works unheard for longer than an operator
            # allows is given up by his word.
            worker.silent_from = self.clock.elapsed
            worker.silent_until = worker.silent_from + dice.uniform(5, 120)

    def _end_worker(self, worker: Worker) -> None:
        if worker.up:
            worker.end()

    def _restart(self, worker: Worker) -> None:
        """A new process in the old one's place: it consumes, whatever its predecessor was told.

        In containers its pid is the same, and only its first word or its count says that it began anew.
        """
        place = next((p for p in self.places.values() if p.worker is worker), None)
        if place is None or not worker.up or worker.stopping:
            return
        self._end_worker(worker)
        pid = worker.pid - (1000 if place.machine.second else 0)
        self._boot(place, pid=pid + self.script.dice(Fault.WORKER_RESTARTS).choice((0, 1)))

    def _turn_zombie(self, worker: Worker) -> None:
        dice = self.script.dice(Fault.WORKER_ZOMBIE)
        if worker.up and worker.zombie is None:
            worker.zombie = dice.choice(list(Zombie))
            self.zombies.append(worker)

    def _load(self, pool: PoolName, scenario: Scenario) -> Load:
        rules, queue = self.fleet.rules[pool], self.queues[pool]
        return Load(
            self.clock,
            queue,
            random.Random(f"load {scenario.seed} {pool}"),
            random.Random(f"eta {scenario.seed} {pool}"),
            slots=rules.limits.max_workers * rules.slots,
            task_s=self.fleet.task_s[pool],
            until_s=scenario.trouble_s,
            starved=lambda: any(worker.starves and worker.queue is queue for worker in self.zombies),
        )
