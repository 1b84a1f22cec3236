"""KEDA by value: the metrics of its RabbitMQ scaler, the loop around zero, and both with the HPA on a queue."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autoscaler.study.peers import PEERS, VARIANTS, keda
from autoscaler.study.peers.keda import Counters, Keda, Loop, Mode, Reading, Scaled, Trigger
from tests.unit.study.looks import TERMS, a_look, walked

TIME: Mode = "ExpectedQueueConsumptionTime"
RATIO: Mode = "PublishedToDeliveredRatio"
AWAKE = Scaled(replicas=50, created_s=0, last_active_s=1000)


def read(
    mode: Mode, messages: int = 0, published: float = 0, delivered: float = 0, activation: float = 0
) -> Reading:
    """The trigger's reading of these figures."""
    seen = Counters(messages=messages, published_per_s=published, delivered_per_s=delivered)
    return keda.MODES[mode](seen, activation)


@pytest.mark.parametrize(
    ("mode", "messages", "published", "delivered", "metric"),
    [
        (TIME, 120, 12, 8, 15.5),
        (TIME, 120, 4, 8, 14.5),
        (TIME, 120, 12, 0, 0),
        ("MessageRate", 10, 0, 0, 0),
        (RATIO, 10, 6, 4, 1.5),
        (RATIO, 10, 5, 0, 0),
        ("QueueLength", 10, 5, 0, 10),
        ("DeliverGetRate", 10, 5, 3, 3),
    ],
)
def test_the_scaler_s_metric_in_each_mode(
    mode: Mode, messages: int, published: float, delivered: float, metric: float
) -> None:
    """The scaler's formulas, to the number; the trigger is active in all these cases."""
    reading = read(mode, messages, published, delivered)

    assert reading.active
    assert metric == pytest.approx(reading.metric)


@pytest.mark.parametrize("mode", [TIME, RATIO])
def test_dead_consumers_with_a_backlog_look_like_no_load(mode: Mode) -> None:
    """Nobody delivers, so the metric is the activation value, 0: active, and the HPA sees nothing to do."""
    assert Reading(metric=0, active=True) == read(mode, 10_000, 5, 0)
    assert Reading(metric=7, active=True) == read(mode, 10_000, 5, 0, activation=7)


def test_a_backlog_wakes_the_time_mode_while_nobody_delivers() -> None:
    """From 0 to 1 works, and there it stays until the first machine delivers."""
    trigger = Trigger(value=120, mode=TIME, metric_type="Value")
    peer = Keda(name="keda time", trigger=trigger, loop=Loop())

    assert [1] * 40 == walked(peer, [10_000] * 40)


@pytest.mark.parametrize(
    ("mode", "active"), [("QueueLength", False), ("MessageRate", False), ("DeliverGetRate", False)]
)
def test_the_activation_value_must_be_passed_strictly(mode: Mode, active: bool) -> None:
    """At the value it is not active yet."""
    assert active is read(mode, 5, 5, 5, activation=5).active
    assert read(mode, 6, 6, 6, activation=5).active


def test_an_empty_queue_takes_no_time() -> None:
    """Whatever the rates: 0 and inactive."""
    assert Reading(metric=0, active=False) == read(TIME, 0, 5, 3)


@pytest.mark.parametrize(
    ("metric", "kept"), [(math.nan, 0), (math.inf, 0), (-1.5, 0), (1.2345, 1.234), (0.29, 0.29), (7, 7)]
)
def test_a_metric_is_stored_in_whole_thousandths_and_nonsense_as_zero(metric: float, kept: float) -> None:
    """What follows is cut off; an outage of the statistics must not become a number of machines."""
    assert kept == pytest.approx(keda.stored(metric), abs=1e-12)


@pytest.mark.parametrize(("least", "replicas"), [(0, 1), (3, 3)])
def test_an_active_trigger_wakes_at_once_to_the_least_number_and_to_one_at_least(
    least: int, replicas: int
) -> None:
    """The HPA does the rest."""
    after = keda.poll(Scaled(replicas=0, created_s=0), Loop(least=least), active=True, now_s=30)

    assert Scaled(replicas=replicas, created_s=0, last_active_s=30) == after


def test_an_active_trigger_leaves_a_running_number_to_the_hpa() -> None:
    """It only remembers the time."""
    assert replace(AWAKE, last_active_s=1030) == keda.poll(AWAKE, Loop(), active=True, now_s=1030)


@pytest.mark.parametrize(("now_s", "replicas"), [(1300, 50), (1301, 0)])
def test_after_the_cooldown_all_go_in_one_step_whatever_their_number(now_s: float, replicas: int) -> None:
    """50 to 0, once the trigger was inactive for strictly longer than 300 s."""
    assert replicas == keda.poll(AWAKE, Loop(), active=False, now_s=now_s).replicas


def test_one_that_was_never_active_sleeps_after_the_initial_cooldown() -> None:
    """Which is 0 s unless given, counted from the creation."""
    born = Scaled(replicas=5, created_s=1000)

    assert 0 == keda.poll(born, Loop(), active=False, now_s=1030).replicas
    assert 5 == keda.poll(born, Loop(initial_cooldown_s=60), active=False, now_s=1030).replicas


def test_with_a_least_number_nobody_sleeps_and_fewer_are_raised_to_it() -> None:
    """The cooldown is for the step to zero only."""
    loop = Loop(least=2)

    assert 50 == keda.poll(AWAKE, loop, active=False, now_s=9000).replicas
    assert 2 == keda.poll(replace(AWAKE, replicas=1), loop, active=False, now_s=9000).replicas


def test_an_idle_number_is_where_it_sleeps_and_what_it_wakes_from() -> None:
    """Below the least number, which the HPA does not know of."""
    loop = Loop(least=4, idle=1)

    assert 1 == keda.poll(AWAKE, loop, active=False, now_s=9000).replicas
    assert 4 == keda.poll(replace(AWAKE, replicas=1), loop, active=True, now_s=9000).replicas


def test_activation_beats_scaling() -> None:
    """40 messages at 10 a machine would be four machines; below an activation value of 50 there is none."""
    peer = Keda(name="keda", trigger=Trigger(value=10, activation=50), loop=Loop())

    assert [0] * 30 == walked(peer, [40] * 30)


def test_activation_lets_fifty_machines_go_at_once() -> None:
    """The HPA still holds all 50 for messages that do not pass the activation value; the loop takes them away."""
    peer = Keda(name="keda", trigger=Trigger(value=1, activation=50), loop=Loop())
    numbers = walked(peer, [51] + [50] * 30, serving=50)

    assert 0 == numbers[-1]
    assert {50, 0} == set(numbers) - {51}


def test_a_backlog_without_arrivals_never_gets_a_second_machine_by_message_rate() -> None:
    """Active, but the rate is 0."""
    peer = Keda(name="keda", trigger=Trigger(value=1, mode="MessageRate"), loop=Loop())

    assert [1] * 40 == walked(peer, [10_000] * 40)


def test_plain_keda_wakes_and_doubles_to_two_messages_a_slot() -> None:
    """100 messages at 4 a machine are 25: the HPA without a behaviour block goes to 4 and doubles."""
    assert [4, 8, 16, 25, 25] == walked(PEERS["keda"](TERMS), [100] * 5)


def test_keda_wakes_on_its_own_poll_only() -> None:
    """A message that comes after a poll waits for the next one, 30 s later."""
    assert [0, 0, 1, 1] == walked(PEERS["keda"](TERMS), [0, 1, 1, 1])


def test_plain_keda_goes_to_one_by_the_hpa_and_to_zero_by_its_own_cooldown() -> None:
    """Empty from 15 s on: the HPA's window ends after 300 s, KEDA's cooldown at the poll after 300 s."""
    numbers = walked(PEERS["keda"](TERMS), [40] + [0] * 23, serving=10)

    assert [10] * 21 + [1, 0, 0] == numbers


def test_keda_keeps_to_the_terms_limits() -> None:
    """They are the ScaledObject's least and most."""
    terms = replace(TERMS, min_workers=2, max_workers=7)

    assert 7 == walked(PEERS["keda"](terms), [1000] * 5)[-1]
    assert 2 == walked(PEERS["keda"](terms), [0] * 60, serving=5)[-1]


def test_over_amqp_only_ready_messages_count() -> None:
    """A passive declare tells no others: machines whose workers hold everything look idle."""
    looks = [a_look(at, 0, 1, in_progress=4) for at in (0.0, 15.0, 30.0)]
    both, ready = PEERS["keda"](TERMS), VARIANTS["keda ready-only"](TERMS)

    assert ([1, 1, 1], 0) == (
        [both.wanted(look) for look in looks],
        [ready.wanted(look) for look in looks][-1],
    )


def test_rates_are_counted_between_two_looks_and_a_redelivery_is_no_negative_delivery() -> None:
    """A task is delivered once it is done or in progress; the first look has no rates."""
    rates = keda.Rates()
    looks = [
        a_look(0, 5, arrived=5),
        a_look(10, 5, arrived=25, in_progress=4, done=16),
        a_look(20, 9, arrived=25, in_progress=0, done=16),
    ]
    seen = [rates.counters(look, ready_only=False) for look in looks]

    assert [(0, 0), (2, 2), (0, 0)] == [(one.published_per_s, one.delivered_per_s) for one in seen]
    assert [5, 9, 9] == [one.messages for one in seen]
