"""The park of virtual machines: they begin and end with the cloud's word, and none outlives whoever started it.

In QEMU's place stands a program that waits, so that only what the park does is tried.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.virtual.accelerator import Accelerator
from testbed.virtual.images import Image
from testbed.virtual.park import Park, Peculiar
from testbed.waiting import wait_until

BODY = {"size": {"memory": 1024, "vcpus": 1}, "image": {"id": 7, "slug": "debian"}}
PROGRAMS = {
    "qemu-system-x86_64": 'echo "$@" >console.log\nexec sleep 600\n',
    "qemu-img": "exit 0\n",
    "genisoimage": "exit 0\n",
}
ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20.0
STARTER = """\
import sys, time
from pathlib import Path
from testbed.clouds.machines import Clock, Habits, Machines
from tests.unit.testbed import test_park as this
park = this.a_park(Path(sys.argv[1])).__enter__()
Machines(Clock(), Habits(boot_s=0.0), hardware=park).make("one", user_data=b"", body=this.BODY)
while not park.standing:
    time.sleep(0.05)
print(park.named("one").pid, flush=True)
time.sleep(600)
"""


def a_park(directory: Path) -> Park:
    image = Image(
        kernel=directory / "kernel",
        initrd=directory / "initrd",
        disk=directory / "disk",
        archive=directory / "archive",
    )
    return Park(
        directory=directory / "machines",
        consoles=directory / "consoles",
        images={"debian": image},
        accelerator=Accelerator.TCG,
        peculiar=lambda _machine, number: Peculiar(disk_iops=40 if number == 2 else None),
    )


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def park(tmp_path: Path) -> Iterator[Park]:
    with a_park(tmp_path) as park:
        yield park


def a_machine(park: Park, name: str) -> tuple[Machines, Machine]:
    """Ordered, and running."""
    machines = Machines(Clock(), Habits(boot_s=0.0), hardware=park, new_key=lambda number: f"{name}-{number}")
    machine = machines.make(name, user_data=b"secret", body=BODY)
    wait_until(lambda: park.runs(machine) or park.failures, DEADLINE_S, f"{name} to run")
    assert [] == park.failures
    return machines, machine


def test_a_machine_runs_from_the_order_to_the_end(park: Park) -> None:
    """Its process is what the cloud tells of it; nothing stays but its console."""
    machines, machine = a_machine(park, "one")
    pid = park.named("one").pid
    wait_until(lambda: "root=/dev/vda" in park.named("one").console, DEADLINE_S, "its console")
    assert Stage.RUNNING == machines.stage(machine)

    machines.end(machine)
    wait_until(lambda: machines.is_gone(machine), DEADLINE_S, "it to be gone")

    assert not psutil.pid_exists(pid)
    assert [] == list(park.directory.iterdir())
    assert "root=/dev/vda" in (park.consoles / "one.log").read_text()


def test_user_data_does_not_stay_beside_its_disk(park: Park) -> None:
    """It may hold secrets, and only the machine reads it."""
    a_machine(park, "one")

    assert not any(b"secret" in path.read_bytes() for path in park.directory.rglob("*") if path.is_file())
    assert 0o700 == (park.directory / "one-1").stat().st_mode & 0o777


def test_what_is_peculiar_to_one_machine_is_its_own(park: Park) -> None:
    """The second one's disk is slow."""
    a_machine(park, "one")
    a_machine(park, "two")

    assert (None, 40) == tuple(park.named(name).hardware.disk_iops for name in ("one", "two"))
    assert 2 == park.most_at_once


def test_a_machine_that_stopped_by_itself_is_no_failure_of_the_cloud(park: Park) -> None:
    """The API goes on and shows that it does not run; its end is asked for as ever."""
    machines, machine = a_machine(park, "one")
    psutil.Process(park.named("one").pid).kill()

    wait_until(lambda: not park.runs(machine), DEADLINE_S, "it to stop")
    machines.end(machine)

    wait_until(lambda: machines.is_gone(machine), DEADLINE_S, "it to be gone")


def test_a_host_that_cannot_make_a_machine_says_so(park: Park, tmp_path: Path) -> None:
    """The order was taken, and the machine never runs."""
    (tmp_path / "bin" / "qemu-img").write_text("#!/bin/sh\nexit 1\n")
    machines = Machines(Clock(), Habits(boot_s=0.0), hardware=park)
    machine = machines.make("one", user_data=b"", body=BODY)

    wait_until(lambda: park.failures, DEADLINE_S, "the failure to be known")

    assert Stage.MADE == machines.stage(machine)
    machines.end(machine)
    wait_until(lambda: machines.is_gone(machine), DEADLINE_S, "it to be gone all the same")


def test_closing_the_park_ends_all_that_stand(tmp_path: Path) -> None:
    """Whatever the cloud was asked."""
    with a_park(tmp_path) as park:
        a_machine(park, "one")
        a_machine(park, "two")
        pids = [each.pid for each in park.standing.values()]

    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_kill_minus_9_of_whoever_started_a_machine_ends_the_machine(tmp_path: Path) -> None:
    """The kernel sees to it: nobody else could."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with contextlib.closing(starter.stdout):  # type: ignore[type-var] # it is a pipe
        pid = int(starter.stdout.readline())  # type: ignore[union-attr] # likewise
        assert psutil.pid_exists(pid)

        starter.kill()
        starter.wait(DEADLINE_S)

    wait_until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
        DEADLINE_S,
        "the machine to end with its starter",
    )
