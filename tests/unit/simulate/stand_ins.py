"""Lives that end as a test wants them to, in no time; players in other processes find them here by name."""

from __future__ import annotations

import os
import time

from autoscaler.simulate.contract import EVERY_FAULT, Counts, Fault, Scenario, Verdict
from autoscaler.simulate.players import Watch

STORY = ("5 s: images: no workers: nothing waiting", "10 s: images: 2 workers: 7 waiting")
BAD_SEED = 3


def a_verdict(scenario: Scenario, harm: str = "", *, struck: frozenset[Fault] = frozenset()) -> Verdict:
    """A life of 100 ticks; `harm` is the count that is not zero."""
    told = {harm: 1} if harm else {}
    return Verdict(
        scenario=scenario,
        counts=Counts(seeds=1, ticks=100, nodes=4, faults=len(struck), fleet_s=3600.0, node_s=7200.0, **told),
        harm=f"{harm} happened" if harm else "",
        story=STORY if harm else (),
        struck=struck,
    )


def good(scenario: Scenario, watch: Watch) -> Verdict:
    """Nothing happens."""
    return a_verdict(scenario, struck=frozenset({Fault.LIST_LAG}))


def one_bad(scenario: Scenario, watch: Watch) -> Verdict:
    """One seed does harm."""
    return a_verdict(scenario, "busy_kills" if scenario.seed == BAD_SEED else "")


def raising(scenario: Scenario, watch: Watch) -> Verdict:
    """One seed raises."""
    if scenario.seed == BAD_SEED:
        raise RuntimeError("a bug of the world's")
    return a_verdict(scenario)


def dying(scenario: Scenario, watch: Watch) -> Verdict:
    """One seed takes its process with it."""
    if scenario.seed == BAD_SEED:
        os._exit(9)
    return a_verdict(scenario)


def hanging(scenario: Scenario, watch: Watch) -> Verdict:
    """One seed does not end."""
    if scenario.seed == BAD_SEED:
        time.sleep(600)
    return a_verdict(scenario)


def slow(scenario: Scenario, watch: Watch) -> Verdict:
    """Every life takes a while."""
    time.sleep(0.05)
    return a_verdict(scenario)


def long(scenario: Scenario, watch: Watch) -> Verdict:
    """Three hours are told of."""
    for hour in (1.0, 2.0, 3.0):
        watch(hour)
    return a_verdict(scenario)


def broken_by_two(scenario: Scenario) -> Verdict:
    """Harm is done where both of two kinds of fault may strike, whatever the others do, and takes ten minutes."""
    both = {Fault.LIST_LAG, Fault.ANSWER_LOST} <= scenario.faults
    harm = "double_creates" if both and scenario.trouble_s >= 600 else ""
    return a_verdict(scenario, harm, struck=scenario.faults - {Fault.DEAF})


FULL = Scenario(seed=7, faults=EVERY_FAULT, trouble_s=3600.0)
