"""The user data of a rented Debian or Ubuntu machine: a cloud-config document that makes it a worker.

In goes a `WorkerSpec`, out comes text for cloud-init. Everything is a file: settings and secrets in files that only
root can read, programs that name no secret, and one command at the end. Packages are that command's to install and
not cloud-init's, so that they are timed, tried again and told of. What never happens here: a secret in a command line,
a value of the spec in a file whose syntax it was not quoted for.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import yaml

from bootstrap import application, assets, machine, program, worker
from bootstrap.contract import ApplicationSource, WorkerSpec

_LIB = "/usr/local/lib/autoscaler"
_ONLY_ROOT = "0600"
_ROOTS_PROGRAM = "0755"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that people can read the files a machine will get."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def cloud_config(spec: WorkerSpec) -> str:
    """The document, in ASCII alone, which no provider's form or encoding can damage. `spec` must be usable."""
    document = {
        **_user(spec),
        "write_files": _files(spec),
        "runcmd": [[f"{_LIB}/become-worker"]],
    }
    # No line is broken: an unbroken line reads as what it says, in this document and in the files.
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=float("inf"))
    return f"#cloud-config\n{body}"


def environment_file(spec: WorkerSpec) -> str:
    """The worker's variables in the shell's syntax, one after another; values may span lines."""
    variables = worker.environment(spec)
    if spec.application.source is not ApplicationSource.IMAGE:
        # Tasks find the programs that came with the application, unless the operator says otherwise.
        variables = {"PATH": f"{application.VIRTUAL_ENVIRONMENT}/bin:{_SYSTEM_PATH}", **variables}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def _user(spec: WorkerSpec) -> dict[str, Any]:
    """The worker's user beside the image's own: without `default` cloud-init would leave operators no way in."""
    worker_user = {
        "name": spec.user,
        "system": True,
        "homedir": machine.HOME,
        "shell": "/usr/sbin/nologin",
        "lock_passwd": True,
    }
    return {"users": ["default", worker_user]}


def _files(spec: WorkerSpec) -> list[dict[str, str]]:
    only_root = {
        machine.PATH: machine.text(spec),
        "/etc/autoscaler/worker.env": environment_file(spec),
        **application.files(spec.application),
    }
    return [
        *(_file(path, _ONLY_ROOT, text) for path, text in only_root.items()),
        *(_file(f"{_LIB}/{name}", _ROOTS_PROGRAM, text) for name, text in _programs(spec).items()),
    ]


def _programs(spec: WorkerSpec) -> dict[str, str]:
    user = shlex.quote(spec.user)
    directory = shlex.quote(spec.application.directory or machine.HOME)
    command = worker.argv(spec, python=application.interpreter(spec.application))
    told = json.loads(machine.text(spec))
    return {
        "run-worker": assets.fill("run-worker", USER=user, DIRECTORY=directory, COMMAND=_continued(command)),
        "become-worker": program.packed(program.modules_for(told)),
    }


def _continued(command: tuple[str, ...]) -> str:
    """A shell command with an option a line."""
    words = ((" \\\n    " if word.startswith("--") else " ") + shlex.quote(word) for word in command)
    return "".join(words).lstrip()


def _file(path: str, permissions: str, content: str) -> dict[str, str]:
    # Whose it is needs no word: cloud-init makes it root's.
    return {"path": path, "permissions": permissions, "content": content}
