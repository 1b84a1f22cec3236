"""The user data of a rented Debian or Ubuntu machine: a cloud-config document that makes it a worker.

In goes a `WorkerSpec`, out comes text for cloud-init. Everything is a file: settings and secrets in files that only
root can read, programs that name no secret, and one command at the end. What never happens here: a secret in a command
line, a value of the spec in a file whose syntax it was not quoted for.
"""

from __future__ import annotations

import shlex
from typing import Any

import yaml

from bootstrap import application, assets, worker
from bootstrap.contract import ApplicationSource, WorkerSpec

_LIB = "/usr/local/lib/autoscaler"
_HOME = "/var/lib/autoscaler"
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
        **_packages(spec),
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


def _packages(spec: WorkerSpec) -> dict[str, Any]:
    """The package step. An image has everything in it: there only what the operator names is installed."""
    needed = application.packages(spec.application)
    if spec.application.source is not ApplicationSource.IMAGE:
        needed = (*needed, "supervisor")
    # Each once, ours first.
    wanted = list(dict.fromkeys((*needed, *spec.packages)))
    return {"package_update": True, "packages": wanted} if wanted else {}


def _user(spec: WorkerSpec) -> dict[str, Any]:
    """The worker's user beside the image's own: without `default` cloud-init would leave operators no way in."""
    worker_user = {
        "name": spec.user,
        "gecos": "Celery worker",
        "system": True,
        "homedir": _HOME,
        "shell": "/usr/sbin/nologin",
        "lock_passwd": True,
    }
    return {"users": ["default", worker_user]}


def _files(spec: WorkerSpec) -> list[dict[str, str]]:
    only_root = {
        "/etc/autoscaler/worker.env": environment_file(spec),
        "/etc/autoscaler/celery-worker.conf": assets.fill("celery-worker.conf", NODE=spec.node),
        **application.files(spec.application),
    }
    return [
        *(_file(path, _ONLY_ROOT, text) for path, text in only_root.items()),
        *(_file(f"{_LIB}/{name}", _ROOTS_PROGRAM, text) for name, text in _programs(spec).items()),
    ]


def _programs(spec: WorkerSpec) -> dict[str, str]:
    user = shlex.quote(spec.user)
    directory = shlex.quote(spec.application.directory or _HOME)
    command = worker.argv(spec, python=application.interpreter(spec.application))
    programs = {
        "run-worker": assets.fill("run-worker", USER=user, DIRECTORY=directory, COMMAND=_continued(command)),
        "become-worker": assets.fill("become-worker", USER=user, DIRECTORY=directory),
    }
    if spec.application.source is not ApplicationSource.IMAGE:
        python = shlex.quote(spec.application.python)
        programs["install-application"] = assets.fill("install-application", PYTHON=python)
    return programs


def _continued(command: tuple[str, ...]) -> str:
    """A shell command with an argument a line."""
    return " \\\n    ".join(map(shlex.quote, command))


def _file(path: str, permissions: str, content: str) -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": permissions, "content": content}
