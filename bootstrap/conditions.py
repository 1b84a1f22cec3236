"""What must hold for the machine around the worker: its files, commands, ways out, disk and lease, and Celery's limits.

In goes a `WorkerSpec`, out come sentences as `validity` collects them. Everything that is rendered into a file whose
syntax does not quote it is held to a pattern here. What never happens here: a secret in a sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from bootstrap import addresses, application, masking, system
from bootstrap.contract import ApplicationSource, Command, Credentials, System, WorkerPool, WorkerSpec

LEAST_LEASE_S = 30.0
"""The fleet speaks every ten seconds; a shorter lease would end at two words that were lost."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+)+")
_MODE = re.compile(r"0[0-7]{3}")
_HOST_URL = re.compile(r"https?://[A-Za-z0-9._~%!$&()*+,;=:@\[\]-]+/?")
"""What needs no quoting in apt's, pip's and git's files alike."""
_ARCHIVE_URL = re.compile(r"https?://[A-Za-z0-9._~%+:\[\]-]+(/[A-Za-z0-9._~%+/-]*)?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_OURS = (
    "/dev/", "/etc/autoscaler/", "/etc/supervisor/conf.d/celery-worker.conf", "/opt/autoscaler/venv/", "/proc/",
    "/sys/", "/usr/local/lib/autoscaler/", "/var/lib/cloud/", system.APT_CONF,
)  # fmt: skip
"""What a file of an operator would break, or would not outlive."""

_PREFORK = frozenset({None, WorkerPool.PREFORK})
_ENDS_TASKS = _PREFORK | {WorkerPool.GEVENT}


def of_celery(spec: WorkerSpec) -> Iterator[str]:
    """Limits that are numbers Celery takes, in a pool that heeds them."""
    limits = {
        "time_limit": (spec.time_limit_s, _ENDS_TASKS),
        "soft_time_limit": (spec.soft_time_limit_s, _PREFORK),
        "max_tasks_per_child": (spec.max_tasks_per_child, _PREFORK),
        "max_memory_per_child": (spec.max_memory_per_child_kib, _PREFORK),
    }
    for name, (value, pools) in limits.items():
        if value is None:
            continue
        if not (math.isfinite(value) and value > 0):
            yield f"{name}: {value}, expected more than nothing"
        if spec.worker_pool not in pools:
            known = " or ".join(sorted(filter(None, pools)))
            yield f'{name}: the pool "{spec.worker_pool}" does not heed it; expected worker_pool {known}'
    soft, hard = spec.soft_time_limit_s, spec.time_limit_s
    if soft is not None and hard is not None and soft >= hard:
        yield f"soft_time_limit: {soft:g} s, expected less than time_limit, which is {hard:g} s"


def of_broker(spec: WorkerSpec) -> Iterator[str]:
    """Certificates that are some, and an address to enrol at."""
    if spec.broker_ca and "-----BEGIN CERTIFICATE-----" not in spec.broker_ca:
        yield "broker_ca: holds no certificate in PEM (BEGIN CERTIFICATE)"
    if "PRIVATE KEY-----" in spec.broker_ca:
        yield "broker_ca: holds a private key (not shown), which every machine would be given"
    if spec.credentials is Credentials.NODE and not spec.broker_url:
        yield 'broker_url: empty, but with credentials = "node" a machine enrols at the broker'


def of_files(spec: WorkerSpec) -> Iterator[str]:
    """Paths that can be written and are nobody else's; secrets that not everybody can read."""
    seen = set()
    replaced = f"{application.directory(spec.application)}/"
    for file in spec.files:
        if not _PATH.fullmatch(file.path):
            yield f"files: {file.path!r} is no plain absolute path of a file"
        elif any(file.path.startswith(ours) for ours in _OURS):
            yield f"files: {file.path!r} is not yours to write"
        elif spec.application.source is ApplicationSource.TARBALL and file.path.startswith(replaced):
            yield f"files: {file.path!r} would be lost: the tarball takes the place of {replaced}"
        elif file.path in seen:
            yield f"files: {file.path!r} is written twice"
        seen.add(file.path)
        if not _MODE.fullmatch(file.mode):
            yield f"files: mode {file.mode!r} of {file.path!r}, expected 0 and three octal digits, such as 0640"
        elif file.is_secret and not file.mode.endswith("0"):
            yield f"files: {file.path!r} holds a secret, and mode {file.mode} shows it to everybody; expected 0640"
        elif file.is_secret and spec.credentials is Credentials.NODE:
            yield (
                f"files: {file.path!r} holds a secret, which would stay in the user data; with credentials = "
                '"node" secrets go into the environment, which is granted after enrolment'
            )


def of_commands(spec: WorkerSpec) -> Iterator[str]:
    """Commands that can be run, and that anybody may read."""
    for name, commands in (("before", spec.commands_before), ("after", spec.commands_after)):
        for number, command in enumerate(commands):
            if problem := _of_command(command):
                yield f"commands_{name}[{number}]: {problem}"


def _of_command(command: Command) -> str:
    words = (command,) if isinstance(command, str) else command
    if not words or not words[0].strip() or words[0].startswith("-"):
        return "no program to run"
    if any(map(_CONTROL.search, words)):
        return "holds a control character; expected one line"
    if any(map(addresses.holds_credentials, words)):
        return "an address with credentials (not shown), which everybody on the machine could read; put it into a file"
    return ""


def of_system(settings: System) -> Iterator[str]:
    """Addresses that three programs read alike, and a zone."""
    if settings.proxy and (not _HOST_URL.fullmatch(settings.proxy) or not _has_port(settings.proxy)):
        yield f"proxy: {masking.url(settings.proxy)!r} is no http or https URL of a host and port, percent-encoded"
    for name, url in (("", settings.apt_mirror), ("security_", settings.apt_security_mirror)):
        if addresses.holds_credentials(url):
            yield f"apt_{name}mirror: an address with credentials (not shown), expected one without"
        elif url and not _ARCHIVE_URL.fullmatch(url):
            yield f"apt_{name}mirror: {masking.url(url)!r} is no http or https URL of an archive"
    if settings.apt_security_mirror and not settings.apt_mirror:
        yield "apt_security_mirror: is set, but no apt_mirror; expected both or neither"
    if settings.time_zone and not _ZONE.fullmatch(settings.time_zone):
        yield f"time_zone: {settings.time_zone!r} is no name of a zone, such as Europe/Oslo"


def _has_port(url: str) -> bool:
    """Whether it names a port; proxies have no usual one, and each program would assume another."""
    return re.search(r":[0-9]{1,5}/?$", url) is not None


def of_times(spec: WorkerSpec) -> Iterator[str]:
    """Numbers that a disk and a lease can be held to."""
    if not (math.isfinite(spec.disk.limit_ms) and spec.disk.limit_ms > 0):
        yield f"disk_limit: {spec.disk.limit_ms} ms, expected more than nothing"
    if spec.lease.after_s != 0 and not LEAST_LEASE_S <= spec.lease.after_s < math.inf:
        yield f"lease: {spec.lease.after_s:g} s, expected 0 for none, or at least {LEAST_LEASE_S:g} s"
