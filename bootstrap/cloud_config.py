"""The user data of a rented Debian or Ubuntu machine: a cloud-config document that makes it a worker.

In goes a `WorkerSpec`, out comes text for cloud-init. Everything is a file: settings and secrets in files that only
root can read, programs that name no secret, and one command at the end. Packages are that command's to install and
not cloud-init's, so that they are timed, tried again and told of. What never happens here: a secret in a command line,
a value of the spec in a file whose syntax it was not quoted for.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import yaml
from yaml.emitter import Emitter, ScalarAnalysis

from bootstrap import application, assets, machine, program, system, worker
from bootstrap.application import HOME
from bootstrap.contract import ApplicationSource, Credentials, WorkerSpec

_LIB = "/usr/local/lib/autoscaler"
_ONLY_ROOT = "0600"
_ROOTS_PROGRAM = "0755"
_ROOTS_TEXT = "0644"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


_TEXTS_KNOWN = 256
_NO_BLOCK = re.compile(r"[^\n -~]| (?=\n|\Z)")
"""What keeps a text from being written as a block: an unusual character, or a space at the end of a line."""
_LINE = re.compile("^(?=.)", re.MULTILINE)
"""Where a line begins that is not empty."""


def _as_a_block(text: str) -> ScalarAnalysis:
    """What PyYAML finds of a text of several lines that can be a block, which is how it is written then."""
    return ScalarAnalysis(
        scalar=text,
        empty=False,
        multiline=True,
        allow_flow_plain=False,
        allow_block_plain=False,
        allow_single_quoted=False,
        allow_double_quoted=True,
        allow_block=True,
    )


@lru_cache(maxsize=_TEXTS_KNOWN)
def _analysed(text: str) -> ScalarAnalysis:
    # PyYAML looks at each character in turn, and machines of all pools are given the same programs: a daemon with a
    # hundred pools began 1 s of a processor later for it.
    if "\n" in text and not _NO_BLOCK.search(text):
        return _as_a_block(text)
    return Emitter(io.StringIO()).analyze_scalar(text)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that people can read the files a machine will get."""

    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        """In which styles the text can be written."""
        return _analysed(scalar)

    def write_literal(self, text: str) -> None:
        """Text as a block, line by line, as PyYAML writes it character by character: with a hundred pools 0.3 s of a
        processor at each start. What is no ASCII never comes here, so a line ends where everybody thinks it does."""
        hints = self.determine_block_hints(text)
        self.write_indicator(f"|{hints}", need_whitespace=True)
        self.open_ended = self.open_ended or hints.endswith("+")
        self.write_line_break()
        self.stream.write(_LINE.sub(" " * (self.indent or 0), text.removesuffix("\n")))
        self.write_line_break()


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def cloud_config(spec: WorkerSpec, *, packed: bool = False, marks_drains: bool = True) -> str:
    """The document, in ASCII alone, which no provider's form or encoding can damage. `spec` must be usable.

    `packed` compresses each file in it that gets smaller by that: less to read for people, the same to cloud-init.
    Without `marks_drains` a worker that dies while it is drained is started, and told by the daemon once more.
    """
    files = list(_files(spec, marks_drains=marks_drains))
    document = {
        "bootcmd": [system.UPGRADES_WAIT],
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


def _user(spec: WorkerSpec) -> dict[str, Any]:
    """The worker's user beside the image's own: without `default` cloud-init would leave operators no way in."""
    worker_user = {
        "name": spec.user,
        "system": True,
        "homedir": HOME,
        "shell": "/usr/sbin/nologin",
    }
    return {"users": ["default", worker_user]}


def _files(spec: WorkerSpec, *, marks_drains: bool) -> Iterator[dict[str, Any]]:
    """Ours, and the operator's where our program finds them: who is to own them is not there yet."""
    only_root = {
        machine.PATH: machine.text(spec),
        "/etc/autoscaler/worker.env": environment_file(spec),
        **application.files(spec.application, proxy=spec.system.proxy),
    }
    for path, text in only_root.items():
        yield _file(path, _ONLY_ROOT, text)
    for name, text in _programs(spec, marks_drains=marks_drains).items():
        yield _file(f"{_LIB}/{name}", _ROOTS_PROGRAM, text)
    if spec.broker_ca:
        yield _file(worker.BROKER_CA, _ROOTS_TEXT, spec.broker_ca)
    for file in system.files(spec.system):
        yield _file(file.path, file.mode, file.content)
    for number, file in enumerate(spec.files):
        yield _file(machine.kept(number), _ONLY_ROOT, file.content)


def _programs(spec: WorkerSpec, *, marks_drains: bool) -> dict[str, str]:
    user = shlex.quote(spec.user)
    directory = shlex.quote(application.directory(spec.application))
    celery = (worker.RUN_CELERY,) if marks_drains else worker.CELERY
    command = worker.argv(spec, python=application.interpreter(spec.application), celery=celery)
    told = json.loads(machine.text(spec))
    return {
        "run-worker": assets.fill(
            "run-worker",
            USER=user,
            DIRECTORY=directory,
            COMMAND=_continued(command),
            DRAINED=assets.fill("stay-down", USER=user).rstrip() if marks_drains else "",
        ),
        "become-worker": program.packed(
            program.modules_for(told), tuple(_carried(spec, marks_drains=marks_drains))
        ),
    }


def _carried(spec: WorkerSpec, *, marks_drains: bool) -> Iterator[tuple[str, str]]:
    """What is the same for everybody and needed by some, as paths and names of assets."""
    if marks_drains:
        yield worker.RUN_CELERY, "run-celery"
    if spec.application.source is ApplicationSource.TARBALL:
        yield machine.FETCH_APPLICATION, "fetch-application"
    if spec.broker_ca:
        yield f"{worker.MODULES}/{worker.TLS_MODULE}.py", "broker-tls"
    if spec.system.apt_mirror:
        yield system.USE_MIRROR, "use-mirror"


def _continued(command: tuple[str, ...]) -> str:
    """A shell command with an option a line."""
    words = ((" \\\n    " if word.startswith("--") else " ") + shlex.quote(word) for word in command)
    return "".join(words).lstrip()


def _file(path: str, permissions: str, content: str) -> dict[str, str]:
    # Whose it is needs no word: cloud-init makes it root's.
    return {"path": path, "permissions": permissions, "content": content}


def _packed(file: dict[str, Any]) -> dict[str, Any]:
    content = file["content"]
    # The time in gzip's header would make equal specs differ.
    packed = base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()
    return {**file, "encoding": "gz+b64", "content": packed} if len(packed) < len(content) else file
