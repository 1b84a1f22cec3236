"""Carrying out a plan: bounded calls on threads of each account, each with a deadline, one in flight a node.

Nothing is chosen here. Every call ends in exactly one `Outcome`, which waits in the mailbox until a commit has taken it
in; only the loop's thread ever changes state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.core import actions
from autoscaler.core.facts import CallKind, Outcome, OutcomeKind
from autoscaler.core.model import (
    Action,
    CreateNode,
    DestroyNode,
    DrainNode,
    StopWorker,
    UndrainNode,
    WorkerName,
)
from autoscaler.gateways import contract as gateways
from autoscaler.meters import Meters
from providers.contract import (
    CapacityRefused,
    Instance,
    InstanceAbsent,
    InstanceSpec,
    MayAct,
    NodeName,
    NotSent,
    Provider,
    ProviderError,
    ProviderName,
    QuotaRefused,
    RequestRejected,
    Throttled,
    always,
)

CONTROL_TIMEOUT_S = 5.0
"""For one order to a worker; a healthy one answers in milliseconds."""
_ABANDON_FACTOR = 3.0
"""A call that ignores its own time-out this often over is given up, so that its node can be dealt with again."""


class WorkerControl(Protocol):
    """What is asked of workers. Each raises `FactUnavailable` when it could not be confirmed; its `NotSent`,
    when we may give no orders any more and nothing went out."""

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None: ...

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None: ...

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None: ...


Render = Callable[[CreateNode], InstanceSpec]
"""Makes the whole order for a machine, user data included, and what the machine needs besides.

Raises `ValueError` (`UserDataTooLarge` is one) where the order is wrong, the gateways' `FactUnavailable` or `NotSent`
where what it needs could not be made. Called on the thread that sends the order, with time-outs of its own."""

WhyNotThere = Callable[[ProviderName, InstanceSpec], str]
"""Why no machine of that order may stand where it asks for; empty where one may."""


def anywhere(_provider: ProviderName, _order: InstanceSpec) -> str:
    """For those to whom it does not matter where machines stand."""
    return ""


_CALLS: Mapping[type, CallKind] = {
    CreateNode: CallKind.CREATE,
    DrainNode: CallKind.DRAIN,
    UndrainNode: CallKind.UNDRAIN,
    StopWorker: CallKind.STOP,
    DestroyNode: CallKind.DESTROY,
}
_KINDS: Mapping[type[BaseException], OutcomeKind] = {
    InstanceAbsent: OutcomeKind.ABSENT,
    QuotaRefused: OutcomeKind.QUOTA_REFUSED,  # the narrower one first
    CapacityRefused: OutcomeKind.CAPACITY_REFUSED,
    RequestRejected: OutcomeKind.REJECTED,
    Throttled: OutcomeKind.THROTTLED,
    NotSent: OutcomeKind.NOT_SENT,
    gateways.NotSent: OutcomeKind.NOT_SENT,
    gateways.FactUnavailable: OutcomeKind.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """All by which an action reaches the world."""

    providers: Mapping[ProviderName, Provider]
    workers: WorkerControl
    render: Render
    why_not_there: WhyNotThere = anywhere
    """Why an order, as it was written, may not go to that account; empty where it may. Asked right before it goes."""
    may_act: MayAct = always
    """Asked before each call begins, on the thread that sends it; after a no, nothing is sent. A call of several steps
    asks the same again before each of them, by itself: those who send were opened with it."""


def carry_out(action: Action, ways: Ways, clock: Clock) -> Outcome:
    """Do this one thing, and say how it ended. Never raises: whatever goes wrong, its node gets one outcome."""

    def ended(kind: OutcomeKind, says: str = "", **more: Any) -> Outcome:
        call = _CALLS[type(action)]
        return Outcome(node=action.node, call=call, kind=kind, at=clock.now(), says=says[:500], **more)

    try:
        order = ways.render(action) if isinstance(action, CreateNode) else None
    except gateways.NotSent as error:
        return ended(OutcomeKind.NOT_SENT, str(error))
    except gateways.FactUnavailable as error:
        # What it needs besides could not be made. The order is right, and may go out another time.
        return ended(OutcomeKind.UNPREPARED, str(error))
    except ValueError as error:  # nothing was sent yet, so this no is definite
        return ended(OutcomeKind.REJECTED, str(error))
    except Exception as error:  # noqa: BLE001 - around one action; as definite, but the message may hold anything
        return ended(OutcomeKind.REJECTED, f"the order could not be written: {type(error).__name__}")
    if isinstance(action, CreateNode) and order is not None:
        # The plan chose no such offer; but what was chosen, and what was made of it, are two things.
        why = ways.why_not_there(action.offer.provider, order)
        if why:
            return ended(OutcomeKind.REJECTED, f"not sent: {why}")
    if not ways.may_act():
        # Not a refusal: the node's record waits for its own expiry, whoever leads then.
        return ended(OutcomeKind.NOT_SENT, "not sent: the lease is not surely ours")
    try:
        return ended(OutcomeKind.DONE, instance=_call(action, order, ways))
    except Exception as error:  # noqa: BLE001 - around one action: whatever it does, its node gets one outcome
        kind = next((k for t, k in _KINDS.items() if isinstance(error, t)), None)
        # A stranger's message may hold anything, the user data included; its type is enough.
        says = str(error) if kind or isinstance(error, ProviderError) else type(error).__name__
        retry_after_s = error.retry_after_s if isinstance(error, Throttled) else None
        return ended(kind or OutcomeKind.UNKNOWN, says, retry_after_s=retry_after_s)


def timeout_s(action: Action) -> float:
    """How long its call may take."""
    return action.timeout_s if isinstance(action, CreateNode | DestroyNode) else CONTROL_TIMEOUT_S


def _call(action: Action, order: InstanceSpec | None, ways: Ways) -> Instance | None:
    match action:
        case CreateNode():
            assert order is not None
            return _provider(ways, action.offer.provider).create(order, timeout_s=action.timeout_s)
        case DestroyNode():
            provider = _provider(ways, action.provider)
            provider.destroy(action.machine, action.instance_id, timeout_s=action.timeout_s)
        case DrainNode():
            ways.workers.cancel_consumers(action.worker, action.queues, CONTROL_TIMEOUT_S)
        case UndrainNode():
            ways.workers.add_consumers(action.worker, action.queues, CONTROL_TIMEOUT_S)
        case StopWorker():
            ways.workers.stop_worker(action.worker, CONTROL_TIMEOUT_S)
    return None


def _provider(ways: Ways, name: ProviderName) -> Provider:
    if name not in ways.providers:
        raise RequestRejected(f"the provider {name} is not configured any more: nothing can be asked of it")
    return ways.providers[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    action: Action
    deadline: float


class Executor:
    """Calls under way, and the mailbox of those that ended."""

    def __init__(
        self,
        *,
        providers: Mapping[ProviderName, Provider],
        workers: WorkerControl,
        render: Render,
        clock: Clock,
        max_calls: int,
        may_act: MayAct = always,
        why_not_there: WhyNotThere = anywhere,
        counted: Meters = meters.NOBODY,
    ) -> None:
        self._ways = Ways(
            providers=providers,
            workers=workers,
            render=render,
            may_act=may_act,
            why_not_there=why_not_there,
        )
        self._clock = clock
        self._meters = counted
        # Threads of its own for each account, and for the workers: one that hangs holds up none of the others. They
        # begin as they are needed.
        self._pools = {
            lane: ThreadPoolExecutor(max_workers=max_calls, thread_name_prefix=f"call {lane or 'workers'}")
            for lane in (*providers, None)
        }
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._under_way: dict[NodeName, _Call] = {}
        self._mailbox: list[Outcome] = []

    def dispatch(self, chosen: tuple[Action, ...]) -> None:
        """Start every action. The caller has made sure that none of their nodes has a call in flight."""
        for action in chosen:
            call = _Call(
                action=action, deadline=self._clock.monotonic() + _ABANDON_FACTOR * timeout_s(action)
            )
            with self._lock:
                if action.node in self._under_way:
                    raise AssertionError(f"{action.node} has a call in flight already")
                self._under_way[action.node] = call
            # One that is not configured any more is answered without a call.
            self._pools.get(actions.lane(action), self._pools[None]).submit(self._run, call)

    def in_flight(self) -> frozenset[NodeName]:
        """Nodes whose call has not ended. One that ran far over its deadline is given up as unknown."""
        now = self._clock.monotonic()
        with self._lock:
            for node, call in list(self._under_way.items()):
                if now > call.deadline:
                    del self._under_way[node]
                    self._mailbox.append(
                        Outcome(
                            node=node,
                            call=_CALLS[type(call.action)],
                            kind=OutcomeKind.UNKNOWN,
                            at=self._clock.now(),
                            says="no answer long after its deadline",
                        )
                    )
            return frozenset(self._under_way)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Answers not yet taken in. They stay until `forget`, so a failed commit loses none."""
        with self._lock:
            return tuple(self._mailbox)

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        """These were committed."""
        taken = set(map(id, outcomes))
        with self._lock:
            self._mailbox = [o for o in self._mailbox if id(o) not in taken]

    def stop(self, grace_s: float) -> frozenset[NodeName]:
        """Take no more; wait so long for calls under way. Returns the nodes whose calls are left to the journal."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=False)
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, timeout=grace_s)
            return frozenset(self._under_way)

    def _run(self, call: _Call) -> None:
        with self._lock:
            # Given up while it waited for a thread: begun now, a create would make a machine of a record long ended.
            if self._under_way.get(call.action.node) is not call:
                return
        outcome = self._carry_out(call)
        with self._ended:
            # A call that was given up has been answered for already; its late word is settled by looking.
            if self._under_way.get(call.action.node) is call:
                del self._under_way[call.action.node]
                self._mailbox.append(outcome)
            self._ended.notify_all()

    def _carry_out(self, call: _Call) -> Outcome:
        lane, kind = actions.lane(call.action), _CALLS[type(call.action)].value
        meter, labels = (meters.PROVIDER_CALL, (lane, kind)) if lane else (meters.WORKER_CALL, (kind,))
        with self._meters.timed(meter, *labels) as timing:
            outcome = carry_out(call.action, self._ways, self._clock)
            timing.outcome = outcome.kind.value
        return outcome
