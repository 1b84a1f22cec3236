"""What the program on the machine is told: `/etc/autoscaler/machine.json`.

In goes a `WorkerSpec`, out comes the text of that file. A key that is absent has the default which docs/bootstrap.md
writes beside it, so that a plain pool's user data stays small. What never happens here: a default of our own; the
contract has them. The file holds secrets and is for root alone.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from bootstrap import application, system, worker
from bootstrap.contract import (
    Application,
    ApplicationSource,
    Command,
    Credentials,
    Disk,
    FileOwner,
    Keeper,
    Lease,
    WorkerSpec,
)

PATH = "/etc/autoscaler/machine.json"
FETCH_APPLICATION = "/usr/local/lib/autoscaler/fetch-application"


def text(spec: WorkerSpec) -> str:
    """The settings as JSON in ASCII, a key a line."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in _present(spec).items())
    return f"{{{lines}}}\n"


def kept(number: int) -> str:
    """Where a file of the operator's waits until the worker's user and the directories are there."""
    return f"/etc/autoscaler/files/{number}"


def packages(spec: WorkerSpec) -> tuple[str, ...]:
    """The Debian packages a machine needs, each once, ours first. An image has everything in it but what the operator
    names."""
    needed = application.packages(spec.application)
    if spec.application.source is not ApplicationSource.IMAGE and spec.keeper is Keeper.SUPERVISORD:
        needed = (*needed, "supervisor")
    return tuple(dict.fromkeys((*needed, *spec.packages)))


def _present(spec: WorkerSpec) -> dict[str, Any]:
    """Identity always; of the rest what is not as it is anyway."""
    always = {
        "node": spec.node,
        "fleet": spec.fleet,
        "pool": spec.pool,
        "token": spec.token,
        "user": spec.user,
        "directory": application.directory(spec.application),
        "python": spec.application.python,
        "source": spec.application.source,
        "broker": _broker(spec),
    }
    others = {
        "keeper": (spec.keeper, Keeper.SUPERVISORD),
        "packages": (packages(spec), ()),
        "credentials": (spec.credentials, Credentials.SHARED),
        "disk": (_disk(spec.disk), _disk(Disk())),
        "lease": (_lease(spec.lease), _lease(Lease())),
        "proxy": (spec.system.proxy, ""),
        "tarball": (_tarball(spec.application), {}),
        "commands_before": (
            [
                *system.first_commands(spec.system),
                *_fetching(spec.application),
                *_placing(spec),
                *_lines(spec.commands_before),
            ],
            [],
        ),
        "commands_after": (_lines(spec.commands_after), []),
    }
    return always | {key: value for key, (value, default) in others.items() if value != default}


def _tarball(told: Application) -> dict[str, str]:
    if told.source is not ApplicationSource.TARBALL:
        return {}
    return {"url": told.reference, "sha256": told.sha256}


def _fetching(told: Application) -> list[str]:
    """What our own program for it is called by: a command like an operator's, before whose pip reads requirements."""
    return [FETCH_APPLICATION] if told.source is ApplicationSource.TARBALL else []


def _placing(spec: WorkerSpec) -> list[str]:
    """What puts the operator's files into their places, again too. The group stays root's: the worker's user may have
    been in the image, with a group of any name."""
    lines = []
    home = application.directory(spec.application)
    if any(file.path.startswith(f"{home}/") for file in spec.files):
        # Whoever makes it for the sake of a file would make it root's.
        lines.append(f"test -d {shlex.quote(home)} || install -d -o {spec.user} {shlex.quote(home)}")
    for number, file in enumerate(spec.files):
        owner = spec.user if file.owner is FileOwner.WORKER else "root"
        words = ["install", "-D", "-m", file.mode, "-o", owner, "-g", "root", kept(number), file.path]
        lines.append(shlex.join(words))
    return lines


def _lines(commands: tuple[Command, ...]) -> list[str]:
    """All as lines for the shell, which reads back the words of a command as they were written."""
    return [command if isinstance(command, str) else shlex.join(command) for command in commands]


def _broker(spec: WorkerSpec) -> dict[str, str]:
    return {"url": spec.broker_url} | ({"ca_file": worker.BROKER_CA} if spec.broker_ca else {})


def _disk(disk: Disk) -> dict[str, str | float]:
    return {"check": disk.check, "limit_ms": disk.limit_ms}


def _lease(lease: Lease) -> dict[str, str | float]:
    return {"after_s": lease.after_s, "then": lease.then}
