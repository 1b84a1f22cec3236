"""What an operator reads, word for word: these are meant to be read aloud."""

from __future__ import annotations

from dataclasses import replace

from policies.account import explain
from policies.contract import Hold, Limits, QueueDemand, Reading, Trust
from policies.decide import decide
from policies.sentence import sentence
from tests.unit.policies.builders import (
    CALM,
    NOW,
    a_demand,
    a_history,
    a_supply,
    an_input,
    backlog_spec,
    steps_spec,
)

OLDEST = Reading(value=38.4, trust=Trust.SOLID)


def test_a_scale_out_says_what_waits_what_was_asked_and_what_capped_it() -> None:
    """The change, the demand, the wish, the bound."""
    given = an_input(workers=2, demand=a_demand(120, wait_s=OLDEST), limits=Limits(max_workers=4))

    assert (
        "images: 2 → 4 workers: 120 waiting, oldest 38 s; 120 messages at 10 a worker ask for 12; "
        "capped by max_workers 4; an offer rests" == sentence(decide(given), remarks=("an offer rests",))
    )


def test_a_held_scale_in_says_for_how_long() -> None:
    """Nothing waits, and the reason why the workers are still there."""
    given = an_input(
        0, 3, history=a_history((60, 3, 3), (50, 0, 3)), stabilization=replace(CALM, scale_in_window_s=300.0)
    )

    assert (
        "images: 3 workers stay: nothing waiting; the scale-in window holds 3 for 4 min 10 s more"
        == sentence(decide(given))
    )


def test_a_blind_tick_says_that_it_holds_and_why() -> None:
    """Blindness is the first thing to know."""
    assert "images: holding 3 workers: cannot see demand (connection refused)" == sentence(
        decide(an_input(None, 3))
    )
    assert (
        "images: 1 → 3 workers: cannot see demand (connection refused); raised to on_unknown 3"
        == sentence(decide(an_input(None, 1, limits=Limits(max_workers=9, on_unknown=3))))
    )


def test_what_is_odd_about_the_queues_is_said_beside_what_waits() -> None:
    """A slip in a queue's name looks like a quiet night otherwise."""
    given = an_input(0, 0)
    given = replace(given, demand=replace(a_demand(0), warnings=("queue 'imags' does not exist yet",)))

    assert "images: no workers: nothing waiting; queue 'imags' does not exist yet" == sentence(decide(given))


def test_arriving_workers_are_mentioned() -> None:
    """They are why nothing more is bought."""
    given = an_input(50, supply=a_supply(2, 2), policies=(steps_spec(),))

    assert "images: 4 workers stay (2 arriving): 50 waiting" == sentence(decide(given))


def test_an_operators_words_are_said() -> None:
    """Paused and held pools say so on every tick."""
    held = an_input(4, 3, hold=Hold(workers=1, until_at=NOW + 6720))

    assert "images: holding 1 worker: 4 waiting; paused" == sentence(decide(an_input(4, 1, paused=True)))
    assert "images: 3 → 1 worker: 4 waiting; an operator holds 1 for 1 h 52 min more" == sentence(
        decide(held)
    )


def test_unseen_workers_are_said_even_where_they_change_nothing() -> None:
    """Half a picture is news."""
    given = an_input(30, 3, supply_missing="no event for 90 s")

    assert "images: 3 workers stay: 30 waiting; cannot see the workers (no event for 90 s)" == sentence(
        decide(given)
    )


def test_a_quiet_empty_pool_is_said_shortly() -> None:
    """Most ticks of most pools."""
    assert "images: no workers: nothing waiting" == sentence(decide(an_input(0, 0)))
    assert "images: 2 → 0 workers: nothing waiting" == sentence(decide(an_input(0, 2)))


def test_the_whole_account_names_facts_trust_wishes_rules_and_the_way_out() -> None:
    """`autoscaler why`."""
    demand = a_demand(
        120,
        2,
        wait_s=OLDEST,
        arrivals_per_s=Reading(value=12.5, trust=Trust.ROUGH, why="one sample"),
        queues=(
            QueueDemand(name="images", backlog=120, in_progress=2, consumers=1),
            QueueDemand(name="thumbs", backlog=0, in_progress=0, consumers=0, missing=True),
        ),
        warnings=("images has a priority",),
    )
    given = an_input(
        demand=demand,
        supply=a_supply(1, 1, tasks_in_hand=2),
        policies=(backlog_spec(), steps_spec([(500, 2)])),
        limits=Limits(max_workers=4),
    )

    assert """\
images: 2 (1 arriving) → 4 workers
Demand, measured 3 s before:
  waiting                  120
  in progress                2
  oldest                  38 s  solid
  arrivals       12.5 a second  rough: one sample
  completions                –  not measured: not measured here
  queue images             120  waiting, 2 in progress, 1 consumer
  queue thumbs               –  does not exist yet
  warning                       images has a priority
Workers, 2 slots each:
  serving                    1
  arriving                   1
  leaving                    0
  lost                       0
  tasks in hand              2  by their own word
Machines:
  boot time         1 min 30 s  assumed: no machine has become a worker yet
Policies, and the workers that each asks for:
  backlog                   13  122 messages at 10 a worker ask for 13
                                9 more messages would ask for 14 workers, 2 fewer for 12
  steps                      –  has no opinion: 120 waiting passes no threshold
                                381 more messages would add 2
From the wish to the number:
  proposals             2 → 13  122 messages at 10 a worker ask for 13
  ceiling               13 → 4  capped by max_workers 4
Made by: ceiling
What would change it: a higher max_workers would allow 13 workers; 9 more messages would ask for 14 workers, \
2 fewer for 12""" == explain(decide(given))


def test_the_account_of_a_blind_tick_says_what_is_missing() -> None:
    """No figure is shown that was not seen."""
    told = explain(decide(an_input(None, 3, supply_missing="no event for 90 s")))

    assert "Demand: could not be seen: connection refused" in told
    assert "could not be seen now: no event for 90 s" in told
    assert "Policies: not asked" in told
    assert "Held: cannot see demand (connection refused)" in told
