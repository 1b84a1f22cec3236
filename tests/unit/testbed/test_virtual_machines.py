"""The pure parts of virtual machines: what QEMU and cloud-init are told, which accelerator is chosen, what is kept."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.virtual import accelerator, command, debian, images, seed, wheels
from testbed.virtual.accelerator import Accelerator, Trial
from testbed.virtual.command import Hardware
from testbed.virtual.depot import Depot
from testbed.virtual.images import Recipe

MACHINE = Hardware(
    name="e2e-shop-1",
    memory_mb=1024,
    cpus=1,
    kernel=Path("/images/kernel"),
    initrd=Path("/images/initrd"),
    disk=Path("/machines/1/disk.qcow2"),
    seed=Path("/machines/1/seed.iso"),
    accelerator=Accelerator.TCG,
)
RECIPE = Recipe(name="plain", suite="bookworm", packages=("cloud-init",), files={"/etc/a": "b\n"})
PANIC = "Linux version 6.1.0\n…\nKernel panic - not syncing: VFS: Unable to mount root fs\n"


def options(line: list[str], name: str) -> list[str]:
    """The values of every option of that name."""
    return [line[at + 1] for at, word in enumerate(line) if word == name]


def test_a_machine_is_as_large_as_its_size_and_uses_what_was_chosen() -> None:
    """What the API sold is what runs."""
    line = command.qemu(MACHINE)

    assert ["1024"] == options(line, "-m")
    assert ["1"] == options(line, "-smp")
    assert ["q35,accel=tcg"] == options(line, "-machine")


def test_a_machine_has_a_disk_of_its_own_and_reads_its_seed_only() -> None:
    """The second disk is what cloud-init is told, and stays as it was made."""
    root, second = options(command.qemu(MACHINE), "-drive")

    assert "file=/machines/1/disk.qcow2,if=virtio,format=qcow2,cache=unsafe" == root
    assert second.endswith("seed.iso,if=virtio,format=raw,readonly=on")


def test_a_slow_disk_is_throttled_and_no_other_is() -> None:
    """So that a check of disks has something to refuse."""
    slow = options(command.qemu(replace(MACHINE, disk_iops=40)), "-drive")

    assert slow[0].endswith(",throttling.iops-total=40")
    assert not any("throttling" in drive for drive in options(command.qemu(MACHINE), "-drive"))


def test_a_comma_in_a_path_is_no_new_option() -> None:
    """QEMU's options are separated by commas, and directories of people have some."""
    root, _ = options(command.qemu(replace(MACHINE, disk=Path("/a,b/disk"))), "-drive")

    assert root.startswith("file=/a,,b/disk,")


def test_user_data_reaches_the_machine_byte_for_byte() -> None:
    """The cloud passes on what it was given."""
    told = seed.files(name="e2e-shop-1", key="3164001", user_data=b"#cloud-config\n\xff", vendor_data="")

    assert b"#cloud-config\n\xff" == told["user-data"]
    assert {"instance-id": "3164001", "local-hostname": "e2e-shop-1"} == json.loads(told["meta-data"])


def test_a_machine_knows_no_way_beyond_this_computer() -> None:
    """Its network has an address, and neither a gateway nor a name server."""
    network = json.loads(seed.files(name="n", key="1", user_data=b"", vendor_data="")["network-config"])

    assert {"match", "addresses"} == set(network["ethernets"]["eth0"])


@pytest.mark.parametrize(
    ("opens", "trial", "expected"),
    [
        (False, None, Accelerator.TCG),
        (True, Trial(code=None, console=""), Accelerator.TCG),
        (True, Trial(code=-6, console=""), Accelerator.TCG),
        (True, Trial(code=0, console="Linux version 6.1.0"), Accelerator.TCG),
        (True, Trial(code=1, console=PANIC), Accelerator.TCG),
        (True, Trial(code=0, console=PANIC), Accelerator.KVM),
    ],
    ids=["no device", "hangs", "gives up", "half a boot", "failed after all", "works"],
)
def test_hardware_virtualisation_is_used_where_a_kernel_came_all_the_way(
    *, opens: bool, trial: Trial | None, expected: Accelerator
) -> None:
    """That the device opens says little: a kernel must have booted to its panic, and QEMU ended well."""
    assert expected == accelerator.choose(opens=opens, trial=trial).accelerator


def test_a_trial_that_hangs_is_over_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that waits for ever would be worse than none."""

    def hang(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("qemu", timeout)

    monkeypatch.setattr("os.access", lambda *_: True)
    monkeypatch.setattr("subprocess.run", hang)

    assert "hangs" in accelerator.probe(Path("/kernel"), deadline_s=1.0).why


def test_another_recipe_or_other_wheels_are_another_image() -> None:
    """A cached image is never one of another recipe."""
    keys = {
        images.key(RECIPE, wheels=Path("wheels-1")),
        images.key(RECIPE, wheels=Path("wheels-2")),
        images.key(replace(RECIPE, packages=("cloud-init", "supervisor")), wheels=Path("wheels-1")),
        images.key(replace(RECIPE, files={"/etc/a": "c\n"}), wheels=Path("wheels-1")),
    }

    assert 4 == len(keys)
    assert images.key(RECIPE, wheels=Path("wheels-1")) in keys


def test_mmdebstrap_is_told_this_computer_s_own_sources() -> None:
    """Machines are made from where this computer was."""
    line = images.command(RECIPE, Path("/s"), wheels=Path("/w"), sources=("deb http://mirror/debian x main",))

    assert ["bookworm", "/s/root.tar", "deb http://mirror/debian x main"] == line[-3:]


def test_sources_are_read_in_both_forms_and_third_parties_are_left_out(tmp_path: Path) -> None:
    """Only Debian's own release and its updates, wherever the mirror is."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://a/debian bookworm main\n"
        "deb [arch=amd64] http://b/debian bookworm main contrib\ndeb http://c/debian trixie main\n"
    )
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\nURIs: http://d/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/d.gpg\n\nTypes: deb\nURIs: http://e\nSuites: bookworm\nComponents: stable\n"
    )

    assert (
        "deb [arch=amd64] http://b/debian bookworm main",
        "deb [signed-by=/usr/share/keyrings/d.gpg] http://d/debian bookworm main",
        "deb [signed-by=/usr/share/keyrings/d.gpg] http://d/debian bookworm-updates main",
    ) == debian.sources("bookworm", tmp_path)


def test_wheels_are_kept_by_the_lock_and_the_application(tmp_path: Path) -> None:
    """A change of either makes a new folder."""
    lock, application = tmp_path / "lock.txt", tmp_path / "app"
    application.mkdir()
    (application / "shop.py").write_text("1")
    lock.write_text("celery==1")
    first = wheels.key(lock, application)

    lock.write_text("celery==2")
    second = wheels.key(lock, application)
    (application / "shop.py").write_text("2")

    assert 3 == len({first, second, wheels.key(lock, application)})


@pytest.mark.parametrize("text", ["", "began", "began x node", "began 1 node more", "began -1 node"])
def test_what_is_no_receipt_is_not_taken(text: str) -> None:
    """A count of tasks rests on them."""
    depot = Depot()

    assert not depot.take(text)
    assert () == depot.receipts


def test_machines_are_as_far_as_the_hardware_behind_them() -> None:
    """Made until it runs, and ending until nothing is left of it, whatever the timetable says."""

    class Behind:
        running: bool = False
        gone: bool = False
        asked: list[str]

        def __init__(self) -> None:
            self.asked = []

        def make(self, machine: Machine) -> None:
            self.asked.append(f"make {machine.name}")

        def end(self, machine: Machine) -> None:
            self.asked.append(f"end {machine.name}")

        def runs(self, machine: Machine) -> bool:
            return self.running

        def is_gone(self, machine: Machine) -> bool:
            return self.gone

    behind = Behind()
    machines = Machines(Clock(), Habits(boot_s=0.0), hardware=behind)
    machine = machines.make("one", user_data=b"", body={})
    assert Stage.MADE == machines.stage(machine)
    behind.running = True
    assert Stage.RUNNING == machines.stage(machine)

    machines.end(machine)
    machines.end(machine)

    assert (machine,) == machines.listed()
    assert not machines.is_gone(machine)
    behind.gone = True
    assert () == machines.listed()
    assert ["make one", "end one"] == behind.asked
