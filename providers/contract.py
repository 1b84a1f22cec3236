"""What the daemon may ask of a place where machines come from, and what it may be answered.

In goes an `InstanceSpec` (everything decided), out come `Instance`s as the provider reports them, or one of the errors
below, each of which names the caller's next move. What never happens here: a choice, a retry of a create, a belief.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Protocol, runtime_checkable

NodeName = NewType("NodeName", str)
"""A name we chose for a machine; also the key of its creation. Lower case letters, digits, `-`; at most 63."""
InstanceId = NewType("InstanceId", str)
"""The provider's own key of a machine."""
ProviderName = NewType("ProviderName", str)
"""The name an operator gave an account in `[providers.NAME]`."""


class InstanceState(StrEnum):
    """What a provider says of a machine. All of them may still be billed."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"
    ENDING = "ending"
    UNKNOWN = "unknown"


class UserDataFormat(StrEnum):
    """What a machine of this provider can be started with."""

    CLOUD_CONFIG = "cloud-config"
    PROCESS = "process"
    """A JSON document naming one program; read by the `local` provider's keeper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTraits:
    """How this provider differs, as data the core may reason with."""

    settle_s: float
    """How long absence from complete listings must last before it is believed: the listing's known lag, with margin."""
    user_data_format: UserDataFormat = UserDataFormat.CLOUD_CONFIG
    user_data_limit_bytes: int = 16_384
    user_data_gzip: bool = False
    """Whether the machine's cloud-init may be handed gzip-compressed user data through this provider."""
    create_needs_s: float = 0.0
    """How long a create should be given at least; 0: nothing is known of it."""
    names_unique: bool = False
    """Whether the provider itself refuses a second machine of the same name."""
    countries: Mapping[str, str] = field(default_factory=dict)
    """In which country each location is, ISO 3166-1 alpha-2, by the names that offers and listings call it; the empty
    name is that of an order which leaves the place to the provider. Only what is known for certain, from data and
    without a look: whatever is not in it is unknown, and no machine is ordered there where residency matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """One machine, wholly decided. The user data may hold secrets and stay out of every repr."""

    name: NodeName
    fleet: str
    pool: str
    size: str
    image: str
    location: str
    user_data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A machine that bears our fleet's mark, as the provider reports it."""

    name: str
    instance_id: InstanceId
    state: InstanceState
    pool: str | None = None
    created_at: float | None = None
    location: str = ""
    size: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every machine of our fleet that this account reports, ended ones left out.

    `complete` is False where a page may be missing or a row could not be read: such a listing proves presence,
    never absence.
    """

    instances: tuple[Instance, ...]
    complete: bool
    why_incomplete: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How many requests an account still takes, by its provider's own word. It may be wrong, or a lie."""

    remaining: int
    resets_at: float
    """When it takes its full number again, by our own clock (epoch seconds UTC)."""
    told_at: float
    per_s: float = 0.0
    """How many come back in each second until then; 0 where all come back at once."""
    listing_requests: int = 1
    """How many its last listing took."""
    sliding: bool = False
    """Each request comes back by itself, a fixed time after it was made: `resets_at` is when the next one does, and
    `per_s` how many may be asked each second in the long run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What an offer would buy, for `check --online`."""

    size: str
    image: str
    location: str
    user_data_bytes: int = 0
    pool: str = ""
    machines: int = 0
    """The most that the pool may have at once; 0: nobody says."""
    price_per_h: float | None = None
    """What the configuration holds that it costs, in `currency`; None: nobody says."""
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a look at an offer found. `ok` False means that a create would be refused."""

    subject: str
    """credentials, size, image, location, price, quota, network, user data, …"""
    ok: bool
    says: str
    note: bool = False
    """Whether people should read it although a create would not be refused for it: what could not be looked at, too."""


class ProviderOptionsWrong(ValueError):
    """The settings under `[providers.NAME]` cannot be used: names the option, what was found and expected."""


class ProviderError(Exception):
    """A provider's answer, or its absence, as the caller's next move. Messages never hold user data or credentials."""


class InstanceAbsent(ProviderError):
    """The machine is not there, and all was looked at. A destroy has succeeded once a complete listing agrees."""


class CapacityRefused(ProviderError):
    """A definite no: no stock. Nothing was made; rest this offer and try the next."""


class QuotaRefused(CapacityRefused):
    """A definite no: the account has all that it may have. Nothing was made; another offer of it would fare alike."""


class RequestRejected(ProviderError):
    """A definite no, and our fault: image, size, credentials. Nothing was made; repeating it unchanged is useless."""


class Throttled(ProviderError):
    """A definite no for now. Nothing was made; slow all calls to this account."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(ProviderError):
    """Sent, and no answer that could be understood. The create may have happened: never repeat it."""


class NotSent(ProviderError):
    """The caller's leave to act had ended before the order went out. Nothing was made or ended; nobody is to blame."""


class ListingUnavailable(ProviderError):
    """Could not look. Says nothing about what is there."""


class Provider(Protocol):
    """One account at one provider.

    Duties of the caller: at most one `create` per name, ever; `destroy` again until a complete listing proves
    absence. Duties of an implementation: calls come from several threads at once; each call returns or raises a
    `ProviderError` within about `timeout_s` seconds; no call repeats a create; only machines with our fleet's mark
    are ever listed or ended; an order asks `may_act`, with which the account was opened, right before each thing it
    sends, and sends no more after a no.
    """

    @property
    def traits(self) -> ProviderTraits: ...

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order one machine.

        Raises CapacityRefused, QuotaRefused, RequestRejected, Throttled or NotSent (nothing was made), or
        OutcomeUnknown.
        """
        ...

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Ask for the end of one machine, by id where it is known, else by name under our mark.

        Returning means the wish was taken, not that the machine is gone. Raises InstanceAbsent, Throttled,
        RequestRejected, NotSent or OutcomeUnknown; the last also where a look did not find it and may have lacked it.
        """
        ...

    def list_instances(self, *, timeout_s: float) -> Listing:
        """Look. Raises ListingUnavailable or Throttled."""
        ...

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Look whether a create of this purchase would be accepted. Changes nothing; trouble is a Finding."""
        ...

    def close(self) -> None:
        """Let go of connections and threads. Machines stay."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A provider that tells how often it may still be asked. One that cannot need not have this."""

    def rate_limit(self) -> RateLimit | None:
        """What its last answers said; None before one did. Asks nothing, waits for nothing, never raises."""
        ...


@runtime_checkable
class Naming(Protocol):
    """A provider that does not take every name of a machine. One that does need not have this."""

    def check_name(self, name: str, *, pool: str) -> Finding:
        """Whether it can bear a machine of that name. Asks nothing, waits for nothing, never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """Something that came with a machine of ours, bears our mark, belongs to no machine any more, and is billed."""

    kind: str
    """What it is, in the plainest word: volume, …"""
    left_over_id: str
    """The provider's own key of it."""
    name: str
    """What we called the machine that it came with."""
    pool: str | None = None
    size_gb: int | None = None
    created_at: float | None = None
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOvers:
    """What a look found. As with machines: one that is not `complete` proves what is there, never what is not."""

    found: tuple[LeftOver, ...]
    complete: bool = True
    why_incomplete: str = ""


@runtime_checkable
class Sweepable(Protocol):
    """A provider that can tell what its machines left behind, and end it. One where nothing stays need not have this.

    Never found and never ended is what is attached to anything, what does not bear our fleet's mark, what came with a
    machine that is still listed, and what is younger than the settle time or does not tell its age.
    """

    def left_overs(self, *, timeout_s: float) -> LeftOvers:
        """Look. Raises ListingUnavailable or Throttled. Where nothing can stay it asks nothing and finds nothing."""
        ...

    def end_left_over(self, left_over: LeftOver, *, timeout_s: float) -> None:
        """Look once more, and ask for its end where it still is one; an order, so `may_act` is asked.

        Returning means the wish was taken. Raises InstanceAbsent (it is none, or is not there), RequestRejected,
        Throttled, NotSent or OutcomeUnknown. Nothing is ended where the look was incomplete.
        """
        ...


MayAct = Callable[[], bool]
"""Whether the caller may still give orders, at this instant; asked from any thread, and never waits. One who was
stopped in the middle of a call and goes on long after may have been succeeded by another meanwhile."""


def always() -> bool:
    """For those who have nobody beside them."""
    return True


Options = Mapping[str, object]
"""A provider's settings as plain values, secrets resolved."""
