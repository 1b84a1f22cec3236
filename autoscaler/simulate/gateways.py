"""The broker and the workers as the production gateways meet them: rows of a management API, heartbeats, control.

Above the wire all is production code: `RabbitMQ` reads the rows, `Hearing` keeps the heartbeats. What is told may be
late, missing or a lie; here it is made so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from autoscaler.core.facts import Hands, Missing, Sightings
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.gateways.celery_events import Hearing, WorkerEvent
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.management_api import NotFound, Unreachable
from autoscaler.gateways.rabbitmq import RabbitMQ
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.workers import Worker
from autoscaler.simulate.world import World

_FIGURES_LATE_S = 5.0
"""The broker's statistics interval: figures about one connection are up to this old, and exactly so here."""
_SLOW_FIGURES_LATE_S = 10.0
"""A broker under load samples late; `proof_lag_s` allows for 11 s."""
_SLOWEST_LOOK_S = 6.0
"""What happens meanwhile is not in the facts that were looked at before, and is so when the tick acts on them."""
_DEAF_AFTER_S = 10.0
"""As `CeleryLink` has it: so long it takes until our own probe is missed."""
_NONSENSE: tuple[object, ...] = (-1, -(10**9), 10**15, "many", None, 3.5, True)

_NO_DETAILS: tuple[object, ...] = (None, [], {}, "many", [{}], [{"channel_details": {}}], [None])


class ManagementAPI:
    """What the broker's management plugin answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last: dict[str, Mapping[str, Any]] = {}
        self._paused_at = 0.0

    def get(self, *path: str, until: float | None = None, **query: str) -> Any:
        """The rows that `RabbitMQ` asks for. Raises NotFound or Unreachable."""
        world, at = self._world, self._world.clock.elapsed
        slow = world.script.lasts(Fault.BROKER_SLOW, at)
        if (
            slow
            and at > self._paused_at + _SLOWEST_LOOK_S
            and world.script.dice(Fault.BROKER_SLOW).random() < 0.2
        ):
            world.run_to(at + world.script.dice(Fault.BROKER_SLOW).uniform(0, _SLOWEST_LOOK_S))
            self._paused_at = at = world.clock.elapsed
        if world.broker_down() or (slow and world.script.dice(Fault.BROKER_SLOW).random() < 0.3):
            for pool in world.queues.keys() & {PoolName(path[-1])}:
                world.demand_told(pool, told=False)
            raise Unreachable("the broker does not answer in time")
        match path:
            case "connections", connection, "channels":
                return self._channels(connection, _SLOW_FIGURES_LATE_S if slow else _FIGURES_LATE_S)
            case "queues", _, name if name.endswith(".pidbox"):
                return self._mailbox(name)
            case "queues", _, name:
                row, told = self._queue(PoolName(name), slow=slow)
                world.demand_told(PoolName(name), told=told)
                return row
            case "queues", _:
                return {
                    "items": [],
                    "page_count": 1,
                    "total_count": 0,
                }  # the vhost is there: that is all it is asked for
            case _:
                raise NotFound("nobody asks for this here")

    def close(self) -> None:
        """Nothing is held open."""

    def _queue(self, name: PoolName, *, slow: bool) -> tuple[Mapping[str, Any], bool]:
        """The row, and whether it tells what is asked for."""
        world, at = self._world, self._world.clock.elapsed
        queue = world.queues[name]
        if slow and name in self._last:
            return self._last[name], True
        row: dict[str, Any] = {
            "name": name,
            "messages_ready": len(queue.ready),
            "messages_unacknowledged": queue.unacknowledged,
            "consumers": len(world.workers),
            "arguments": {},
            "message_stats": {
                "publish": queue.published,
                "ack": queue.acknowledged,
                "redeliver": queue.redelivered,
                "deliver_get": queue.delivered,
            },
        }
        self._last[name] = row
        if world.script.lasts(Fault.BROKER_PARTIAL, at, name):
            return {"name": name}, False
        if world.script.lasts(Fault.IMPLAUSIBLE, at, name):
            dice = world.script.dice(Fault.IMPLAUSIBLE)
            figure = dice.choice(("messages_ready", "messages_unacknowledged"))
            return {**row, figure: dice.choice(_NONSENSE)}, False
        return row, True

    def _mailbox(self, name: str) -> Mapping[str, Any]:
        machine = name.removeprefix("celery@").removesuffix(".celery.pidbox")
        named = self._world.workers.get(machine)
        if not named:
            self._world.told_unconnected(machine)
            raise NotFound(f"there is no queue {name}")
        connections = [f"{worker.name} {worker.pid}" for worker in named]
        if self._is_partial(named[0]):
            return {"name": name}
        if self._is_nonsense(named[0]):
            return {"name": name, "consumer_details": self._nonsense(_NO_DETAILS)}
        return {
            "name": name,
            "consumer_details": [{"channel_details": {"connection_name": c}} for c in connections],
        }

    def _channels(self, connection: str, late_s: float) -> list[Mapping[str, Any]]:
        name, _, pid = connection.partition(" ")
        worker = next((w for w in self._world.workers.get(name, ()) if w.pid == int(pid)), None)
        if worker is None:
            raise NotFound(f"there is no connection {connection}")
        if self._is_partial(worker):
            return [{"messages_unacknowledged": 0}, {}]
        if self._is_nonsense(worker):
            return [{"messages_unacknowledged": 0}, {"messages_unacknowledged": self._nonsense(_NONSENSE)}]
        at = self._world.clock.elapsed
        held = 0 if at < worker.unacknowledged_lies_until else worker.held_at(at - late_s)
        return [{"messages_unacknowledged": 0}, {"messages_unacknowledged": held}]

    def _is_partial(self, worker: Worker) -> bool:
        """What the broker does not tell of a queue it does not tell of its consumers either."""
        return self._world.script.lasts(Fault.BROKER_PARTIAL, self._world.clock.elapsed, worker.queue.name)

    def _is_nonsense(self, worker: Worker) -> bool:
        return self._world.script.lasts(Fault.IMPLAUSIBLE, self._world.clock.elapsed, worker.queue.name)

    def _nonsense(self, choices: tuple[object, ...]) -> object:
        return self._world.script.dice(Fault.IMPLAUSIBLE).choice(choices)


def open_broker(world: World) -> RabbitMQ:
    """The production gateway on the played API."""
    return RabbitMQ(
        management_url="",
        username="",
        password="",
        vhost="/",
        clock=world.wall,
        api=ManagementAPI(world),
    )


class Ear:
    """One daemon's ear and voice towards the workers: it knows only whom it heard since it began to listen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hearing = Hearing()
        self._since: float | None = None
        self._open_at = world.clock.elapsed
        self._turn = 0
        world.ears += 1
        self._number = world.ears
        world.goodbyes.append(self._goodbye)
        world.hellos.append(self._hello)

    def stop(self) -> None:
        """Listen no more."""
        self._world.goodbyes.remove(self._goodbye)
        self._world.hellos.remove(self._hello)

    def listened_s(self) -> float | None:
        """How long it has heard without a break; None while it is deaf and knows it."""
        return None if self._since is None else self._world.clock.elapsed - self._since

    def knows_anew(self, worker: Worker, by: float) -> bool:
        """Whether it heard by then that this process, and no other of its name, began."""
        return worker.greeted is not None and worker.greeted[0] == self._number and worker.greeted[1] < by

    def sightings(self) -> Sightings | Missing:
        """All heard until now; heartbeats are taken in here, as they were sent."""
        at = self._world.clock.elapsed
        if not self._deaf():
            if self._since is None:
                self._since = at
            self._open_at = at
            self._listen()
        elif at - self._open_at > _DEAF_AFTER_S:
            self._since = None
        if self._since is None:
            return Missing(why="our own probe is not heard")
        return Sightings(listening_s=at - self._since, workers=self._hearing.sightings(at))

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        """What each says that it holds."""
        return {name: self._hands(name) for name in workers}

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Order it to stop consuming."""
        self._order(worker, lambda told: told.cancel())

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Order it to consume again."""
        self._order(worker, lambda told: told.consume())

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        """Order a warm shutdown."""
        self._order(worker, self._world.stop_worker)

    def _deaf(self) -> bool:
        world = self._world
        return world.script.lasts(Fault.DEAF, world.clock.elapsed) or world.broker_down()

    def _listen(self) -> None:
        beats = []
        for worker in self._world.workers_up():
            if worker.answers and not worker.stopping:
                beat = worker.last_beat()
                beats.append((beat.at, worker.pid, worker, beat))
        for beat_at, pid, worker, beat in sorted(beats, key=lambda b: b[:2]):
            event = WorkerEvent(
                worker=WorkerName(f"celery@{worker.name}"),
                online=True,
                pid=pid,
                active=beat.active,
                processed=beat.processed,
            )
            self._hearing.take(event, beat_at)

    def _hello(self, worker: Worker) -> None:
        if not self._deaf() and self._since is not None:
            worker.greeted = (self._number, self._world.clock.elapsed)
            event = WorkerEvent(
                worker=WorkerName(f"celery@{worker.name}"),
                online=True,
                begins=True,
                pid=worker.pid,
                active=0,
                processed=0,
            )
            self._hearing.take(event, self._world.clock.elapsed)

    def _goodbye(self, worker: Worker) -> None:
        if not self._deaf() and self._since is not None and worker.answers:
            event = WorkerEvent(
                worker=WorkerName(f"celery@{worker.name}"),
                online=False,
                pid=worker.pid,
                active=0 if worker.hands_lie else len(worker.running),
                processed=worker.begun,
            )
            self._hearing.take(event, self._world.clock.elapsed)

    def _reached(self, name: WorkerName) -> Worker:
        """Who gets a message to that name: two workers of one name share a mailbox, and take turns."""
        named = self._world.workers.get(name.removeprefix("celery@"), ())
        self._turn += 1
        worker = named[self._turn % len(named)] if named else None
        if self._deaf() or worker is None or not worker.answers:
            raise FactUnavailable(f"{name} does not answer")
        return worker

    def _hands(self, name: WorkerName) -> Hands | Missing:
        try:
            worker = self._reached(name)
        except FactUnavailable as error:
            return Missing(why=str(error))
        at = self._world.clock.elapsed
        if self._world.script.lasts(Fault.ODD_ANSWER, at):
            self._world.odd_told_at = at
            return Hands(active=cast("int", None), reserved=0, scheduled=0)
        if worker.hands_lie:
            return Hands(active=0, reserved=0, scheduled=0)
        return Hands(
            active=len(worker.running), reserved=len(worker.reserved), scheduled=len(worker.scheduled)
        )

    def _order(self, name: WorkerName, what: Callable[[Worker], None]) -> None:
        script, at = self._world.script, self._world.clock.elapsed
        worker = self._reached(name)
        lost = script.strikes(Fault.ORDER_LOST, at)
        if lost and script.dice(Fault.ORDER_LOST).random() < 0.5:
            raise FactUnavailable(f"{name} was not reached")
        what(worker)
        if lost:
            raise FactUnavailable(f"the answer of {name} was lost")
