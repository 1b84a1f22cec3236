"""The disk check: what was measured, what it means, and that one bad moment refuses no machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.bootstrap import on_machine, specs


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The program's modules on a machine of their own; pauses take no time."""
    (tmp_path / "var/log").mkdir(parents=True, exist_ok=True)
    machine = specs.Machine(tmp_path, specs.a_spec(application=specs.IMAGE))
    with on_machine.loaded(tmp_path) as modules, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", machine.environ()["PATH"])
        patch.setattr(modules.disk, "_PAUSE_S", 0)
        yield modules


def _checked(here: SimpleNamespace, measured: list[tuple[float, float, int]], **disk: Any) -> tuple[str, Any]:
    """What is said, and what is reported, where the disk measures like this in turn."""
    settings = here.machine.Settings()
    settings.disk = {**settings.disk, **disk}
    told = here.reports.Reports(settings)
    turns = iter(measured)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here.disk.shutil, "which", lambda _: None)
        patch.setattr(here.disk, "_by_us", lambda _: next(turns))
        try:
            says = here.disk.check(settings, told)
        except here.machine.Failed as error:
            says = f"FAILED {error}"
    return says, told.disk


def test_a_fast_disk_is_measured_once_and_reported(here: SimpleNamespace) -> None:
    """Its figures are the report's; a second look would cost time."""
    says, reported = _checked(here, [(0.4, 2.5, 200)])

    assert "0.40 ms on average, 2.50 ms at worst" == says
    assert {"mean_ms": 0.4, "worst_ms": 2.5, "requests": 200} == reported


def test_a_disk_that_is_slow_each_time_is_refused(here: SimpleNamespace) -> None:
    """With the best of three, and the limit beside it."""
    says, reported = _checked(here, [(9.0, 20.0, 200), (7.0, 11.0, 200), (8.0, 12.0, 200)])

    assert "FAILED 7.00 ms on average, 11.00 ms at worst: slow, the limit is 5 ms" == says
    assert 7.0 == reported["mean_ms"]


def test_one_bad_moment_refuses_no_machine(here: SimpleNamespace) -> None:
    """Services that start with the machine use the disk too."""
    says, reported = _checked(here, [(30.0, 90.0, 100), (0.5, 1.0, 200)])

    assert "0.50 ms on average, 1.00 ms at worst" == says
    assert 0.5 == reported["mean_ms"]


def test_a_pool_that_only_wants_to_know_takes_a_slow_disk(here: SimpleNamespace) -> None:
    """`warn` says so in the report; a limit of one's own is held."""
    says, _ = _checked(here, [(9.0, 20.0, 200)] * 3, check="warn", limit_ms=8.5)

    assert "9.00 ms on average, 20.00 ms at worst: slow, the limit is 8.5 ms" == says


def test_the_own_measurement_reads_past_all_caches(here: SimpleNamespace, tmp_path: Path) -> None:
    """A real one: on this machine's disk, or a word about why not; nothing is left behind."""
    try:
        mean_ms, worst_ms, requests = here.disk._by_us(str(tmp_path))
    except OSError as error:
        pytest.skip(f"no direct reads here: {error}")

    assert 0 < mean_ms <= worst_ms
    assert 1 <= requests <= 200
    assert not (tmp_path / ".autoscaler-disk").exists()


def test_a_disk_that_cannot_be_measured_is_no_slow_one(here: SimpleNamespace) -> None:
    """A file system without direct reads says so, and the machine is taken."""
    settings = here.machine.Settings()
    settings.directory = "/proc"
    told = here.reports.Reports(settings)

    assert here.disk.check(settings, told).startswith("not measured: ")
    assert told.disk is None


def test_ioping_measures_where_it_is_installed(here: SimpleNamespace, tmp_path: Path) -> None:
    """The same requests, directly, on the worker's directory; its raw figures are nanoseconds, and no reading."""
    machine = specs.Machine(tmp_path / "other", specs.a_spec())
    raw = "200 1098151000 182 70868214 53860 5779700 10193300 10646 201 1202906"
    machine.stand_in("ioping", f"echo {raw}")
    settings = here.machine.Settings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", machine.environ()["PATH"])
        with pytest.raises(here.machine.Failed, match=r"5\.78 ms on average, 10\.19 ms at worst: slow"):
            here.disk.check(settings, here.reports.Reports(settings))

    assert "" == here.machine.read(here.machine.LOG)
    assert ["-BD", "-i0", "-c201", "-w3", settings.directory] == machine.argv_of("ioping")


@pytest.mark.parametrize("body", ["echo no such thing", "echo no such thing; exit 3"], ids=["odd", "failed"])
def test_what_ioping_says_is_told_where_it_is_no_figures(
    here: SimpleNamespace, tmp_path: Path, body: str
) -> None:
    """Whoever looks for the reason finds its own words; the machine is taken."""
    machine = specs.Machine(tmp_path / "other", specs.a_spec())
    machine.stand_in("ioping", body)
    settings = here.machine.Settings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", machine.environ()["PATH"])
        says = here.disk.check(settings, here.reports.Reports(settings))

    assert "not measured: ioping: ['no', 'such', 'thing']" == says
