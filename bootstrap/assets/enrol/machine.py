"""This machine: what it is to become, its log, its programs. What every other module stands on.

What never happens here: a known secret in the log, whoever wrote the line; a file of ours that is half written; a
program that is waited for without an end.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from typing import IO, Any
from urllib.parse import unquote

ROOT = os.environ.get("AUTOSCALER_ROOT", "")
"""Stands before all our paths; only tests set it."""
MASK = "********"
ETC = f"{ROOT}/etc/autoscaler/"
ENVIRONMENT = f"{ETC}worker.env"
LOG = f"{ROOT}/var/log/autoscaler-enrolment.log"
STATE = f"{ROOT}/var/lib/autoscaler-enrolment.json"
SYSTEMD_RUNS = f"{ROOT}/run/systemd/system"
PROGRAMS = f"{ROOT}/usr/local/lib/autoscaler/"
TAIL_LINES, TAIL_CHARACTERS, LINE_CHARACTERS = 100, 12_000, 400
"""Characters may take more than a byte each: a report holds at most 16 kB of log."""
_SHORTEST_SECRET = 6
"""What is shorter would hide half of the log."""
_secrets: set[str] = set()


class Failed(Exception):
    """It cannot be done; says why."""

    wrote = ""
    """What the program wrote that failed."""


class Settings:
    """/etc/autoscaler/machine.json, with the defaults of what is not in it. Times are seconds."""

    node: str
    fleet: str
    token: str
    user: str = "celery"
    directory: str = "/var/lib/autoscaler"
    python: str = "python3"
    keeper: str = "supervisord"
    source: str = "image"
    packages: list[str] = []
    disk: dict[str, Any] = {"check": "refuse", "limit_ms": 5}
    broker: dict[str, Any] = {"url": "", "ca_file": None, "enrolment_exchange": "autoscaler.enrolment"}
    credentials: str = "shared"
    lease: dict[str, Any] = {"after_s": 0, "then": "stop"}
    proxy: str = ""
    commands_before: list[str] = []
    commands_after: list[str] = []

    def __init__(self) -> None:
        with open(ETC + "machine.json") as file:
            settings = json.load(file)
        for name, value in settings.items():
            ours = getattr(self, name, None)
            setattr(self, name, {**ours, **value} if isinstance(ours, dict) else value)
        hide(self.token, self.proxy, self.broker["url"])


def hide(*secrets: str) -> None:
    """No line of the log holds these from now on, nor a password in them, nor what the worker's environment holds."""
    for secret in (*secrets, *_environment()):
        # An address, or several with `;` between them, is none itself; its password is, as it stands and as it means.
        # Of a text of several lines each is one.
        for each in re.split("[;\n]", secret):
            hidden = each.rpartition("@")[0].rpartition(":")[2] if "://" in each else each
            _secrets.update(part for part in (hidden, unquote(hidden)) if len(part) >= _SHORTEST_SECRET)


def _environment() -> list[str]:
    try:
        variables = [line.partition("=") for line in shlex.split(read(ENVIRONMENT))]
    except ValueError:
        return []
    # What we wrote ourselves is no secret, and is worth reading.
    ours = "AUTOSCALER_(FLEET|POOL|NODE|BROKER_CA)|(PYTHON)?PATH|LANG"
    return [value for name, _, value in variables if not re.fullmatch(ours, name)]


def masked(text: str) -> str:
    """The text without secrets. The longest go first: one may hold another."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    # Tokens stand in queries too.
    return re.sub(r"(://[^\s?]*\?)\S+", rf"\1{MASK}", re.sub(r"://[^/\s]*@", f"://{MASK}@", text))


def uptime_s() -> float:
    """Seconds since this machine had power, as its kernel counts them."""
    return round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)


def say(text: str) -> None:
    """A line for the log, and for that of cloud-init."""
    line = f"{uptime_s()} {masked(text.rstrip())}\n".encode()
    try:
        file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, line)
        os.close(file)
        os.write(1, line)
    except OSError:
        pass  # a full disk, or nobody who listens, keeps no machine from its work


def tail() -> list[str]:
    """The last lines of the log, as many as a report may hold."""
    # A secret may have become known after its line was written.
    lines = masked(read(LOG)).splitlines()[-TAIL_LINES:]
    text = "\n".join(line[:LINE_CHARACTERS] for line in lines)
    return text[-TAIL_CHARACTERS:].splitlines()


def read(path: str) -> str:
    """A file's text; empty where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Put a file there, whole or not at all, readable by whom it is meant for from its first byte on."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def run(argv: list[str], deadline_s: float = 60, stdin: str = "", **environment: str) -> str:
    """What a program wrote, which goes into the log too. Raises Failed with its exit code or the time it had, and with
    the last error that pip or apt tells."""
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            errors="replace",
            start_new_session=True,
        )
        # A service that it started may hold its output open for ever: the program is waited for, not its children.
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            if process.stdin:
                process.stdin.write(stdin)
                process.stdin.close()
            code = process.wait(deadline_s)
            trouble: object = code and f"exit code {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            trouble = f"not done within {deadline_s:.0f} s"
        reader.join(2)
    except OSError as error:
        trouble = error
    wrote = "".join(lines)
    if trouble:
        errors = re.findall("^(?:ERROR|E): .{,200}", wrote, re.MULTILINE)
        failed = Failed(": ".join([" ".join(argv[:3]), str(trouble), *errors[-1:]]))
        failed.wrote = wrote
        raise failed
    return wrote


def answer(argv: list[str]) -> str:
    """What a program says, whatever its exit code; nothing of it is put into the log."""
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _read(output: IO[str], lines: list[str]) -> None:
    for line in output:
        lines.append(line)
        say(line)
