"""Several fleets on one account, each with a pair of daemons, on virtual time: what `make bench-sharded` plays, small.

Journals are in memory; the same lives over PostgreSQL are the benchmark's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler import standby
from autoscaler.core.facts import Memory
from autoscaler.journal import LeaseTerms, TickRecord
from autoscaler.simulate.clock import WorldClock
from benchmarks.sharded import run
from benchmarks.sharded.checks import HARMS, Harm, Ledgers
from benchmarks.sharded.journals import PlayedShelf
from benchmarks.sharded.run import Happened, Life
from benchmarks.sharded.scenario import Broken, Scenario
from providers.contract import InstanceId
from providers.simulated import Fault, Machine
from tests.unit.core.builders import a_node

FOUND: dict[Broken, str] = {
    Broken.ONE_NAME: "owned twice",
    Broken.ONE_JOURNAL: "owned twice",
    Broken.NO_LEASE: "acted without the lease",
    Broken.UNDIVIDED: "rate limit",
}


def a_life(scenario: Scenario, terms: LeaseTerms | None = None) -> Life:
    clock, guarded = WorldClock(), scenario.broken is not Broken.NO_LEASE
    terms = terms or standby.terms_for(scenario.tick_s)
    shelves = [PlayedShelf(clock.monotonic, terms, guarded=guarded) for _ in scenario.marks()]
    return Life(scenario, shelves, clock)


def lived(scenario: Scenario) -> Happened:
    return a_life(scenario).play()


def test_three_fleets_on_one_account_reach_what_they_want_while_their_daemons_die() -> None:
    """No rule is broken, each death is taken over within two ticks, and at the end all machines serve."""
    happened = lived(Scenario(daemons=3, nodes=300, pools=5))

    assert ("", 300) == (happened.harm, happened.serving_last)
    assert 300 <= happened.machines_most <= Scenario(daemons=3, nodes=300, pools=5).quota
    assert sum(happened.fate.died.values()) == len(happened.fate.takeovers_s) >= 3
    assert max(happened.fate.takeovers_s) <= 40.0


def test_a_life_of_several_fleets_repeats() -> None:
    """The same seed is the same life: who died when, and what stood."""
    small = Scenario(daemons=2, nodes=60, pools=2, seconds=600.0, seed=7)
    once, again = lived(small), lived(small)

    assert (once.fate.died, once.fate.takeovers_s, once.machines_most, once.ticks) == (
        again.fate.died,
        again.fate.takeovers_s,
        again.machines_most,
        again.ticks,
    )


@pytest.mark.parametrize("broken", list(Broken))
def test_each_rule_of_sharding_that_is_broken_is_noticed(broken: Broken) -> None:
    """Two fleets of one name, one journal for two fleets, no lease, a limit that is not divided."""
    happened = lived(Scenario(daemons=3, nodes=600, pools=5, rate_per_node=0.05, broken=broken))

    assert FOUND[broken] == happened.kind


def test_with_a_limit_as_tight_divided_fleets_keep_to_it() -> None:
    """The life in which an undivided limit is passed, with nothing broken."""
    happened = lived(Scenario(daemons=3, nodes=600, pools=5, rate_per_node=0.05))

    assert ("", 600) == (happened.harm, happened.serving_last)


SMALL = Scenario(daemons=2, nodes=60, pools=2, seconds=1_200.0)


def test_a_lease_that_lasts_too_long_is_a_late_takeover() -> None:
    """Nobody leads for longer than is promised."""
    happened = a_life(SMALL, LeaseTerms(term_s=4 * SMALL.tick_s)).play()

    assert "late takeover" == happened.kind


def test_machines_that_never_boot_leave_a_pool_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound: all that are bought, one after the other."""
    monkeypatch.setitem(run.FAULTS, Fault.NEVER_BOOTS, 1.0)

    assert "not reached" == lived(SMALL).kind


def test_a_quota_below_the_sum_of_the_ceilings_is_noticed_when_it_refuses() -> None:
    """As an account has it that was given to one fleet too many."""
    life = a_life(SMALL)
    life.account.quota = 55

    assert "quota" == life.play().kind


def test_a_life_that_ends_amid_its_work_is_not_at_rest() -> None:
    """Machines still boot."""
    assert "not at rest" == lived(replace(SMALL, seconds=90.0)).kind


def test_every_rule_is_broken_by_some_test_here() -> None:
    """A check that nothing was seen to fail proves nothing."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [] == [kind for kind in HARMS if f'"{kind}"' not in text]


def a_machine(name: str = "shop-images-1") -> Machine:
    return Machine(
        instance_id=InstanceId("i-1"),
        name=name,
        fleet="shop",
        pool="images",
        size="s",
        image="debian-13",
        location="osl",
        user_data=b"",
        created_at=0.0,
        boots_at=60.0,
    )


def a_machine_stands(*, busy: bool = False) -> Ledgers:
    """Ordered by shard 0, on its record, and made."""
    ledgers = Ledgers(ceilings={("shop", "images"): 1}, busy=lambda _machine: busy)
    node = a_node("shop-images-1")
    ledgers.committed(0, TickRecord(at=0.0, new_nodes=(node,), memory=Memory()))
    ledgers.ordered(0, "shop-images-1")
    ledgers.stands(a_machine())
    return ledgers


def end_it_while_busy() -> None:
    ledgers = a_machine_stands(busy=True)
    ledgers.ends(0, "shop-images-1")
    ledgers.stands_no_more(a_machine())


def order_it_again() -> None:
    a_machine_stands().ordered(0, "shop-images-1")


def end_anothers() -> None:
    a_machine_stands().ends(1, "shop-images-1")


def order_without_a_record() -> None:
    Ledgers().ordered(0, "shop-images-2")


def own_anothers() -> None:
    record = TickRecord(at=0.0, new_nodes=(a_node("shop-images-1"),), memory=Memory())
    a_machine_stands().committed(1, record)


def have_one_too_many() -> None:
    ledgers = a_machine_stands()
    node = a_node("shop-images-2")
    ledgers.committed(0, TickRecord(at=0.0, new_nodes=(node,), memory=Memory()))
    ledgers.ordered(0, "shop-images-2")
    ledgers.stands(a_machine("shop-images-2"))


def read_less_than_was_written() -> None:
    a_machine_stands().successor_knows(0, ())


@pytest.mark.parametrize(
    ("kind", "breaks"),
    [
        ("ended busy", end_it_while_busy),
        ("ordered twice", order_it_again),
        ("another's", end_anothers),
        ("forgotten", order_without_a_record),
        ("owned twice", own_anothers),
        ("above the ceiling", have_one_too_many),
        ("forgotten", read_less_than_was_written),
    ],
)
def test_what_may_never_be_so_is_a_harm(kind: str, breaks: Callable[[], None]) -> None:
    """Each rule of the checks, broken by hand, is raised under its name."""
    with pytest.raises(Harm) as harm:
        breaks()

    assert kind == harm.value.kind
    assert kind in HARMS
