"""What the `local` provider lists, refuses, keeps and removes: accounts, names, files, settings."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    ProviderError,
    ProviderOptionsWrong,
    Purchase,
    RequestRejected,
)
from providers.local import keeper
from providers.local.provider import open_local
from tests.unit.providers.local_account import DEADLINE_S, SECRET, Here, names, until


def test_the_same_fleet_in_another_directory_is_another_account(here: Here, tmp_path: Path) -> None:
    """Two daemons of one fleet name on one computer neither see nor end each other's machines."""
    ours = here.open()
    theirs = open_local(
        name="there", fleet=here.fleet, options={"directory": str(tmp_path / "others")}, clock=SystemClock()
    )
    ours.create(here.spec(), timeout_s=5.0)

    assert [] == names(theirs)
    with pytest.raises(InstanceAbsent):
        theirs.destroy("images-1", None, timeout_s=5.0)
    assert ["images-1"] == names(ours)


def test_a_keeper_of_ours_that_cannot_be_read_makes_the_listing_incomplete(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart as another user nothing of ours can be read: that is no proof of absence."""
    provider = here.open()
    provider.create(here.spec(), timeout_s=5.0)
    assert until(here.works)
    kept = here.keeper().pid

    def denied(process: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "environ", denied)
    listing = provider.list_instances(timeout_s=5.0)

    assert ((), False) == (listing.instances, listing.complete)
    assert f"process {kept} " in listing.why_incomplete


def test_strangers_that_cannot_be_read_leave_the_listing_complete(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other people's processes are none of ours, however little we may know of them."""

    def denied(process: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "environ", denied)

    assert here.open().list_instances(timeout_s=5.0).complete


def test_a_destroyed_machine_leaves_its_log_and_no_secret_and_its_name_stays_taken(here: Here) -> None:
    """What went wrong can be read afterwards; a name is used once."""
    provider = here.open()
    provider.create(here.spec(environment={"TOKEN": SECRET}), timeout_s=5.0)
    assert until(here.works)

    provider.destroy("images-1", None, timeout_s=DEADLINE_S)

    assert ["log"] == [each.name for each in here.place().iterdir()]
    with pytest.raises(RequestRejected, match=r"images-1.*before"):
        provider.create(here.spec(), timeout_s=5.0)
    assert [] == here.running()


def test_only_so_many_logs_of_ended_machines_are_kept(here: Here) -> None:
    """The oldest go first, and standing machines are not among them."""
    provider = here.open()
    provider.create(here.spec(name="standing"), timeout_s=5.0)
    for number in range(60):
        old = here.place(f"old-{number:02d}")
        old.mkdir()
        os.utime(old, (number, number))

    with pytest.raises(InstanceAbsent):
        provider.destroy("never-was", None, timeout_s=5.0)

    left = sorted(each.name for each in here.place().parent.iterdir())
    assert [*(f"old-{number:02d}" for number in range(10, 60)), "standing"] == left


def test_secrets_of_machines_that_a_reboot_ended_are_removed_when_opened(here: Here) -> None:
    """Their processes are gone without a destroy; a directory made just now is left, it may be a start under way."""
    provider = here.open()
    for name in ("images-1", "images-2"):
        provider.create(here.spec(name=name), timeout_s=5.0)
    assert until(lambda: here.works("images-1") and here.works("images-2"))
    here.reboot()
    assert [] == names(provider)
    os.utime(here.place("images-1"), (1, 1))

    here.open()

    assert (False, True) == tuple(
        (here.place(name) / keeper.USER_DATA).exists() for name in ("images-1", "images-2")
    )


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../escaped", "a/b", "/etc", "Images", "a b", "a\0", "-a", "a" * 64]
)
def test_a_name_that_is_none_is_refused_and_touches_no_file(here: Here, name: str) -> None:
    """A name becomes a directory, so only names of the contract do."""
    provider = here.open()

    with pytest.raises(RequestRejected):
        provider.create(here.spec(name=name), timeout_s=5.0)
    with pytest.raises(InstanceAbsent):
        provider.destroy(name, None, timeout_s=5.0)

    assert [] == list(here.directory.rglob("*"))


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EAGAIN, CapacityRefused),
        (errno.ENOMEM, CapacityRefused),
        (errno.ENOSPC, CapacityRefused),
        (errno.ENOENT, RequestRejected),
        (errno.EACCES, RequestRejected),
    ],
)
def test_a_start_that_fails_is_refused_and_leaves_no_secret(
    here: Here, monkeypatch: pytest.MonkeyPatch, number: int, error: type[ProviderError]
) -> None:
    """A full computer is a lack of stock, which passes; anything else is a fault of ours."""
    provider = here.open()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)

    with pytest.raises(error, match="images-1"):
        provider.create(here.spec(), timeout_s=5.0)
    assert not (here.place() / keeper.USER_DATA).exists()


def test_a_directory_that_is_a_file_is_refused_and_found_by_a_check(here: Here) -> None:
    """The create says what cannot be made, and `check` would have said so before."""
    occupied = here.directory / "occupied"
    occupied.write_text("")
    provider = here.open(directory=str(occupied))

    with pytest.raises(RequestRejected, match="occupied"):
        provider.create(here.spec(), timeout_s=5.0)
    directory, *_ = provider.check(Purchase(size="", image="", location=""), timeout_s=5.0)
    assert ("directory", False) == (directory.subject, directory.ok)


def test_a_spec_of_another_fleet_is_refused(here: Here) -> None:
    """A machine that we could not list afterwards is not made."""
    other = Here(here.directory)

    with pytest.raises(RequestRejected, match=other.fleet):
        here.open().create(other.spec(), timeout_s=5.0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "directory: missing"),
        ({"directory": "relative"}, "directory"),
        ({"directory": 3}, "directory"),
        ({"directory": "/tmp", "boot_s": "1s"}, "boot_s"),
        ({"directory": "/tmp", "boot_s": True}, "boot_s"),
        ({"directory": "/tmp", "boot_s": float("inf")}, "boot_s"),
        ({"directory": "/tmp", "boot_s": -1}, "boot_s"),
        ({"directory": "/tmp", "pilot": 1}, "pilot"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, object], named: str) -> None:
    """The refusal says which option of which provider, what was found and what was expected."""
    with pytest.raises(ProviderOptionsWrong, match=rf"providers\.here\.{named}.*expected"):
        open_local(name="here", fleet="unit", options=options, clock=SystemClock())
