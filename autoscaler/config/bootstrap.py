"""The sections `[pools.NAME.bootstrap]` and `[[pools.NAME.bootstrap.files]]`: how a machine of a pool becomes a worker.

Attributes bear the names of the fields they become (`bootstrap.contract`), so that whoever maps them has nothing to
decide. What never happens here: a rule about how two keys agree; those are in `bootstraps`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from autoscaler.config.problem import described, quoted
from autoscaler.config.schedules import ZoneName
from autoscaler.config.secret import PlainOrSecret, Secret
from autoscaler.config.values import Line, Many, QueueName, Section, Span, Text, Word, wrong

_SIZE = re.compile(r"([1-9][0-9]{0,8})\s?(KiB|MiB|GiB)")
_KIB = {"KiB": 1, "MiB": 1024, "GiB": 1024 * 1024}
_LONGEST_COMMAND = 4_096

Variable = Annotated[
    str, Text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable: letters, digits and `_`, no digit first")
]
AbsolutePathOrNone = Annotated[str, Text(r"(?:/[^\x00-\x1f]*)?", "an absolute path, such as /opt/shop")]
Sha256 = Annotated[
    str, Text(r"(?:[0-9a-f]{64})?", "the 64 hexadecimal digits that `sha256sum` prints, in lower case")
]
Archive = Annotated[
    str, Text(r"(?:https?://[^\s\x00-\x1f\x7f]+)?", "an address such as http://mirror.example/debian")
]
Limit = Annotated[float, Span("100ms", "4w")]
Lease = Annotated[float, Span("0s", "4w")]
DiskLimit = Annotated[float, Span("0.01ms", "10s")]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Marks a command: text for the shell, or a list of a program and its arguments."""

    def parse(self, value: object) -> str | tuple[str, ...]:
        expected = 'a line for the shell in quotes, or a list such as ["modprobe", "loop"]'
        given = list(value) if isinstance(value, list | tuple) else [value]
        words = [word for word in given if isinstance(word, str)]
        if not words or len(words) < len(given):
            raise wrong(described(value), expected)
        if not words[0].strip() or any(re.search(r"[\x00-\x1f\x7f]", word) for word in words):
            raise wrong("nothing to run, or more than one line", expected)
        if sum(map(len, words)) > _LONGEST_COMMAND:
            raise wrong(
                "a command of thousands of characters", f"at most {_LONGEST_COMMAND}; files are for more"
            )
        return value if isinstance(value, str) else tuple(words)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1}
        return {"anyOf": [text, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class Memory:
    """Marks an amount of memory that is written as text with its unit and kept in KiB."""

    def parse(self, value: object) -> int:
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            found = quoted(value) if isinstance(value, str) else described(value)
            raise wrong(found, 'a size in quotes with its unit, such as "512MiB" or "2GiB"')
        return int(match[1]) * _KIB[match[2]]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_SIZE.pattern}$"}


class BootstrapFile(Section):
    """`[[pools.NAME.bootstrap.files]]`: a file that a machine is given before anything is installed."""

    path: Annotated[str, Text(r"/[^\x00-\x1f\x7f]+", "an absolute path, such as /etc/shop/settings.toml")]
    """Where it stands."""
    content: PlainOrSecret
    """What is in it: text, or a reference to a secret."""
    mode: Annotated[str, Text(r"0[0-7]{3}", 'a 0 and three octal digits, such as "0640"')] = "0600"
    """Who may read it, as `chmod` takes it. What holds a secret is never everybody's to read."""
    owner: Literal["root", "worker"] = "root"
    """Whom it belongs to: root, or the worker's user."""


class Bootstrap(Section):
    """`[pools.NAME.bootstrap]`: how a machine of this pool becomes a worker."""

    app: Word
    """The Celery app, as in `celery --app APP`."""
    queues: Many[QueueName] = ()
    """The queues a worker consumes. Without it those of the pool, unless these hold a pattern."""
    source: Literal["pip", "wheel", "git", "tarball", "image"] = "image"
    """Where the application comes from: a pip requirement, a wheel's URL, a git repository, a tarball that is unpacked
    into `directory`, or it is in the image already."""
    reference: Line = ""
    """The requirement or the URL, by `source`; nothing for `image`."""
    sha256: Sha256 = ""
    """The checksum of the wheel or the tarball. A tarball needs one."""
    revision: Line = ""
    """Branch, tag or commit; for `git` only."""
    index_url: Line = ""
    """Another package index than pip's own. Without user and password."""
    require_hashes: bool = False
    """Install nothing without a hash, the application's own dependencies included: each requirement is then
    `NAME==VERSION --hash=sha256:…`."""
    directory: AbsolutePathOrNone = ""
    """The worker's working directory; where the app is imported from if it is not installed."""
    python: Word = "python3"
    """The interpreter that makes the virtual environment, or that runs the worker when the source is `image`."""
    extra_packages: Many[Word] = ()
    """Further Python packages, as pip requirements."""
    packages: Many[Word] = ()
    """Further Debian packages."""
    files: Annotated[Many[BootstrapFile], Field(max_length=50)] = ()
    """Further files."""
    commands_before: Annotated[
        Many[Annotated[str | tuple[str, ...], CommandLine()]], Field(max_length=50)
    ] = ()
    """Run as root before the application is installed, one after another; one that fails ends the boot. Text is a line
    for the shell, a list a program with its arguments. Never secrets."""
    commands_after: Annotated[
        Many[Annotated[str | tuple[str, ...], CommandLine()]], Field(max_length=50)
    ] = ()
    """The same once the application is installed, before the worker starts."""
    user: Word = "celery"
    """The unprivileged user the worker runs as."""
    keeper: Literal["supervisord", "systemd"] = "supervisord"
    """What starts the worker, and starts it again after a crash."""
    worker_pool: Literal["prefork", "threads", "gevent", "eventlet"] | None = None
    """Celery's `worker_pool`: what runs the tasks."""
    prefetch_multiplier: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Celery's `worker_prefetch_multiplier`: messages taken in advance, per slot. 1 drains fastest."""
    time_limit_s: Limit | None = Field(default=None, alias="time_limit")
    """Celery's `task_time_limit`: a task that runs so long is killed, with its process. Pools `prefork` and `gevent`
    heed it."""
    soft_time_limit_s: Limit | None = Field(default=None, alias="soft_time_limit")
    """Celery's `task_soft_time_limit`: a task that runs so long gets an exception. Pool `prefork` only, as the next
    two."""
    max_tasks_per_child: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Celery's `worker_max_tasks_per_child`: after so many tasks a process is replaced."""
    max_memory_per_child_kib: Annotated[int, Memory()] | None = Field(
        default=None, alias="max_memory_per_child"
    )
    """Celery's `worker_max_memory_per_child`: a process that has come to hold so much is replaced after its task."""
    worker_args: Many[Word] = ()
    """Further arguments of `celery worker`. Never secrets: a command line is public on its machine."""
    environment: Mapping[Variable, PlainOrSecret] = Field(default_factory=dict)
    """The worker's environment: text, or a reference to a secret."""
    broker_url: Secret | None = None
    """The broker as workers reach it, whole, if it is not the daemon's own address and user."""
    credentials: Literal["shared", "node"] = "shared"
    """Whose rights at the broker a worker has: those of `broker_url`, or those of a user of its own, which the daemon
    makes and ends, for which its own needs the tag `administrator`. With `node` the environment comes after enrolment
    and stands in no user data."""
    broker_rights: Literal["queues", "publish"] = "publish"
    """Where a machine's user may send tasks: `publish`, to any queue, by Celery's usual way, which retries take too; or
    `queues`, to the exchanges of the pool's queues alone: then a task that retries by the usual way is lost."""
    proxy: PlainOrSecret | None = None
    """The proxy by which apt, pip and git reach the network, `http://HOST:PORT`; by reference if it holds a password.
    The worker is not given it."""
    apt_mirror: Archive = ""
    """The archive of Debian or Ubuntu in place of the image's own."""
    apt_security_mirror: Archive = ""
    """The archive of the security suite, where it is another; Debian has a place of its own for it."""
    ip_version: Literal["any", "ipv4", "ipv6"] = "any"
    """By which protocol packages are fetched, where the other one leads nowhere. With `ipv4` everything else on the
    machine tries it first too."""
    time_zone: Annotated[str, ZoneName()] | None = None
    """The machine's time zone, such as `Europe/Oslo`."""
    unattended_upgrades: Literal["after_boot", "off"] = "after_boot"
    """Whether the image's unattended upgrades run once the worker does. During the boot they always wait."""
    disk_check: Literal["off", "warn", "refuse"] = "refuse"
    """What becomes of a machine with a slow disk: nothing, a warning, or another machine in its place."""
    disk_limit_s: DiskLimit = Field(default=0.005, alias="disk_limit")
    """The mean time of a small read from the disk, above which it is slow. Good hosts promise less."""
    lease_s: Lease = Field(default=0.0, alias="lease")
    """How long a worker works on without a word from the fleet; then it stops consuming and finishes what it holds.
    `0s`: for ever."""
    lease_then: Literal["stop", "poweroff"] = "stop"
    """What the machine does then: wait for the fleet, or power off. Some hosts bill a machine that is off."""

    def plain_environment(self) -> Mapping[str, str]:
        """The worker's environment with secrets revealed."""
        return {name: value.reveal() for name, value in self.environment.items()}
