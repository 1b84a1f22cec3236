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
    IMAGE = "image"
    """Already in the image: nothing is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What to install. `reference` is the requirement, the wheel's URL or the repository's URL; empty for IMAGE."""

    source: ApplicationSource
    reference: str = ""
    revision: str = ""
    index_url: str = ""
    directory: str = ""
    """Working directory of the worker; where `app` can be imported from if it is not installed."""
    python: str = "python3"
    """The interpreter that makes the virtual environment, or that runs the worker when the source is IMAGE."""
    extra_packages: tuple[str, ...] = ()


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
    user: str = "celery"
    worker_args: tuple[str, ...] = ()
    """Further arguments for `celery worker`; never secrets."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The worker's environment, secrets resolved; written to files only root can read."""
    broker_url: str = field(default="", repr=False)
    """Given to the worker as CELERY_BROKER_URL; holds the password."""
    packages: tuple[str, ...] = ()
    """Further Debian packages."""

    @property
    def worker_name(self) -> str:
        return f"celery@{self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """What a machine is started with, and the same with secrets masked, for people."""

    content: bytes = field(repr=False)
    masked: str = field(repr=False)


class UnusableSpec(ValueError):
    """This spec cannot become a worker in the form asked for. Names every field, what it holds and what was expected;
    never a secret."""


class UserDataTooLarge(ValueError):
    """The rendered user data passes the provider's limit, compressed where it may be. Says both sizes in bytes."""
