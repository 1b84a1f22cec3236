"""The broker's numbers: what waits, what is held, how fast it comes and goes. Absent is never zero.

Queues by pool go in, a `Demand` or the reason why there is none comes out. Nothing raised here reaches the loop.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.core.facts import Missing, Unconnected
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.gateways import rabbitmq_counters, rabbitmq_rows
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.management_api import ManagementAPI, NotFound, Unreachable
from autoscaler.gateways.queue_names import QueueNames
from autoscaler.gateways.rabbitmq_counters import Counters, QueueHistory
from autoscaler.meters import Meters
from policies.contract import Demand, QueueDemand
from providers.contract import Finding

_FEW_QUEUES = 20
"""Up to so many exact names are asked one by one; beyond, one listing of the vhost is cheaper for the broker."""
_LOOK_TIMEOUTS = 4
"""A whole look of many calls may last so many time-outs of one call."""
_UNCOUNTED = QueueHistory()
_NO_TIME = Missing(why="no time left on this tick; asked first on the next")

Row = Mapping[str, Any]
Look = Row | Missing | None
"""What was seen of one queue: its row, why there is none, or None for a queue that does not exist."""


class API(Protocol):
    """What is asked of a broker: see `ManagementAPI`."""

    def get(self, *path: str, until: float | None = None, **query: str) -> Any: ...

    def close(self) -> None: ...


class RabbitMQ:
    """One vhost of one broker, through its management API."""

    def __init__(  # noqa: PLR0913 - each is one setting of `[broker]`
        self,
        *,
        management_url: str,
        username: str,
        password: str,
        vhost: str,
        clock: Clock,
        ca_file: str | None = None,
        control_exchange: str = "celery",
        timeout_s: float = 5.0,
        statistics_interval_s: float = 5.0,
        api: API | None = None,
        counted: Meters = meters.NOBODY,
    ) -> None:
        """`api` is asked in place of one over HTTP, where a broker is played."""
        self._api = api or ManagementAPI(
            url=management_url, username=username, password=password, ca_file=ca_file, timeout_s=timeout_s, clock=clock,
            counted=counted,
        )  # fmt: skip
        self._user = username
        self._vhost = vhost
        self._control_exchange = control_exchange
        self._clock = clock
        self._look_s = timeout_s * _LOOK_TIMEOUTS
        self._interval_s = statistics_interval_s
        self._history: dict[str, QueueHistory] = {}
        self._taken: dict[str, QueueDemand | Missing] = {}
        """What the last look said of each queue."""
        self._turns: dict[WorkerName, int] = {}
        self._names: tuple[Mapping[PoolName, tuple[str, ...]], QueueNames] = ({}, QueueNames({}))

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        """Demand of each pool, whose queues are exact names or patterns such as `thumbs.*`."""
        names = self._names_of(queues)
        try:
            found = self._look(names)
        except FactUnavailable as error:
            return dict.fromkeys(queues, Missing(why=str(error)))
        self._history = {name: h for name, h in self._history.items() if name in found}
        most, now = rabbitmq_counters.samples_each(len(found)), self._clock.monotonic()
        of_pools: dict[PoolName, list[QueueDemand | Missing]] = {pool: [] for pool in queues}
        self._taken = {name: self._take(name, found[name], most, now) for name in sorted(found)}
        for name, taken in self._taken.items():
            # A pattern means queues that exist; one that another pool waits for is not among them.
            for pool in names.exact[name] if found[name] is None else names.pools(name):
                of_pools[pool].append(taken)
        return {pool: self._of_pool(queues[pool], of_pool) for pool, of_pool in of_pools.items()}

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]:
        """Messages the broker holds unacknowledged for each worker's connection: the second proof of idleness.

        Returns after about `within_s`, with what was answered by then. Those who waited longest for their turn come
        first, so that everybody is looked at within a few ticks. One caller at a time.
        """
        until = self._clock.monotonic() + within_s
        asked = set(workers)
        self._turns = {worker: turn for worker, turn in self._turns.items() if worker in asked}
        held: dict[WorkerName, int | Missing] = dict.fromkeys(asked, _NO_TIME)
        latest = max(self._turns.values(), default=0)
        in_turn = sorted(asked, key=lambda worker: (self._turns.get(worker, 0), worker))
        for position, worker in enumerate(in_turn):
            try:
                held[worker] = self._held_for(worker, until)
            except Unreachable as error:
                if position and self._clock.monotonic() >= until:
                    # The others took its time: it begins the next look. One that had all the time goes to the back.
                    break
                self._turns[worker] = latest + position + 1
                held[worker] = Missing(why=str(error))
                if self._clock.monotonic() < until:
                    # Nobody waits once for each worker on a broker that is down.
                    held |= dict.fromkeys(in_turn[position:], Missing(why=str(error)))
                break
            except FactUnavailable as error:
                held[worker] = Missing(why=str(error))
            self._turns[worker] = latest + position + 1
        return held

    def check(self) -> tuple[Finding, ...]:
        """Whether this broker can be watched; changes nothing."""
        until = self._clock.monotonic() + self._look_s
        try:
            overview = rabbitmq_rows.as_object(self._api.get("overview", until=until), "its overview")
            tags = rabbitmq_rows.as_object(self._api.get("whoami", until=until), "who we are").get("tags")
        except FactUnavailable as error:
            return (Finding(subject="management API", ok=False, says=str(error)),)
        # A list of words since RabbitMQ 3.9, words with commas between them before.
        words = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
        may_look = "monitoring" in words or "administrator" in words
        rates, off = overview.get("rates_mode"), overview.get("disable_stats") is True
        return (
            Finding(
                subject="management API", ok=True, says=f"RabbitMQ {str(overview.get('rabbitmq_version', '?'))[:40]}"
            ),
            Finding(
                subject="right to look",
                ok=may_look,
                says=f"the user {self._user!r} has the tag `monitoring`"
                if may_look
                else f"the user {self._user!r} needs the tag `monitoring`; workers' connections are hidden",
            ),
            self._check_vhost(until),
            Finding(
                subject="statistics",
                ok=rates != "none" and not off,
                says="disable_stats is on: there is nothing to see" if off else f"rates_mode is {str(rates)[:40]}",
            ),
        )  # fmt: skip

    def close(self) -> None:
        """End the session."""
        self._api.close()

    def _check_vhost(self, until: float) -> Finding:
        try:
            self._require_vhost(until)
        except FactUnavailable as error:
            return Finding(subject="vhost", ok=False, says=str(error))
        return Finding(subject="vhost", ok=True, says=repr(self._vhost))

    def _look(self, names: QueueNames) -> dict[str, Look]:
        """What the broker says of every queue that matters. Raises FactUnavailable where nothing could be seen."""
        until = self._clock.monotonic() + self._look_s
        if len(names.exact) <= _FEW_QUEUES and not names.has_patterns:
            return self._ask_each(sorted(names.exact), until)
        unseen: dict[str, Look] = dict.fromkeys(names.exact)
        return unseen | self._listed(names, until)

    def _ask_each(self, names: Iterable[str], until: float) -> dict[str, Look]:
        found: dict[str, Look] = {}
        for name in names:
            try:
                row = self._api.get("queues", self._vhost, name, until=until, columns=rabbitmq_rows.COLUMNS)
                found[name] = rabbitmq_rows.named(row, name)
            except NotFound:
                found[name] = None
            except Unreachable:
                raise
            except FactUnavailable as error:
                found[name] = Missing(why=str(error))
        absent = [name for name, row in found.items() if row is None]
        if absent:
            found |= {name: _unseen(name) for name in self._shown(absent, until)}
        return found

    def _shown(self, names: Collection[str], until: float) -> Collection[str]:
        """Which of these the vhost lists, although they are not there when they are asked for by name: so it is with
        those that are on a node of the cluster that is down. An absent vhost answers as an absent queue does."""
        only = "|".join(map(re.escape, sorted(names)))
        of = {"page": "1", "page_size": str(_FEW_QUEUES), "name": f"^({only})$", "use_regex": "true"}
        try:
            page = self._api.get("queues", self._vhost, until=until, columns="name", **of)
        except NotFound as error:
            raise FactUnavailable(f"the broker has no vhost {self._vhost!r}") from error
        rows = rabbitmq_rows.as_object(page, "a page of queues").get("items")
        if not isinstance(rows, list):
            raise FactUnavailable("the broker answered a page of queues with something that is none")
        listed = {rabbitmq_rows.name_of(rabbitmq_rows.as_object(row, "a queue")) for row in rows}
        return listed & set(names)

    def _require_vhost(self, until: float) -> None:
        """An absent vhost answers as an absent queue does. Only administrators may ask for the vhost itself."""
        try:
            self._api.get("queues", self._vhost, until=until, page="1", page_size="1", columns="name")
        except NotFound as error:
            raise FactUnavailable(f"the broker has no vhost {self._vhost!r}") from error

    def _listed(self, names: QueueNames, until: float) -> dict[str, Row]:
        """The queues that matter, from one listing of the vhost. Raises FactUnavailable.

        All in one answer: for each page a broker would go through all its queues again, and between two pages a queue
        that went would let another slip.
        """
        try:
            rows = self._api.get("queues", self._vhost, until=until, columns=rabbitmq_rows.COLUMNS)
        except NotFound as error:
            raise FactUnavailable(f"the broker has no vhost {self._vhost!r}") from error
        if not isinstance(rows, list):
            raise FactUnavailable(
                "the broker answered the queues of a vhost with something that is not a list"
            )
        found: dict[str, Row] = {}
        for each in rows:
            row = rabbitmq_rows.as_object(each, "a queue")
            name = rabbitmq_rows.name_of(row)
            if any(names.pools(name)):
                found[name] = row
        return found

    def _take(self, name: str, row: Look, most: int, now: float) -> QueueDemand | Missing:
        if isinstance(row, Missing):
            return row
        if row is None:
            # All that will ever be counted of it is published after now.
            self._history[name] = QueueHistory(interval_s=self._interval_s, most=most)
            self._history[name].take(Counters(at=now, published=0, completed=0))
            return QueueDemand(name=name, backlog=0, in_progress=0, consumers=0, missing=True)
        before = self._taken.get(name)
        try:
            taken = rabbitmq_rows.queue_demand(row, name, before if isinstance(before, QueueDemand) else None)
            counters = rabbitmq_rows.counters(row, name, now)
        except FactUnavailable as error:
            return Missing(why=str(error))
        history = self._history.get(name)
        if history is None:
            history = self._history[name] = QueueHistory(interval_s=self._interval_s)
        history.fifo, history.most = rabbitmq_rows.is_fifo(row), most
        history.step = None
        if counters is not None:
            history.take(counters)
        elif not history.is_at_its_beginning:
            # The broker forgot its counters, or cannot see them now: they are not compared with what comes next.
            del self._history[name]
        return taken

    def _names_of(self, queues: Mapping[PoolName, tuple[str, ...]]) -> QueueNames:
        """The same until others are asked for: of a thousand pools it takes a while to be made."""
        before, names = self._names
        if before != queues:
            names = QueueNames(queues)
            self._names = dict(queues), names
        return names

    def _of_pool(self, names: tuple[str, ...], taken: Iterable[QueueDemand | Missing]) -> Demand | Missing:
        queues: list[QueueDemand] = []
        for queue in taken:
            if isinstance(queue, Missing):
                return queue
            queues.append(queue)
        there = [(self._history.get(q.name, _UNCOUNTED), q) for q in queues if not q.missing]
        warnings = [f"queue {q.name!r} does not exist yet" for q in queues if q.missing]
        if not queues:
            warnings.append(f"no queue matches {', '.join(names)}")
        arrivals, completions = rabbitmq_counters.together([history.rates_per_s() for history, _ in there])
        return Demand(
            backlog=sum([q.backlog for q in queues]),
            in_progress=sum([q.in_progress for q in queues]),
            arrivals_per_s=arrivals,
            completions_per_s=completions,
            wait_s=rabbitmq_counters.longest([history.wait_s(q.backlog) for history, q in there]),
            measured_at=self._clock.now(),
            queues=tuple(queues),
            warnings=tuple(warnings),
            flow=rabbitmq_counters.flow_of([history.step for history, _ in there]),
        )

    def _held_for(self, worker: WorkerName, until: float) -> int | Missing:
        """By the worker's own control queue we know its connection, and by the connection its channels.

        Every worker has that queue for as long as it is connected.
        """
        mailbox = f"{worker}.{self._control_exchange}.pidbox"
        wanted = "name,consumer_details,owner_pid_details"
        try:
            row = self._api.get("queues", self._vhost, mailbox, until=until, columns=wanted)
        except NotFound:
            self._require_vhost(until)
            return Unconnected(why=f"the broker knows no connection of {worker}")
        row = rabbitmq_rows.named(row, mailbox)
        connection = rabbitmq_rows.connection_of(row, worker)
        try:
            channels = self._api.get("connections", connection, "channels", until=until)
        except NotFound as error:
            raise FactUnavailable(f"the connection of {worker} has just ended") from error
        if not isinstance(channels, list) or len(channels) < 2:
            # Green pools keep the mailbox on a connection of its own, which says nothing about their tasks.
            raise FactUnavailable(f"the connection of {worker} has no channel for tasks: it proves nothing")
        rows = [rabbitmq_rows.as_object(channel, "a channel") for channel in channels]
        return sum(rabbitmq_rows.count(row, "messages_unacknowledged", worker) for row in rows)


def _unseen(name: str) -> Missing:
    return Missing(
        why=f"the broker lists the queue {name!r} and cannot show it: its node is down, or it was made just now"
    )
