"""The soak can fail: each rule of the daemon, broken as an honest programmer might, does harm that is noticed."""

from __future__ import annotations

import pytest

from autoscaler.core import node_facts, reconcile
from autoscaler.loop import Loop
from autoscaler.simulate import sabotage
from autoscaler.simulate.contract import Scenario, Verdict
from autoscaler.simulate.run import play
from autoscaler.simulate.soak import SABOTAGE_SEEDS
from policies import stabilize

SEEDS = SABOTAGE_SEEDS
"""Nearly all are noticed within ten lives."""
BY_FAILED_TICKS = {
    "lets_one_bad_node_stop_the_tick",
    "ignores_the_lease",
    "sends_without_the_lease",
    "takes_figures_for_granted",
    "decides_without_asking_whether_demand_was_seen",
    "orders_with_a_wrong_argument",
}
"""What these do is just that: a tick is lost, or made or sent by a daemon that must not, or an exception of our own is
taken for bad luck and lived with."""

RARE = {
    "believes_a_machine_that_says_it_failed": 23,
    "bills_a_machine_in_the_month_of_its_order": 205,
    "leaves_strangers_out_of_the_ceiling": 53,
    "stops_buying_and_lets_them_run": 60,
    "forgets_what_is_gone": 60,
    "knows_a_worker_by_its_pid": 191,
    "ends_silent_strangers_without_a_word": 151,
    "trusts_the_worker_alone": 26,
    "trusts_the_broker_alone": 45,
}
"""The first life that is lived here: few before it notice, or none. `autoscaler soak --sabotage all` lives them all."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sabotage.SABOTAGES)
def test_a_broken_rule_is_noticed(name: str) -> None:
    """By what it does to machines, money or tasks, and not by an error of the sabotage's own."""
    lives = (sabotaged(seed, name) for seed in range(RARE.get(name, 0), SEEDS))
    verdict = next(life for life in lives if life.counts.harm)

    assert bool(verdict.counts.failed_ticks) == (name in BY_FAILED_TICKS), verdict.harm


@pytest.mark.timeout(300)
def test_a_task_that_went_with_a_machine_which_we_ended_is_lost() -> None:
    """What was acknowledged early does not come back; it is counted beside the machine."""
    name = "trusts_the_broker_alone"
    lives = (sabotaged(seed, name) for seed in range(RARE[name], SEEDS))

    assert any(life.counts.tasks_lost and life.counts.busy_kills for life in lives)


def sabotaged(seed: int, name: str) -> Verdict:
    with sabotage.applied(name):
        return play(Scenario(seed=seed))


@pytest.mark.parametrize("name", sabotage.SABOTAGES)
def test_a_rule_is_whole_again_after_its_life(name: str) -> None:
    """Whatever was exchanged is put back, so that the next life is lived with the real code."""
    before = [dict(vars(place)) for place in (reconcile, node_facts, Loop, stabilize)]
    with sabotage.applied(name):
        pass

    assert before == [dict(vars(place)) for place in (reconcile, node_facts, Loop, stabilize)]


def test_a_rule_that_nobody_knows_cannot_be_broken() -> None:
    """A sabotage that does nothing would look like a check that sees nothing."""
    with pytest.raises(KeyError), sabotage.applied("gremlins"):
        pass
