"""The user data of a worker that is a process of this machine: a JSON document for the `local` provider's keeper.

In goes a `WorkerSpec`, out comes one program with its environment. Nothing is installed and no user is changed: the
worker runs from what is here, as whoever runs the daemon. The document holds secrets and is the keeper's to guard.
"""

from __future__ import annotations

import json
from dataclasses import replace

from bootstrap import worker
from bootstrap.contract import ApplicationSource, Credentials, System, UnusableSpec, WorkerSpec


def process(spec: WorkerSpec) -> str:
    """The document. Raises UnusableSpec where something would have to be installed first."""
    if spec.application.source is not ApplicationSource.IMAGE:
        raise UnusableSpec(
            f'application.source: "{spec.application.source}", but a process of this machine runs from what is '
            'installed here; expected source = "image", with the interpreter in application.python'
        )
    unused = {
        "packages": spec.packages,
        "files": spec.files,
        "commands_before": spec.commands_before,
        "commands_after": spec.commands_after,
        "lease": spec.lease.after_s,
        "credentials": spec.credentials is not Credentials.SHARED,
        "system": spec.system != System(),
    }
    for name, given in unused.items():
        if given:
            raise UnusableSpec(f"{name}: nothing is done for a process of this machine; expected none")
    # Its certificates are where the app looks for them: there is no place of ours on this machine.
    spec = replace(spec, broker_ca="")
    document = {
        "argv": worker.argv(spec, python=spec.application.python),
        "environment": worker.environment(spec),
        "directory": spec.application.directory,
        "expected_exit_codes": [0],
    }
    return json.dumps(document, indent=2) + "\n"
