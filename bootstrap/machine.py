"""What the program on the machine is told: `/etc/autoscaler/machine.json`.

In goes a `WorkerSpec`, out comes the text of that file. A key that is absent has the default that the program has, so
that a plain pool's user data stays small. The file holds secrets and is for root alone.
"""

from __future__ import annotations

import json

from bootstrap import application
from bootstrap.contract import ApplicationSource, WorkerSpec

PATH = "/etc/autoscaler/machine.json"
HOME = "/var/lib/autoscaler"
"""The worker's home, and its working directory where nothing else is said."""


def text(spec: WorkerSpec) -> str:
    """The settings as JSON, in ASCII."""
    settings = {
        "node": spec.node,
        "fleet": spec.fleet,
        "pool": spec.pool,
        "token": "",
        "user": spec.user,
        "directory": spec.application.directory or HOME,
        "python": spec.application.python,
        "source": spec.application.source,
        "packages": packages(spec),
        "broker": {"url": spec.broker_url},
    }
    return json.dumps(settings, indent=1) + "\n"


def packages(spec: WorkerSpec) -> tuple[str, ...]:
    """The Debian packages a machine needs, each once, ours first. An image has everything in it but what the operator
    names."""
    needed = application.packages(spec.application)
    if spec.application.source is not ApplicationSource.IMAGE:
        needed = (*needed, "supervisor")
    return tuple(dict.fromkeys((*needed, *spec.packages)))
