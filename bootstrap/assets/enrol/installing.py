"""Packages of the system and the application: what is missing of them, and nothing that the image has.

apt and pip are run from here and not by cloud-init, so that they are timed, tried again and told of. The application's
virtual environment belongs to root: the worker runs its code and cannot change it. What to install and from where
stands in files that only root can read, because their addresses may hold credentials: pip's configuration, a
requirements file, git's configuration. What never happens here: an address in a command line of ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable

from bootstrap.assets.enrol import machine

DEADLINE_S = 1200
"""For the packages, for the application, and for each of an operator's commands."""
VENV = f"{machine.ROOT}/opt/autoscaler/venv/"
_REQUIREMENTS = machine.ETC + "requirements.txt"
_STAMP = VENV + ".autoscaler"
_ATTEMPTS = 5
_NOES = 2
"""So often somebody who knows may say that it is not to be had: what was published this minute gets a second look."""
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def packages(settings: machine.Settings) -> str:
    """What was done, in words. An operator's first commands come before."""
    _shell(settings.commands_before)
    wanted = settings.packages
    query = ["dpkg-query", "-Wf", "${Package} ${Package}=${Version} ${Status}\n"]
    there = machine.answer(query) if wanted else ""
    names = [
        name
        for name in wanted
        if not re.search(f"^(.* )?{re.escape(name)} .*ok installed$", there, re.MULTILINE)
    ]
    if names:
        again(lambda left_s: _apt(names, left_s))
    return f"installed: {' '.join(names) or 'nothing was missing'}"


def _apt(names: list[str], left_s: float) -> None:
    # Somebody else may be at it, as upgrades that began with the boot. Flushing each file to the disk is worth nothing
    # on a machine that would be replaced, not repaired.
    apt = [
        "apt-get",
        "-qq",
        "-oAcquire::Retries=3",
        "-oDPkg::Lock::Timeout=300",
        "-oDPkg::Options::=--force-unsafe-io",
    ]
    machine.run([*apt, "update"], left_s, **_QUIETLY)
    # Where it was cut off in the middle before, it says so until this is done.
    machine.run(["dpkg", "--configure", "-a", "--force-confold"], left_s, **_QUIETLY)
    install = ["-oDPkg::Options::=--force-confold", "--no-install-recommends", "install", *names]
    machine.run([*apt, *install], left_s, **_QUIETLY)


def application(settings: machine.Settings) -> str:
    """What was done, in words. An operator's last commands come after."""
    says = "in the image"
    if settings.source != "image":
        requirements = machine.read(_REQUIREMENTS)
        digest = hashlib.sha256((settings.python + requirements).encode()).hexdigest()
        # An image that was made from these very requirements has them; what a branch means may have changed since.
        moves = any(
            not re.search("@[0-9a-f]{40}(#|$)", line) for line in requirements.splitlines() if "git+" in line
        )
        if moves or machine.read(_STAMP) != digest:
            says = "installed"
            again(lambda left_s: _pip(settings, left_s))
            machine.write(_STAMP, digest, 0o644)
    _shell(settings.commands_after)
    return says


def _pip(settings: machine.Settings, left_s: float) -> None:
    # git finds its credentials under XDG_CONFIG_HOME, and asks nobody when it finds none.
    where = {
        "PIP_CONFIG_FILE": machine.ETC + "pip.conf",
        "XDG_CONFIG_HOME": machine.ETC,
        "GIT_TERMINAL_PROMPT": "0",
    }
    # An environment's pip comes last: without it there is half of one.
    if not os.path.exists(VENV + "bin/pip"):
        machine.run([settings.python, "-m", "venv", VENV], left_s)
    pip = [VENV + "bin/python", "-m", "pip", "install", "-r", _REQUIREMENTS]
    machine.run(pip, left_s, **where)


def _shell(commands: list[str]) -> None:
    """An operator's own lines. They come by standard input: a command line is everybody's to read."""
    for lines in commands:
        machine.run(["/bin/sh", "-eu"], DEADLINE_S, lines, **_QUIETLY)


def again(step: Callable[[float], None]) -> None:
    """Try until it works: networks and mirrors are not always there at once. `step` gets the seconds it may take."""
    ends_at = time.monotonic() + DEADLINE_S
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            step(ends_at - time.monotonic())
            break
        except machine.Failed as error:
            most = _NOES if _is_no(error.wrote) else _ATTEMPTS
            if attempt >= most or time.monotonic() + 3 * attempt > ends_at:
                raise machine.Failed(f"{error}, attempt {attempt}") from None
            machine.say(f"{error}; tried again")
            time.sleep(3 * attempt)


def _is_no(wrote: str) -> bool:
    """Whether an index told pip which versions there are, and none of them will do. One that cannot be reached, or says
    that it is busy, has none to tell; where pip looks in several places, one of these may be silent."""
    told = re.search("from versions: (?!none)", wrote)
    return bool(told) and not re.search("WARNING:|Looking in (links|.*,)", wrote)
