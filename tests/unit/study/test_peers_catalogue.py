"""The table of peers: their names, and that each is made anew and calm about what any look can hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.study.peers import PEERS, VARIANTS
from tests.unit.study.looks import TERMS, a_look, walked

ALL = {**PEERS, **VARIANTS}


def test_the_names_of_the_peers() -> None:
    """A study asks for them by name."""
    assert {"keda", "hpa", "aws-target", "aws-step", "nomad", "react", "adapt", "hist", "reg"} == set(PEERS)


@pytest.mark.parametrize("share", ["1", "1.5", "2", "3", "5", "8"])
@pytest.mark.parametrize("kind", ["keda", "hpa", "nomad"])
def test_a_benchmark_can_sweep_the_messages_per_machine(kind: str, share: str) -> None:
    """V is the share times the slots: 480 messages on two slots are 240 ÷ share machines."""
    peer = VARIANTS[f"{kind} V={share}c"](replace(TERMS, max_workers=1000))

    assert round(240 / float(share)) == walked(peer, [480] * 10)[-1]


def test_no_variant_hides_a_peer() -> None:
    """One name, one setting."""
    assert set() == set(PEERS) & set(VARIANTS)


@pytest.mark.parametrize("name", ALL)
def test_a_peer_bears_the_name_it_is_listed_under(name: str) -> None:
    """An outcome names its policy by it."""
    assert name == ALL[name](TERMS).name


@pytest.mark.parametrize("name", ALL)
def test_each_run_gets_a_peer_without_a_past(name: str) -> None:
    """Two made from the same terms do the same, whatever the first was used for."""
    first = walked(ALL[name](TERMS), [50] * 40)
    second = walked(ALL[name](TERMS), [50] * 40)

    assert first == second


@pytest.mark.parametrize("name", ALL)
def test_no_look_of_a_life_makes_a_peer_stumble_or_leave_the_limits(name: str) -> None:
    """A burst, a backlog, quiet; tasks of no length; machines that come late and leave."""
    peer = ALL[name](replace(TERMS, min_workers=1, max_workers=30))
    numbers, standing, arrived = [], 1, 0
    for at in range(400):
        arrived += 40 if 20 <= at < 60 else 0
        done = min(arrived, 5 * max(at - 25, 0))
        look = a_look(
            at * peer.period_s,
            backlog=(arrived - done) * 3 // 4,
            serving=max(standing - at % 3, 0),
            arriving=min(at % 3, standing),
            leaving=at % 5 // 4,
            in_progress=(arrived - done) // 4,
            arrived=arrived,
            done=done,
            task_s=0.0 if at < 100 else 7.5,
        )
        standing = peer.wanted(look)
        numbers.append(standing)

    assert set(range(1, 31)) >= set(numbers)
