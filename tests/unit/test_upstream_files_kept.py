"""Upstream files over changed settings, and beside a loop that waits for nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName
from autoscaler.core.published import Published
from autoscaler.upstream_files import Keeper, Upstreams
from tests.unit.core.builders import CLOUD, POOL, a_node, a_pool
from tests.unit.stand_ins import FixedClock, Heard, wait_for
from tests.unit.test_upstream_files import (
    ADDRESSES,
    FILE,
    PUBLICATION,
    SEEN,
    Computer,
    Stage,
    leaving,
    serving,
)


def test_a_file_that_is_named_no_more_takes_nobody_in_and_is_kept_until_it_is_empty() -> None:
    """Its pool, or its section, was taken out of the configuration; its machines leave as ever."""
    stage = Stage()
    stage.tick(*serving("n1", "n2"))
    stage.upstreams.configure({})
    stage.tick(*serving("n1", "n2", "n3"))
    still = stage.stands()
    stage.tick(leaving("n1"), *serving("n2", "n3"))
    exposed = stage.published().exposed
    stage.tick(a_node("n1", NodeState.DESTROYING), leaving("n2"), *serving("n3"))
    empty, known = stage.stands(), dict(stage.upstreams.published(stage.now))
    stage.clock.lasted += 61.0
    stage.tick(leaving("n2"), *serving("n3"))
    stage.tick(*serving("n3"))

    assert ("n1", "n2") == still
    assert ("n1",) == exposed
    assert () == empty
    assert ("n2",) == known[POOL].exposed
    assert {} == dict(stage.upstreams.published(stage.now))


def test_a_file_of_another_name_is_written_and_the_one_before_is_kept() -> None:
    """Its reader may know the one or the other: a machine that leaves is exposed until both are done with."""
    stage = Stage()
    stage.tick(*serving("n1"))
    moved = replace(
        PUBLICATION, upstream=replace(PUBLICATION.upstream, file="/upstream/new.conf"), linger_s=5.0
    )
    stage.upstreams.configure({POOL: moved})
    stage.tick(*serving("n1"))
    both = set(stage.computer.files)
    stage.tick(leaving("n1"), *serving("n2"))
    stage.clock.lasted += 6.0
    found: Mapping[object, Published] = stage.upstreams.published(stage.now)

    assert {FILE, "/upstream/new.conf"} == both
    assert ("/upstream/new.conf", ("n1",)) == (found[POOL].file, found[POOL].exposed)


def test_a_file_that_another_pool_takes_over_holds_the_machines_of_the_first() -> None:
    """As when a pool is given another name: its machines leave, and its reader may know them still."""
    stage, other = Stage(), PoolName("other")
    stage.tick(*serving("n1"))
    taken_over = replace(
        PUBLICATION, upstream=replace(PUBLICATION.upstream, pool=replace(a_pool(), name=other))
    )
    stage.upstreams.configure({other: taken_over})
    stage.computer.failing = {"/reload": "no"}
    stage.tick(leaving("n1"))
    stage.clock.lasted += 1_000.0
    untold = stage.published()
    stage.computer.failing = {}
    stage.tick(leaving("n1"))
    right_after = stage.published().exposed
    stage.clock.lasted += 61.0

    assert (FILE, ("n1",)) == (untold.file, untold.exposed)
    assert ("n1",) == right_after
    assert {other} == set(stage.upstreams.published(stage.now))


def test_changed_settings_of_a_file_hold_from_the_next_tick_on() -> None:
    """Another port is another text."""
    stage = Stage()
    stage.tick(*serving("n1"))
    stage.upstreams.configure(
        {POOL: replace(PUBLICATION, upstream=replace(PUBLICATION.upstream, port=9000), check=())}
    )

    assert ["write n1", "/reload"] == stage.tick(*serving("n1"))
    assert ":9000 " in stage.computer.files[FILE]


@pytest.mark.parametrize("state", [NodeState.LOST, NodeState.DRAINING])
def test_the_last_one_stays_until_one_that_serves_answers(state: NodeState) -> None:
    """A new machine's worker is heard, its application is not: the old one was told to leave, or fell silent."""
    stage = Stage()
    stage.tick(*serving("n1"))
    stage.computer.silent = {ADDRESSES["n2"]}
    stage.tick(a_node("n1", state), *serving("n2"))
    waiting = stage.stands(), stage.published().awaited
    stage.clock.lasted += 1_000.0
    stage.tick(leaving("n1"), *serving("n2"))
    exposed = stage.published().exposed
    stage.computer.silent = set()
    stage.tick(leaving("n1"), *serving("n2"))
    stage.clock.lasted += 61.0

    assert (("n1",), ("n2",)) == waiting
    assert ("n1",) == exposed
    assert ("n2",) == stage.stands()
    assert () == stage.published().exposed


def test_one_that_left_does_not_enter_again_as_the_last_resort() -> None:
    """Its end may be under way."""
    stage = Stage()
    stage.tick(*serving("n1", "n2"))
    stage.tick(leaving("n1"), *serving("n2"))
    stage.computer.silent = {ADDRESSES["n3"]}
    stage.tick(leaving("n1"), *serving("n3"))

    assert () == stage.stands()


def test_a_command_that_hangs_holds_up_no_tick() -> None:
    """Each file has a thread of its own: the loop says what it has to say, asks what it has to ask, and goes on."""
    computer, log, released = Computer(), Heard(), threading.Event()
    hanging = threading.Event()

    def hang(command: tuple[str, ...], *, timeout_s: float) -> None:
        hanging.set()
        released.wait(60)

    computer.run = hang  # type: ignore[method-assign]
    upstreams = Upstreams(clock=FixedClock(), log=log, may_act=lambda: True, outside=computer)
    upstreams.configure({POOL: PUBLICATION})

    def reaches() -> bool:
        upstreams.tick(serving("n1"), SEEN)
        return hanging.is_set()

    try:
        wait_for(reaches, "the command to begin")
        upstreams.tick((leaving("n1"),), SEEN)
        now = upstreams.published((leaving("n1"),))[POOL]
        still_hanging = not log.events
    finally:
        released.set()
        upstreams.stop(30.0)

    assert still_hanging
    assert ("n1",) == now.exposed
    assert () == now.servers


def test_a_disk_that_hangs_is_told_though_nothing_failed() -> None:
    """Else machines would wait for their ends, and nobody would know why."""
    computer, log, clock, released = Computer(), Heard(), FixedClock(), threading.Event()
    hanging = threading.Event()

    def hang(file: Path) -> str | None:
        hanging.set()
        released.wait(60)
        return None

    computer.written = hang  # type: ignore[method-assign]
    upstreams = Upstreams(clock=clock, log=log, may_act=lambda: True, outside=computer)
    upstreams.configure({POOL: PUBLICATION})

    def trouble() -> str:
        upstreams.tick(serving("n1"), SEEN)
        return upstreams.published(serving("n1"))[POOL].trouble

    try:
        wait_for(lambda: trouble() == "" and hanging.is_set(), "the disk to be asked")
        clock.lasted += 1_000.0
        told = trouble(), trouble()
    finally:
        released.set()
    try:
        wait_for(lambda: trouble() == "", "the disk to answer")
    finally:
        upstreams.stop(30.0)

    assert ("the work on it does not end: its disk may hang",) * 2 == told
    assert 1 == log.names().count("upstream.failed")


def test_a_disk_that_fails_after_the_file_was_written_leaves_it_known() -> None:
    """What stands there is what nginx took in; while its account cannot be seen, that is all that is known of it."""
    stage = Stage()
    stage.tick(*serving("n1"))
    write = stage.computer.write

    def write_and_fail(file: Path, text: str) -> None:
        write(file, text)
        raise OSError(5, "Input/output error")

    stage.computer.write = write_and_fail  # type: ignore[method-assign]
    stage.tick(*serving("n1", "n2"), times=1)
    stage.computer.write = write  # type: ignore[method-assign]
    stage.clock.lasted += 10.0
    stage.tick(*serving("n1", "n2"))

    assert [] == stage.tick(*serving("n1", "n2"), listings={CLOUD: Missing(why="no answer")})
    assert ("n1", "n2") == stage.stands()


def test_every_file_is_told_to_stop_before_any_is_waited_for() -> None:
    """One that hangs must not leave the others time to begin a command."""
    upstreams = Upstreams(clock=FixedClock(), log=Heard(), may_act=lambda: True, threads=False)
    told: list[tuple[str, float]] = []
    for name in ("a", "b"):
        keeper = SimpleNamespace(stop=lambda timeout_s, name=name: told.append((name, timeout_s)))
        upstreams._files[name] = cast(Keeper, keeper)

    upstreams.stop(30.0)

    assert [("a", 0.0), ("b", 0.0), ("a", 15.0), ("b", 15.0)] == told
