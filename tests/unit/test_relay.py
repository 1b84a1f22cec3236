"""Calls under way while the executor is replaced: still under way, answered once, and let go of in the end."""

from __future__ import annotations

from autoscaler.execute import Executor
from autoscaler.relay import Relay
from providers.contract import NodeName
from tests.unit.stand_ins import FixedClock, Gate, Scripted, ScriptedWorkers, wait_for
from tests.unit.test_execute import a_destroy, rendered

CLOUD = a_destroy().provider


def an_executor(provider: Scripted) -> Executor:
    return Executor(
        providers={CLOUD: provider},
        workers=ScriptedWorkers(),
        render=rendered,
        clock=FixedClock(),
        max_calls=4,
    )


def test_a_call_of_the_one_before_is_under_way_until_its_answer_was_taken_in() -> None:
    """Its node gets no second call meanwhile, and its parts are open as long as it needs them."""
    gate, let_go = Gate(), list[str]()
    relay = Relay(an_executor(Scripted(destroy=gate)))
    relay.dispatch((a_destroy("n1"),))
    assert gate.reached.wait(10)
    relay.succeed(an_executor(Scripted()), let_go=lambda: let_go.append("before"))
    relay.dispatch((a_destroy("n2"),))
    wait_for(lambda: [o.node for o in relay.outcomes()] == ["n2"], "the new one's answer")
    relay.forget(relay.outcomes())
    while_under_way = (relay.in_flight(), tuple(let_go))
    gate.open()
    wait_for(relay.outcomes, "the old one's answer")
    untold = tuple(let_go)
    relay.forget(relay.outcomes())

    assert (frozenset({NodeName("n1")}), ()) == while_under_way
    assert () == untold
    assert ["before"] == let_go
    assert (frozenset(), ()) == (relay.in_flight(), relay.outcomes())
    assert frozenset() == relay.stop(10.0)


def test_several_replaced_one_after_another_are_all_waited_for() -> None:
    """Whoever reloads twice in a minute loses no call of the first."""
    gates, let_go = [Gate(), Gate()], list[int]()
    relay = Relay(an_executor(Scripted(destroy=gates[0])))
    relay.dispatch((a_destroy("n0"),))
    relay.succeed(an_executor(Scripted(destroy=gates[1])), let_go=lambda: let_go.append(0))
    relay.dispatch((a_destroy("n1"),))
    relay.succeed(an_executor(Scripted()), let_go=lambda: let_go.append(1))
    under_way = relay.in_flight()
    for gate in gates:
        gate.open()
    wait_for(lambda: len(relay.outcomes()) == 2, "both answers")
    relay.forget(relay.outcomes())

    assert {"n0", "n1"} == under_way
    assert [0, 1] == let_go


def test_the_end_tells_what_is_left_of_every_one_of_them() -> None:
    """What they were doing is settled by looking, by the next daemon."""
    gate = Gate()
    relay = Relay(an_executor(Scripted(destroy=gate)))
    relay.dispatch((a_destroy("n1"),))
    assert gate.reached.wait(10)
    relay.succeed(an_executor(Scripted()), let_go=lambda: None)
    left = relay.stop(0.05)
    gate.open()

    assert {"n1"} == left
