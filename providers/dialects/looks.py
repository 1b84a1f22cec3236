"""What `check --online` may ask of a cloud besides size, image and location: limits, prices, and what options name.

In goes nothing, out come the types with which a dialect says where its API tells of each, as data. What it does not
tell is said in words, never left out. What never happens here: a call, an import of libcloud, a decision.

A *path* leads into an answer: `quotas[metric=CPUS].limit` picks from a list the row of which that holds, and
`subnets[*].zone` the zones of all. In paths and requests stand `{location}` and `{size}` of the offer, `{region}` for a
zone's name without its last part, and each option of the account that is no secret by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Turning(StrEnum):
    """How a cloud is asked for the next page of a list."""

    NUMBER = "the number of the page"
    OFFSET = "how many rows come before it"
    CURSOR = "what the page before gave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How lists come in pages, the same for all lists of a cloud."""

    turning: Turning
    param: str
    """The parameter that asks for a page."""
    size_param: str
    size: int
    next: str = ""
    """Of CURSOR: path of the next one; nothing there is the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request that only looks."""

    path: str = ""
    """As the driver's connection takes it; of a driver with `ex_look`, which knows how such are asked, what that takes.
    Empty: the driver's own path."""
    params: Mapping[str, object] = field(default_factory=dict)
    rows: str = ""
    """Path of the rows in an answer that is a list of something; empty: the answer is the list."""
    left_out: bool = False
    """Whether an honest answer without rows lacks what `rows` leads to."""
    paged: bool = True
    over: str = "connection"
    """Which of the driver's connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value in an answer."""

    ask: Ask
    at: str
    """Path of the value; of `summed`, in each row."""
    summed: bool = False
    """Whether it is the sum over all rows of all pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One count that an account has a limit of."""

    of: str
    """What is counted, in words that follow a number."""
    limit: Reading
    used: Reading
    takes: str = ""
    """Which attribute of the driver's size, or key of its `extra`, one machine takes of it; empty: one."""
    sizes: str = ""
    """Pattern of the sizes that count; empty: all."""
    option: str = ""
    """The option of the account with which this counts; empty: always …"""
    without: str = ""
    """… and the one without which it counts."""
    unlimited: tuple[str, ...] = ()
    """What is said instead of a limit where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many machines an account may have."""

    meters: tuple[Meter, ...] = ()
    untold: str = ""
    """Where no meter tells: why, and where people find it, in one sentence without a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an option names, and where the cloud lists what there is."""

    ask: Ask | None = None
    """None: it cannot be looked up, and `unsaid` says why."""
    key: str = ""
    """Path in a row of what an option takes."""
    also: str = ""
    """Path in a row of what an option takes as well."""
    called: str = ""
    """Path in a row of what people call it, where an option takes something else."""
    subject: str = "network"
    keeps: str = ""
    """Pattern of the part of the row's `key` that an option takes, as its first group; empty: all of it."""
    others: str = ""
    """Pattern of how values begin that are somebody else's, and that this list cannot tell of."""
    default: str = ""
    """What is looked for where the option is not written, because machines rely on it."""
    unsaid: str = ""
    """What holds where the option is not written, in words; empty: nothing to be told."""
    instead: str = ""
    """An option that stands in place of this one: where it is written, nobody relies on `default` or `unsaid`."""
    relies_on: Ask | None = None
    """What must list something where the option is not written."""
    never_with: tuple[str, str] = ("", "")
    """An option beside which an order with this one is refused, and the one that goes with it."""
    stands: str = ""
    """Path in a row of where it stands, one text or several; empty: it is everywhere."""
    place: str = "{location}"
    """What stands there must be this …"""
    place_of: Reading | None = None
    """… or what this tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a size costs."""

    of: str = ""
    """What the number is, in words that follow it and its currency; empty: it is not told."""
    currency: str | Reading = ""
    """As ISO 4217 has it, or where the account's own is told; empty: not known."""
    readings: tuple[Reading, ...] = ()
    """Where it is told, the first that tells; none: the price of the driver's size."""
    unit: float = 1.0
    """What the number is to be multiplied by."""
    hours: tuple[float, float] = (1.0, 1.0)
    """For how many hours it buys the size: at least, at most."""
    untold: str = ""
    """Where it is not told: why, and where people find it, in one sentence without a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """All of them of one cloud."""

    quota: Quota
    price: Price
    named: Mapping[str, Named] = field(default_factory=dict)
    """By the option's name. An option that names nothing which could be missing has none."""
    network: str = ""
    """Of a cloud without such options: what machines' network is, in words."""
    pages: Pages | None = None
    """None: lists come whole."""
    rights: str = ""
    """What a token must be allowed besides for all this; it is optional, and told where it lacks."""
