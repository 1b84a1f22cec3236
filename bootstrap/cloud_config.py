"""The user data of a rented Debian or Ubuntu machine: a cloud-config document that makes it a worker.

In goes a `WorkerSpec`, out comes text for cloud-init. Everything is a file: settings and secrets in files that only
root can read, programs that name no secret, and one command at the end. What never happens here: a secret in a command
line, a value of the spec in a file whose syntax it was not quoted for.
"""

from __future__ import annotations

import base64
import gzip
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from bootstrap import application, assets, machine, system, worker
from bootstrap.application import HOME
from bootstrap.contract import ApplicationSource, Credentials, WorkerSpec

_LIB = "/usr/local/lib/autoscaler"
_ONLY_ROOT = "0600"
_ROOTS_PROGRAM = "0755"
_ROOTS_TEXT = "0644"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that people can read the files a machine will get."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def cloud_config(spec: WorkerSpec, *, packed: bool = False) -> str:
    """The document, in ASCII alone, which no provider's form or encoding can damage. `spec` must be usable.

    `packed` compresses each file in it that gets smaller by that: less to read for people, the same to cloud-init.
    """
    files = list(_files(spec))
    document = {
        "bootcmd": [system.UPGRADES_WAIT],
        **_packages(spec),
        **_user(spec),
        "write_files": [_packed(file) for file in files] if packed else files,
        "runcmd": [[f"{_LIB}/become-worker"], *system.last_commands(spec.system)],
    }
    # No line is broken: an unbroken line reads as what it says, in this document and in the files.
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=float("inf"))
    return f"#cloud-config\n{body}"


def environment_file(spec: WorkerSpec) -> str:
    """The worker's variables in the shell's syntax, one after another; values may span lines. Where a node has
    credentials of its own, the pool's secrets come after enrolment, and none of them stands here."""
    if spec.credentials is Credentials.NODE:
        spec = replace(spec, environment={}, broker_url="")
    variables = worker.environment(spec)
    if spec.application.source is not ApplicationSource.IMAGE:
        # Tasks find the programs that came with the application, unless the operator says otherwise.
        variables = {"PATH": f"{application.VIRTUAL_ENVIRONMENT}/bin:{_SYSTEM_PATH}", **variables}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def _packages(spec: WorkerSpec) -> dict[str, Any]:
    """The package step, if there is anything to install."""
    wanted = list(machine.packages(spec))
    return {"package_update": True, "packages": wanted} if wanted else {}


def _user(spec: WorkerSpec) -> dict[str, Any]:
    """The worker's user beside the image's own: without `default` cloud-init would leave operators no way in."""
    worker_user = {
        "name": spec.user,
        "gecos": "Celery worker",
        "system": True,
        "homedir": HOME,
        "shell": "/usr/sbin/nologin",
        "lock_passwd": True,
    }
    return {"users": ["default", worker_user]}


def _files(spec: WorkerSpec) -> Iterator[dict[str, Any]]:
    """Ours, and the operator's where our program finds them: who is to own them is not there yet."""
    only_root = {
        machine.PATH: machine.text(spec),
        "/etc/autoscaler/worker.env": environment_file(spec),
        "/etc/autoscaler/celery-worker.conf": assets.fill("celery-worker.conf", NODE=spec.node),
        **application.files(spec.application, proxy=spec.system.proxy),
    }
    for path, text in only_root.items():
        yield _file(path, _ONLY_ROOT, text)
    for name, text in _programs(spec).items():
        yield _file(f"{_LIB}/{name}", _ROOTS_PROGRAM, text)
    if spec.application.source is ApplicationSource.TARBALL:
        # The same for everybody, and worth no pool's room.
        fetch = _file(machine.FETCH_APPLICATION, _ROOTS_PROGRAM, assets.fill("fetch-application"))
        yield _packed(fetch)
    if spec.broker_ca:
        yield _file(worker.BROKER_CA, _ROOTS_TEXT, spec.broker_ca)
        yield _file(f"{worker.MODULES}/{worker.TLS_MODULE}.py", _ROOTS_TEXT, assets.fill("broker-tls"))
    for file in system.files(spec.system):
        yield _file(file.path, file.mode, file.content)
    for number, file in enumerate(spec.files):
        yield _file(machine.kept(number), _ONLY_ROOT, file.content)


def _programs(spec: WorkerSpec) -> dict[str, str]:
    user = shlex.quote(spec.user)
    directory = shlex.quote(application.directory(spec.application))
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


def _packed(file: dict[str, Any]) -> dict[str, Any]:
    content = file["content"]
    # The time in gzip's header would make equal specs differ.
    packed = base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()
    return {**file, "encoding": "gz+b64", "content": packed} if len(packed) < len(content) else file
