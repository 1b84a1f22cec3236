"""The broker's numbers: what waits, what is held, how fast it comes and goes. Absent is never zero.

Queues by pool go in, a `Demand` or the reason why there is none comes out. Nothing raised here reaches the loop.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from autoscaler.clock import Clock
from autoscaler.core.facts import Missing
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.management_api import ManagementAPI, NotFound
from autoscaler.gateways.rabbitmq_counters import Counters, QueueHistory, absent, together
from policies.contract import Demand, QueueDemand
from providers.contract import Finding

_FEW_QUEUES = 20
"""Up to so many exact names are asked one by one; beyond, one listing of the vhost is cheaper for the broker."""
_PAGE_SIZE = 500
_MOST_PAGES = 400
_PLAUSIBLE = 10**12
_COLUMNS = (
    "name,messages_ready,messages_unacknowledged,consumers,arguments,"
    "message_stats.publish,message_stats.ack,message_stats.deliver_no_ack"
)
_WILD = frozenset("*?[")


class RabbitMQ:
    """One vhost of one broker, through its management API."""

    def __init__(
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
    ) -> None:
        self._api = ManagementAPI(
            url=management_url,
            username=username,
            password=password,
            ca_file=ca_file,
            timeout_s=timeout_s,
            clock=clock,
        )
        self._vhost = vhost
        self._control_exchange = control_exchange
        self._clock = clock
        self._history: dict[str, QueueHistory] = {}

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        """Demand of each pool, whose queues are exact names or patterns such as `thumbs.*`."""
        patterns = {pattern for of_pool in queues.values() for pattern in of_pool}
        try:
            found = self._look(patterns)
        except FactUnavailable as error:
            return dict.fromkeys(queues, Missing(why=str(error)))
        taken = {name: self._take(name, row) for name, row in found.items()}
        self._history = {name: h for name, h in self._history.items() if name in found}
        return {pool: self._of_pool(of_pool, taken) for pool, of_pool in queues.items()}

    def unacknowledged(self, workers: Iterable[WorkerName]) -> Mapping[WorkerName, int | Missing]:
        """Messages the broker holds unacknowledged for each worker's connection: the second proof of idleness."""
        held: dict[WorkerName, int | Missing] = {}
        for worker in workers:
            try:
                held[worker] = self._unacknowledged(worker)
            except FactUnavailable as error:
                held[worker] = Missing(why=str(error))
        return held

    def check(self) -> tuple[Finding, ...]:
        """Whether this broker can be watched; changes nothing."""
        try:
            overview = self._api.get("overview")
            self._api.get("vhosts", self._vhost)
        except NotFound:
            return (Finding(subject="vhost", ok=False, says=f"there is no vhost {self._vhost!r}"),)
        except FactUnavailable as error:
            return (Finding(subject="management API", ok=False, says=str(error)),)
        says = f"RabbitMQ {overview.get('rabbitmq_version', '?')}" if isinstance(overview, dict) else "?"
        rates = overview.get("rates_mode") if isinstance(overview, dict) else None
        return (
            Finding(subject="management API", ok=True, says=says),
            Finding(subject="vhost", ok=True, says=repr(self._vhost)),
            Finding(subject="statistics", ok=rates != "none", says=f"rates_mode is {rates}"),
        )

    def close(self) -> None:
        """End the session."""
        self._api.close()

    def _look(self, patterns: set[str]) -> dict[str, Mapping[str, Any] | None]:
        """The broker's row of every queue that matters; None for one that does not exist."""
        if len(patterns) <= _FEW_QUEUES and not any(_WILD & set(pattern) for pattern in patterns):
            return {name: self._queue(name) for name in sorted(patterns)}
        rows = self._list()
        found: dict[str, Mapping[str, Any] | None] = {p: None for p in patterns if not _WILD & set(p)}
        return found | {name: row for name, row in rows.items() if _matches(name, patterns)}

    def _queue(self, name: str) -> Mapping[str, Any] | None:
        try:
            row = self._api.get("queues", self._vhost, name, columns=_COLUMNS)
        except NotFound:
            self._require_vhost()
            return None
        return _object(row, f"the queue {name!r}")

    def _require_vhost(self) -> None:
        try:
            self._api.get("vhosts", self._vhost, columns="name")
        except NotFound as error:
            raise FactUnavailable(f"the broker has no vhost {self._vhost!r}") from error

    def _list(self) -> dict[str, Mapping[str, Any]]:
        """All queues of the vhost, page by page. A listing that changes under way is not believed."""
        rows: dict[str, Mapping[str, Any]] = {}
        total: object = None
        for page in range(1, _MOST_PAGES + 1):
            answer = _object(
                self._api.get(
                    "queues", self._vhost, page=str(page), page_size=str(_PAGE_SIZE), columns=_COLUMNS
                ),
                "a page of queues",
            )
            items, pages = answer.get("items"), answer.get("page_count")
            if not isinstance(items, list) or not isinstance(pages, int):
                raise FactUnavailable("the broker answered a page of queues without `items` and `page_count`")
            if total is not None and answer.get("total_count") != total:
                raise FactUnavailable("queues came or went while they were listed; the next tick looks again")
            total = answer.get("total_count")
            for item in items:
                row = _object(item, "a queue")
                rows[str(row.get("name"))] = row
            if page >= pages:
                return rows
        raise FactUnavailable(f"the vhost has more than {_PAGE_SIZE * _MOST_PAGES} queues")

    def _take(self, name: str, row: Mapping[str, Any] | None) -> QueueDemand | Missing:
        if row is None:
            self._history.pop(name, None)
            return QueueDemand(name=name, backlog=0, in_progress=0, consumers=0, missing=True)
        try:
            taken = QueueDemand(
                name=name,
                backlog=_count(row, "messages_ready", name),
                in_progress=_count(row, "messages_unacknowledged", name),
                consumers=_count(row, "consumers", name),
            )
            self._remember(name, row)
        except FactUnavailable as error:
            return Missing(why=str(error))
        return taken

    def _remember(self, name: str, row: Mapping[str, Any]) -> None:
        stats = row.get("message_stats")
        if not isinstance(stats, dict) or not stats:
            self._history.pop(name, None)
            return
        arguments = row.get("arguments")
        fifo = not (isinstance(arguments, dict) and "x-max-priority" in arguments)
        history = self._history.setdefault(name, QueueHistory(fifo=fifo))
        history.take(
            Counters(
                at=self._clock.monotonic(),
                published=_count(stats, "publish", name, default=0),
                completed=_count(stats, "ack", name, default=0)
                + _count(stats, "deliver_no_ack", name, default=0),
            )
        )

    def _of_pool(
        self, patterns: tuple[str, ...], taken: Mapping[str, QueueDemand | Missing]
    ) -> Demand | Missing:
        queues: list[QueueDemand] = []
        for name, queue in sorted(taken.items()):
            if _matches(name, patterns):
                if isinstance(queue, Missing):
                    return queue
                queues.append(queue)
        histories = [(self._history.get(q.name), q) for q in queues if not q.missing]
        none = absent("the broker gives no counters for a queue yet")
        warnings = [f"queue {q.name!r} does not exist yet" for q in queues if q.missing]
        if not queues:
            warnings.append(f"no queue matches {', '.join(patterns)}")
        return Demand(
            backlog=sum(q.backlog for q in queues),
            in_progress=sum(q.in_progress for q in queues),
            arrivals_per_s=together([h.arrivals_per_s() if h else none for h, _ in histories]),
            completions_per_s=together([h.completions_per_s() if h else none for h, _ in histories]),
            wait_s=together([(h or QueueHistory()).wait_s(q.backlog) for h, q in histories], worst=True),
            measured_at=self._clock.now(),
            queues=tuple(queues),
            warnings=tuple(warnings),
        )

    def _unacknowledged(self, worker: WorkerName) -> int:
        """By the worker's own control queue we know its connection, and by the connection its channels."""
        mailbox = f"{worker}.{self._control_exchange}.pidbox"
        try:
            row = _object(self._api.get("queues", self._vhost, mailbox), f"the control queue of {worker}")
            channels = self._api.get("connections", _connection(row, worker), "channels")
        except NotFound as error:
            raise FactUnavailable(f"the broker knows no connection of {worker}") from error
        if not isinstance(channels, list) or len(channels) < 2:
            # Green pools keep the mailbox on a connection of its own, which says nothing about their tasks.
            raise FactUnavailable(f"the connection of {worker} has no channel for tasks: it proves nothing")
        return sum(_count(_object(c, "a channel"), "messages_unacknowledged", worker) for c in channels)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _connection(row: Mapping[str, Any], worker: WorkerName) -> str:
    owner = row.get("owner_pid_details")
    details = [d.get("channel_details") for d in row.get("consumer_details") or [] if isinstance(d, dict)]
    names = [d.get("connection_name") for d in details if isinstance(d, dict)]
    names += [owner.get("name")] if isinstance(owner, dict) else []
    for name in names:
        if isinstance(name, str) and name:
            return name
    raise FactUnavailable(f"the broker does not say which connection {worker} has")


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FactUnavailable(f"the broker answered {what} with something that is not an object")
    return value


def _count(row: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    """A count of messages. Absent is not zero, and neither is nonsense."""
    value = row.get(key, default)
    if value is None:
        raise FactUnavailable(
            f"the broker gives no {key} for {where!r}: statistics are off or not there yet (rates_mode, disable_stats)"
        )
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _PLAUSIBLE:
        raise FactUnavailable(
            f"the broker gives {str(value)[:40]!r} as {key} of {where!r}: not a plausible count"
        )
    return value
