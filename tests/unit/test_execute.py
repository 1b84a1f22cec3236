"""Carrying out: every call gets exactly one outcome, whatever it does, and none is begun that was given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

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
from autoscaler.execute import Executor, always
from autoscaler.gateways import contract as gateways
from autoscaler.gateways.contract import FactUnavailable
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    NotSent,
    OutcomeUnknown,
    ProviderName,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from tests.unit.core.builders import CLOUD, OFFER, POOL, an_instance
from tests.unit.stand_ins import FixedClock, Gate, Scripted, ScriptedWorkers, raising, wait_for

WORKER = WorkerName("celery@n1")
KIND = OutcomeKind


def a_create(name: str = "n1") -> CreateNode:
    return CreateNode(node=NodeName(name), pool=POOL, offer=OFFER, timeout_s=10.0)


def a_destroy(name: str = "n1", provider: ProviderName = CLOUD) -> DestroyNode:
    return DestroyNode(
        node=NodeName(name), machine=NodeName(name), provider=provider, instance_id=None, timeout_s=10.0
    )


def a_drain(name: str = "n1") -> DrainNode:
    return DrainNode(node=NodeName(name), worker=WORKER, queues=("images",))


def rendered(action: CreateNode) -> InstanceSpec:
    return InstanceSpec(
        name=action.node,
        fleet="shop",
        pool=action.pool,
        size="s",
        image="debian",
        location="osl",
        user_data=b"secret",
    )


@contextmanager
def executor(
    provider: Scripted | None = None,
    *,
    workers: ScriptedWorkers | None = None,
    render: Callable[[CreateNode], InstanceSpec] = rendered,
    clock: FixedClock | None = None,
    threads: int = 4,
    may_act: Callable[[], bool] = always,
) -> Iterator[Executor]:
    made = Executor(
        providers={CLOUD: provider or Scripted()},
        workers=workers or ScriptedWorkers(),
        render=render,
        clock=clock or FixedClock(),
        max_calls=threads,
        may_act=may_act,
    )
    try:
        yield made
    finally:
        made.stop(grace_s=10.0)


def outcome_of(action: Action, *args: Any, **fields: Any) -> Outcome:
    with executor(*args, **fields) as calls:
        calls.dispatch((action,))
        wait_for(calls.outcomes, "an outcome")
        assert calls.in_flight() == frozenset()
        (outcome,) = calls.outcomes()
        return outcome


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InstanceAbsent("x"), KIND.ABSENT),
        (CapacityRefused("x"), KIND.CAPACITY_REFUSED),
        (QuotaRefused("x"), KIND.QUOTA_REFUSED),
        (RequestRejected("x"), KIND.REJECTED),
        (Throttled("x", retry_after_s=7.0), KIND.THROTTLED),
        (OutcomeUnknown("x"), KIND.UNKNOWN),
        (ListingUnavailable("x"), KIND.UNKNOWN),
        (NotSent("x"), KIND.NOT_SENT),
        (FactUnavailable("x"), KIND.UNKNOWN),
        (gateways.NotSent("x"), KIND.NOT_SENT),
        (ValueError("x"), KIND.UNKNOWN),
        (KeyError("x"), KIND.UNKNOWN),
        (TimeoutError("x"), KIND.UNKNOWN),
        (AssertionError("x"), KIND.UNKNOWN),
    ],
    ids=lambda of: type(of).__name__ if isinstance(of, Exception) else of.value,
)
def test_every_error_of_a_call_is_an_outcome(error: Exception, kind: OutcomeKind) -> None:
    """A definite no only where the provider said so; anything else may have been carried out."""
    outcome = outcome_of(a_create(), Scripted(create=raising(error)))

    assert (CallKind.CREATE, kind) == (outcome.call, outcome.kind)
    assert outcome.retry_after_s == (7.0 if kind is KIND.THROTTLED else None)


def test_a_strangers_error_message_is_not_repeated() -> None:
    """It may hold the user data, with its secrets; its type is enough."""
    outcome = outcome_of(a_create(), Scripted(create=raising(RuntimeError("password=hunter2"))))

    assert outcome.says == "RuntimeError"


def test_a_long_message_is_cut() -> None:
    """What providers say is bounded before it is written down."""
    assert len(outcome_of(a_create(), Scripted(create=raising(CapacityRefused("x" * 10_000)))).says) == 500


@pytest.mark.parametrize(
    "error", [ValueError("too large"), KeyError("pool"), RuntimeError("password=hunter2")]
)
def test_an_order_that_cannot_be_written_is_a_definite_no(error: Exception) -> None:
    """Nothing was sent. Only a ValueError is meant to be read; others are named by their type."""
    outcome = outcome_of(a_create(), Scripted(create=raising(AssertionError("sent"))), render=raising(error))

    assert outcome.kind is KIND.REJECTED
    assert "hunter2" not in outcome.says


def test_a_create_tells_the_machine_it_made() -> None:
    """Its id is what later calls go by."""
    outcome = outcome_of(a_create())

    assert (KIND.DONE, an_instance()) == (outcome.kind, outcome.instance)


def test_a_provider_that_is_not_configured_any_more_is_named() -> None:
    """The record stays, and the log says why nothing comes of it."""
    outcome = outcome_of(a_destroy(provider=ProviderName("gone")))

    assert (KIND.REJECTED, True) == (outcome.kind, "gone is not configured" in outcome.says)


@pytest.mark.parametrize(
    ("action", "order", "call"),
    [
        (a_drain(), "cancel", CallKind.DRAIN),
        (UndrainNode(node=NodeName("n1"), worker=WORKER, queues=("images",)), "add", CallKind.UNDRAIN),
        (StopWorker(node=NodeName("n1"), worker=WORKER), "stop", CallKind.STOP),
    ],
)
def test_orders_to_workers_reach_them(action: Action, order: str, call: CallKind) -> None:
    """Each action is one order, and its outcome answers that action."""
    workers = ScriptedWorkers()

    outcome = outcome_of(action, workers=workers)

    assert (call, KIND.DONE, [(order, WORKER)]) == (outcome.call, outcome.kind, workers.orders)


def test_outcomes_stay_until_they_were_committed() -> None:
    """A commit that fails loses none; one that succeeded takes only what it took in."""
    with executor() as calls:
        calls.dispatch((a_destroy("n1"),))
        wait_for(calls.outcomes, "the first outcome")
        taken = calls.outcomes()
        calls.dispatch((a_destroy("n2"),))
        wait_for(lambda: len(calls.outcomes()) == 2, "the second outcome")
        calls.forget(taken)

        assert [o.node for o in calls.outcomes()] == ["n2"]


def test_a_node_with_a_call_under_way_gets_no_second_one() -> None:
    """The plan must never ask for that; if it does, it is a programmer's error."""
    gate = Gate()
    with executor(Scripted(destroy=gate)) as calls:
        calls.dispatch((a_destroy(),))
        try:
            assert calls.in_flight() == {"n1"}
            with pytest.raises(AssertionError, match="in flight"):
                calls.dispatch((a_destroy(),))
        finally:
            gate.open()


def test_a_hanging_call_is_given_up_and_its_late_answer_ignored() -> None:
    """Its node can be dealt with again; what the late call did is settled by looking."""
    gate, clock = Gate(), FixedClock()
    with executor(Scripted(destroy=gate), clock=clock) as calls:
        calls.dispatch((a_destroy(),))
        try:
            clock.lasted += 30.0
            assert calls.in_flight() == {"n1"}
            clock.lasted += 0.1
            assert calls.in_flight() == frozenset()
        finally:
            gate.open()
        wait_for(lambda: gate.passed, "the late end")
        calls.stop(grace_s=10.0)

        assert [o.kind for o in calls.outcomes()] == [KIND.UNKNOWN]


def test_without_a_sure_lease_nothing_is_sent_and_nothing_is_refused() -> None:
    """Another daemon may lead by now: a machine's record waits for its expiry, no offer or account is blamed."""
    sent = raising(AssertionError("sent"))
    for action in (a_create(), a_destroy()):
        outcome = outcome_of(action, Scripted(create=sent, destroy=sent), may_act=lambda: False)

        assert KIND.NOT_SENT == outcome.kind
        assert "not sent" in outcome.says


def test_a_call_that_waited_for_its_turn_asks_for_the_lease_when_it_starts() -> None:
    """It was handed in while the lease was sure; what counts is the instant at which it would go out."""
    gate, made, sure = Gate(), list[str](), [True]

    def create(spec: InstanceSpec, **_: Any) -> Any:
        made.append(spec.name)
        return an_instance()

    with executor(Scripted(destroy=gate, create=create), threads=1, may_act=lambda: sure[0]) as calls:
        calls.dispatch((a_destroy("slow"), a_create("queued")))
        try:
            assert gate.reached.wait(timeout=10)
            sure[0] = False
        finally:
            gate.open()
        wait_for(lambda: len(calls.outcomes()) == 2, "both answers")

    assert [] == made


def test_a_call_given_up_before_it_began_never_begins() -> None:
    """A create begun after its record was given up would make a machine that nobody ordered any more."""
    gate, clock, made = Gate(), FixedClock(), list[str]()

    def create(spec: InstanceSpec, **_: Any) -> Any:
        made.append(spec.name)
        return an_instance()

    with executor(Scripted(destroy=gate, create=create), clock=clock, threads=1) as calls:
        calls.dispatch((a_destroy("hanging"), a_create("queued")))
        try:
            assert gate.reached.wait(timeout=10)
            clock.lasted += 100.0
            assert calls.in_flight() == frozenset()
        finally:
            gate.open()
        calls.dispatch((a_create("next"),))
        wait_for(lambda: made, "the call after it")

    assert made == ["next"]


def test_the_end_waits_for_calls_so_long_and_names_those_it_left() -> None:
    """What they did is found again by looking, after the next start."""
    gate = Gate()
    with executor(Scripted(destroy=gate)) as calls:
        calls.dispatch((a_destroy(),))
        try:
            assert calls.stop(grace_s=0.01) == {"n1"}
        finally:
            gate.open()
        assert calls.stop(grace_s=10.0) == frozenset()


def test_a_hanging_account_holds_up_no_other() -> None:
    """Each account has threads of its own, and the workers too."""
    gate, other = Gate(), ProviderName("other")
    hanging = [a_create(f"n{i}") for i in range(3)]
    elsewhere = replace(a_create("x"), offer=replace(OFFER, provider=other))
    made = Executor(
        providers={CLOUD: Scripted(create=lambda *_, **__: gate() or an_instance()), other: Scripted()},
        workers=ScriptedWorkers(),
        render=rendered,
        clock=FixedClock(),
        max_calls=2,
    )
    try:
        made.dispatch((*hanging, elsewhere, DrainNode(node=NodeName("y"), worker=WORKER, queues=("images",))))
        wait_for(lambda: len(made.outcomes()) == 2, "the other account's answer and the worker's")

        assert {"x", "y"} == {outcome.node for outcome in made.outcomes()}
        assert {"n0", "n1", "n2"} == made.in_flight()
    finally:
        gate.open()
        made.stop(grace_s=10.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FactUnavailable("the broker makes no users"), KIND.UNPREPARED),
        (gateways.NotSent("the lease is not surely ours"), KIND.NOT_SENT),
    ],
    ids=["could not be made", "may not be made"],
)
def test_what_a_machine_needs_besides_comes_before_its_order(error: Exception, kind: OutcomeKind) -> None:
    """Where it cannot be made nothing is ordered, and nobody is to blame but who could not make it."""
    cloud = Scripted(create=raising(AssertionError("it was ordered")))

    outcome = outcome_of(a_create(), cloud, render=raising(error))

    assert (kind, str(error)) == (outcome.kind, outcome.says)
