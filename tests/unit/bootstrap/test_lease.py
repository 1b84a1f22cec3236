"""A machine that may not work: what it does with its worker when things go wrong twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.bootstrap import on_machine


class Keeper:
    """A keeper whose worker ends when it is told, unless it is busy."""

    OVER = ("EXITED",)

    def __init__(self) -> None:
        self.word, self.pid, self.told = "RUNNING", 812, list[str]()

    def state(self, _settings: object) -> tuple[str, str]:
        runs = f"pid {self.pid}, uptime 0:00:07"
        return self.word, f"node  {self.word}  {runs if self.runs(self.word) else 'Nov 27 07:12 AM'}"

    def runs(self, word: str) -> bool:
        return word == "RUNNING"

    def end_warmly(self, _settings: object) -> None:
        self.told.append("TERM")

    def start(self, _settings: object) -> None:
        self.told.append("start")
        self.word = "RUNNING"


class Stage:
    """A lease of ten seconds, a fleet that is heard or not, and a clock."""

    def __init__(self, here: SimpleNamespace, patch: pytest.MonkeyPatch) -> None:
        self.here, self.keeper, self.now, self.heard = here, Keeper(), 100.0, True
        patch.setattr(here.machine, "uptime_s", lambda: self.now)
        patch.setattr(here.lease.time, "monotonic", lambda: self.now)
        patch.setattr(here.lease.Lease, "_hears", lambda _lease: self.heard)
        patch.setattr(here.lease.Lease, "_tell", lambda _lease, _wants: None)
        self.lease = self.begun()

    def begun(self) -> object:
        """A process that keeps the lease, anew."""
        settings = SimpleNamespace(fleet="f", node="node", lease={"after_s": 10, "then": "stop"})
        return self.here.lease.Lease(settings, self.keeper, None)

    def after(self, seconds: float, *, heard: bool) -> list[str]:
        """What the keeper was told when that time was over."""
        self.now, self.heard = self.now + seconds, heard
        self.lease.turn()  # type: ignore[attr-defined]
        told, self.keeper.told = self.keeper.told, []
        return told


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The program's modules, under a root of their own with a log."""
    (tmp_path / "var/log").mkdir(parents=True)
    with on_machine.loaded(tmp_path) as here:
        yield Stage(here, monkeypatch)


def test_a_worker_that_comes_back_unheard_is_ended_again(stage: Stage) -> None:
    """One that dies while it finishes is a crash to its keeper, which starts it anew; it is told once."""
    assert ["TERM"] == stage.after(10, heard=False)
    assert [] == stage.after(2, heard=False)
    stage.keeper.pid = 900
    assert ["TERM"] == stage.after(2, heard=False)
    assert [] == stage.after(2, heard=False)


def test_who_keeps_the_lease_remembers_whom_it_ended(stage: Stage) -> None:
    """It may die meanwhile; whoever takes its place brings the worker back all the same."""
    assert ["TERM"] == stage.after(10, heard=False)
    stage.keeper.word = "EXITED"
    stage.lease = stage.begun()
    assert [] == stage.after(2, heard=False)

    assert ["start"] == stage.after(2, heard=True)


def test_a_worker_that_finishes_is_told_once_by_whoever_keeps_the_lease(stage: Stage) -> None:
    """A second TERM may mean more than the first."""
    assert ["TERM"] == stage.after(10, heard=False)
    stage.lease = stage.begun()

    assert [] == stage.after(10, heard=False)


def test_a_worker_that_was_told_to_go_is_not_brought_back(stage: Stage) -> None:
    """By the daemon, and not by the lease: neither before the fleet fell silent nor after."""
    stage.keeper.word = "EXITED"
    assert [] == stage.after(10, heard=False)
    stage.lease = stage.begun()

    assert [] == stage.after(2, heard=True)


def test_a_worker_that_its_keeper_brought_back_in_time_is_the_daemons_again(stage: Stage) -> None:
    """What was ended once is forgotten then: told to go by the daemon later, it stays down."""
    assert ["TERM"] == stage.after(10, heard=False)
    stage.keeper.pid = 900
    assert [] == stage.after(2, heard=True)
    stage.keeper.word = "EXITED"

    assert [] == stage.after(2, heard=True)
