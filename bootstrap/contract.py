"""What must be said of a pool so that one of its machines can become a worker.

In goes a `WorkerSpec`, wholly decided and with secrets resolved; out comes `UserData` for one machine. Pure: the same
spec gives the same bytes. What never happens here: a secret in a command line or in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ApplicationSource(StrEnum):
    """Where the application with its Celery app comes from."""

    PIP = "pip"
    """A pip requirement such as `shop-tasks==1.4`, with an optional index."""
    WHEEL = "wheel"
    """The URL of a wheel."""
    GIT = "git"
    """A git repository and revision, installed with pip."""
    TARBALL = "tarball"
    """The URL of a tarball, unpacked into the application's directory; what its own requirements.txt names is installed
    besides."""
    IMAGE = "image"
    """Already in the image: nothing is installed."""


class WorkerPool(StrEnum):
    """What Celery runs the tasks of one worker in. `solo` is none of them: it is silent while a task runs."""

    PREFORK = "prefork"
    THREADS = "threads"
    GEVENT = "gevent"
    EVENTLET = "eventlet"


class Keeper(StrEnum):
    """What starts the worker on a machine, and starts it again after a crash."""

    SUPERVISORD = "supervisord"
    SYSTEMD = "systemd"


class Credentials(StrEnum):
    """Whose rights at the broker a worker has."""

    SHARED = "shared"
    """Those of the pool's broker URL, which stands in the user data together with the worker's environment."""
    NODE = "node"
    """Those of a user of its own. Both URL and environment come after enrolment; the user data holds neither."""


class DiskCheck(StrEnum):
    """What becomes of a machine with a slow disk."""

    OFF = "off"
    WARN = "warn"
    REFUSE = "refuse"


class LeaseEnd(StrEnum):
    """What a machine does that has not heard from its fleet for the time of its lease, once it holds no task."""

    STOP = "stop"
    POWEROFF = "poweroff"


class IpVersion(StrEnum):
    """By which protocol a machine reaches what it installs."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class FileOwner(StrEnum):
    """Whom a file belongs to."""

    ROOT = "root"
    WORKER = "worker"
    """The worker's user, whatever its name."""


Command = str | tuple[str, ...]
"""A line for the shell, or a program with its arguments. Everybody on the machine can read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What to install. `reference` is the requirement, or the URL of the wheel, the repository or the tarball; empty
    for IMAGE."""

    source: ApplicationSource
    reference: str = field(default="", repr=False)
    """A repository's URL may hold credentials."""
    sha256: str = ""
    """What the wheel or the tarball must have, in hexadecimal digits. A tarball is never taken without."""
    revision: str = ""
    index_url: str = ""
    require_hashes: bool = False
    """Install nothing whose requirement names no hash, the application's own dependencies included."""
    directory: str = ""
    """Working directory of the worker; where `app` can be imported from if it is not installed."""
    python: str = "python3"
    """The interpreter that makes the virtual environment, or that runs the worker when the source is IMAGE."""
    extra_packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that an operator puts onto the machine before anything is installed."""

    path: str
    content: str = field(repr=False)
    mode: str = "0600"
    """Three octal digits behind a 0."""
    owner: FileOwner = FileOwner.ROOT
    is_secret: bool = True
    """Whether people may not see `content`. In doubt they may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What must be said of the machine itself: its ways out, its clock, its upgrades."""

    proxy: str = field(default="", repr=False)
    """The proxy of apt, pip and git by http and https; may hold a password. The worker is not given it."""
    apt_mirror: str = ""
    """The archive in place of the image's own; with it, all sources of the distribution are replaced."""
    apt_security_mirror: str = ""
    """The archive of the security suite, where it is not `apt_mirror`."""
    ip_version: IpVersion = IpVersion.ANY
    time_zone: str = ""
    """A name of the tz database; the image's own where empty."""
    upgrades_after_boot: bool = True
    """Whether the image's unattended upgrades go on once the worker runs. While a machine boots they always wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Which disks will do."""

    check: DiskCheck = DiskCheck.REFUSE
    limit_ms: float = 5.0
    """The mean time of a small read, above which a disk is slow: as much as good hosts promise to stay below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long a worker works on without a word from its fleet."""

    after_s: float = 0.0
    """0: for ever."""
    then: LeaseEnd = LeaseEnd.STOP


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """One machine's worker. `worker_name` is `celery@<node name>`."""

    node: str
    pool: str
    fleet: str
    app: str
    """The Celery app as in `celery -A APP`."""
    queues: tuple[str, ...]
    slots: int
    application: Application
    prefetch_multiplier: int | None = None
    worker_pool: WorkerPool | None = None
    """None leaves it to the app, as with each of the following; Celery's own default is PREFORK."""
    time_limit_s: float | None = None
    soft_time_limit_s: float | None = None
    max_tasks_per_child: int | None = None
    max_memory_per_child_kib: int | None = None
    user: str = "celery"
    keeper: Keeper = Keeper.SUPERVISORD
    worker_args: tuple[str, ...] = ()
    """Further arguments for `celery worker`; never secrets."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The worker's environment, secrets resolved; written to files only root can read."""
    broker_url: str = field(default="", repr=False)
    """Given to the worker as CELERY_BROKER_URL; holds the password."""
    broker_ca: str = field(default="", repr=False)
    """Certificates (PEM), one of which must have signed the broker's, whose host name is then checked too. Empty leaves
    that to the app."""
    credentials: Credentials = Credentials.SHARED
    token: str = field(default="", repr=False)
    """What the machine proves itself with while it enrols."""
    packages: tuple[str, ...] = ()
    """Further Debian packages."""
    files: tuple[File, ...] = ()
    commands_before: tuple[Command, ...] = ()
    """Run as root, one after another, before the application is installed."""
    commands_after: tuple[Command, ...] = ()
    """The same once it is installed, before the worker starts."""
    system: System = System()
    disk: Disk = Disk()
    lease: Lease = Lease()

    @property
    def worker_name(self) -> str:
        return f"celery@{self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """What a machine is started with, and the same with secrets masked, for people."""

    content: bytes = field(repr=False)
    masked: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageScript:
    """What makes a fresh machine a pool's golden image, and what its operator must know of it, a sentence each."""

    text: str = field(repr=False)
    notes: tuple[str, ...] = ()


class UnusableSpec(ValueError):
    """This spec cannot become a worker in the form asked for. Names every field, what it holds and what was expected;
    never a secret."""


class UserDataTooLarge(ValueError):
    """The rendered user data passes the provider's limit, compressed where it may be. Says both sizes in bytes."""
