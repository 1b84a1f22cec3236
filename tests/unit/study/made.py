"""Small workloads written out, and worlds that are run to their end."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from autoscaler.study.contract import Workload
from autoscaler.study.world import World


def a_workload(*tasks: tuple[float, float]) -> Workload:
    """Tasks as (submit_s, runtime_s), in the order of arrival."""
    return Workload(
        name="made",
        submit_s=array("d", [sent for sent, _ in tasks]),
        runtime_s=array("d", [run for _, run in tasks]),
    )


def a_world(workload: Workload, *, machines: int, slots: int = 1) -> World:
    """With these machines, named n0, n1 and so on, that serve from the start."""
    world = World(workload, slots)
    for number in range(machines):
        world.begin(f"n{number}", 0.0)
    return world


def run_out(world: World, tick_s: float = 1000.0) -> World:
    """Until all tasks are done."""
    while not world.finished:
        world.advance(world.now_s + tick_s)
    return world


def walked(world: World, ticks: Iterable[float]) -> World:
    """Through these instants."""
    for at_s in ticks:
        world.advance(at_s)
    return world
