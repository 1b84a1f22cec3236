"""The life of a machine that is a group of processes: real keepers with programs that do little."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys

import pytest

from providers.local import keeper, processes
from tests.unit.providers.local_account import DEADLINE_S, SECRET, Here, has_ended, names, until


def test_a_machine_outlives_the_daemon_that_made_it(here: Here) -> None:
    """A daemon killed the moment after its create leaves a machine that the next one lists and ends."""
    spec = here.spec()
    made_elsewhere = f"""
import os, signal
from autoscaler.clock import SystemClock
from providers.contract import InstanceSpec
from providers.local.provider import open_local
options = {{"directory": {str(here.directory)!r}}}
provider = open_local(name="here", fleet={here.fleet!r}, options=options, clock=SystemClock())
what = dict(size="", image="", location="", user_data={spec.user_data!r})
provider.create(InstanceSpec(name="images-1", fleet={here.fleet!r}, pool="images", **what), timeout_s=5.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    daemon = subprocess.run([sys.executable, "-c", made_elsewhere], timeout=30, check=False)
    assert -signal.SIGKILL == daemon.returncode

    provider = here.open()

    assert ["images-1"] == names(provider)
    assert until(here.works)
    provider.destroy("images-1", None, timeout_s=DEADLINE_S)
    assert [] == here.running()


def test_the_program_gets_what_its_user_data_says_and_nothing_of_the_daemons(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argument list, environment and directory are as written; the daemon's own variables stay its own."""
    monkeypatch.setenv("DAEMON_PASSWORD", SECRET)
    show = (
        "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]), flush=True)"
    )
    argv = [sys.executable, "-c", show, "two words", "$HOME"]
    here.open().create(
        here.spec(argv, environment={"GREETING": "hé = $x", processes.NODE: "other"}), timeout_s=5.0
    )

    assert until(lambda: "stays up" in here.log())
    arguments, environment, directory = json.loads(here.log().splitlines()[0])
    assert (["two words", "$HOME"], str(here.directory)) == (arguments, directory)
    assert ("hé = $x", "images-1", "1") == (
        environment["GREETING"],
        environment[processes.NODE],
        environment["SPT_NOENV"],
    )
    assert SECRET not in json.dumps(environment)


def test_secrets_lie_in_files_of_the_owner_only_and_in_no_command_line(here: Here) -> None:
    """The user data is 0600 in a 0700 directory; the process list and the log show none of it."""
    provider = here.open()
    provider.create(here.spec(environment={"CELERY_BROKER_URL": SECRET}), timeout_s=5.0)
    assert until(here.works)

    assert 0o700 == stat.S_IMODE(here.place().stat().st_mode)
    assert 0o600 == stat.S_IMODE((here.place() / keeper.USER_DATA).stat().st_mode)
    assert [] == [each.pid for each in here.running() if SECRET in " ".join(each.cmdline())]
    assert SECRET not in here.log()


def test_a_crashed_program_is_started_again(here: Here) -> None:
    """Any exit that is not expected starts it again, and the log says with what it ended."""
    here.open().create(here.spec(["sh", "-c", "echo ran; exit 3"]), timeout_s=5.0)

    assert until(lambda: here.log().count("ran") >= 2)
    assert "ended with 3; starting it again" in here.log()


def test_an_expected_exit_leaves_the_program_down_and_the_machine_up(here: Here) -> None:
    """A worker that was told to go stays gone; the machine is billed until somebody destroys it."""
    provider = here.open()
    provider.create(here.spec(["sh", "-c", "echo ran; exit 7"], expected=(0, 7)), timeout_s=5.0)

    assert until(lambda: "stays up" in here.log())
    assert 1 == here.log().count("ran")
    assert ["images-1"] == names(provider)


def test_a_program_that_cannot_be_started_is_tried_again_and_said(here: Here) -> None:
    """The log names the reason and holds no secret; the machine stands."""
    provider = here.open()
    provider.create(here.spec(["/no/such/program"], environment={"TOKEN": SECRET}), timeout_s=5.0)

    assert until(lambda: "No such file" in here.log())
    assert SECRET not in here.log()
    assert ["images-1"] == names(provider)


@pytest.mark.parametrize(
    "user_data",
    [
        b"",
        b"#cloud-config\n",
        b"[]",
        b'{"argv": []}',
        b'{"argv": "sleep 600"}',
        b'{"argv": ["a"], "environment": 3}',
    ],
)
def test_a_machine_with_unusable_user_data_stands_and_does_nothing(here: Here, user_data: bytes) -> None:
    """As at a cloud: it is there, it is billed, and its log says why no worker comes."""
    provider = here.open()
    provider.create(here.raw(user_data), timeout_s=5.0)

    assert until(lambda: "user data cannot be read" in here.log())
    assert ["images-1"] == names(provider)


def test_a_machine_that_boots_is_listed_before_its_program_runs(here: Here) -> None:
    """`boot_s` passes between the order and the program."""
    provider = here.open(boot_s=1.0)
    made = provider.create(here.spec(["sh", "-c", "touch ran; sleep 600"]), timeout_s=5.0)
    assert made.created_at is not None

    assert ["images-1"] == names(provider)
    assert until((here.directory / "ran").exists)
    assert (here.directory / "ran").stat().st_mtime - made.created_at >= 1.0


def test_what_lost_the_mark_is_known_by_its_session(here: Here) -> None:
    """A grandchild with an empty environment, as a rewritten process title leaves it, ends with its machine."""
    scrubbed = "import subprocess; subprocess.run(['sleep', '601'], env={})"
    provider = here.open()
    provider.create(here.spec([sys.executable, "-c", scrubbed]), timeout_s=5.0)
    assert until(lambda: here.running_as("sleep", "601"))
    (orphan,) = here.running_as("sleep", "601")

    provider.destroy("images-1", None, timeout_s=DEADLINE_S)

    assert has_ended(orphan)


def test_what_left_the_session_is_known_by_its_mark(here: Here) -> None:
    """A daemonised grandchild whose parents have all ended still makes the machine, and ends with it."""
    provider = here.open()
    leaving = "setsid sh -c 'touch left; exec sleep 602' & until [ -e left ]; do sleep 0.02; done"
    provider.create(here.spec(["sh", "-c", leaving]), timeout_s=5.0)
    assert until(lambda: "stays up" in here.log() and here.running_as("sleep", "602"))
    (left,) = here.running_as("sleep", "602")
    here.keeper().kill()
    assert until(lambda: 1 == len(here.running()))

    assert ["images-1"] == names(provider)
    provider.destroy("images-1", None, timeout_s=DEADLINE_S)
    assert has_ended(left)


def test_a_machine_without_its_keeper_still_stands_with_the_same_birth(here: Here) -> None:
    """What runs is the truth: the worker alone is the machine, under the same name, pool and time of birth."""
    provider = here.open()
    made = provider.create(here.spec(), timeout_s=5.0)
    assert until(here.works)
    here.keeper().kill()
    assert until(lambda: 1 == len(here.running()))

    (seen,) = here.open().list_instances(timeout_s=5.0).instances
    assert (made.name, made.pool, made.created_at) == (seen.name, seen.pool, seen.created_at)


def test_a_keeper_told_to_end_ends_its_program_and_all_of_its_group(here: Here) -> None:
    """SIGTERM reaches the program, which may end in order; what it leaves behind is killed; nothing is left."""
    in_order = "trap 'echo in order; exit 0' TERM; sleep 603 & echo ready; wait"
    provider = here.open()
    provider.create(here.spec(["sh", "-c", in_order]), timeout_s=5.0)
    assert until(lambda: "ready" in here.log())

    here.keeper().terminate()

    assert until(lambda: [] == here.running())
    assert "in order" in here.log()
    assert [] == names(provider)


def test_a_program_that_ends_leaves_nothing_behind_when_it_is_started_again(here: Here) -> None:
    """Pool processes of a crashed worker are killed before its successor starts."""
    provider = here.open()
    provider.create(here.spec(["sh", "-c", "sleep 604 & echo ran; exit 3"]), timeout_s=5.0)
    assert until(lambda: here.log().count("ran") >= 2)

    assert until(lambda: len(here.running_as("sleep", "604")) <= 1)
