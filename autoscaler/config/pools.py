"""The sections `[pools.NAME]`: queues, limits, policies, calm, deadlines, offers and what a machine of the pool runs.

Attributes bear the names of the rules they become (`policies.contract`, `bootstrap.contract`, the core's model), so
that wiring has nothing to decide. What never happens here: a rule about how two keys agree; those are in
`agreement`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from autoscaler.config.bootstrap import Bootstrap
from autoscaler.config.countries import Country
from autoscaler.config.schedules import ForecastPolicy, SchedulePolicy
from autoscaler.config.upstream import Upstream
from autoscaler.config.values import (
    Line,
    Many,
    QueueName,
    Section,
    Span,
    SpanOr,
    Word,
    other_kind,
)

BUILT_IN = ("wait", "backlog", "rate", "steps", "schedule", "forecast")

Duration = Annotated[float, Span("0s", "4w")]
Wait = Annotated[float, Span("1s", "4w")]
Learned = Literal["learned"]
LEARNED: Learned = "learned"
WaitOrNot = Annotated[float, Span("0s", "4w")]
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class Limits(Section):
    """`[pools.NAME.limits]`: bounds. The ceiling and the budget bind every machine that may be billed."""

    min_workers: Count = 0
    """The floor: never fewer workers."""
    max_workers: Annotated[int, Field(ge=1, le=100_000)]
    """The ceiling: never more machines that may be billed, leaving ones included; a machine of an offer with more slots
    counts as several. Above 1000 only with `allow_large`."""
    allow_large: bool = False
    """Says that a ceiling above 1000 is no slip of the hand."""
    on_unknown: Count = 0
    """While the queues cannot be seen, raise to this many workers; never lower."""
    max_age_s: Annotated[float, Span("0s", "104w")] = Field(default=0.0, alias="max_age")
    """How old a machine may be; then it is replaced, one after the other. `1h` at least; `0s`: as old
    as it likes."""
    max_creates_in_flight: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Machines ordered and not yet answered for, at once."""
    max_cost_per_hour: Annotated[float, Field(gt=0.0)] | None = None
    """The budget, in the fleet's currency: nothing is bought that would pass it."""
    max_cost_per_month: Annotated[float, Field(gt=0.0)] | None = None
    """The same for a calendar month (UTC), by started quanta. As it runs out the pool shrinks to its floor, whose
    money until the month's end is set aside."""


class WaitPolicy(Section):
    """`kind = "wait"`: say how long a task may wait; everything else is measured."""

    kind: Literal["wait"]
    """Enough workers for every task to start in time."""
    target_wait_s: Annotated[float, Span("1s", "1d")] = Field(alias="target_wait")
    """A task should start within this, from when it was sent."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind."""
        return {"target_wait_s": self.target_wait_s}


class BacklogPolicy(Section):
    """`kind = "backlog"`: one worker for so many messages."""

    kind: Literal["backlog"]
    """One worker for so many messages."""
    messages_per_worker: Annotated[float, Field(gt=0.0, le=1e9)]
    """Messages that ask for one worker; may be below 1."""
    count_in_progress: bool = True
    """Count the messages in the workers' hands too, or the wish falls as soon as they take them."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind."""
        return self.model_dump(by_alias=True, exclude={"kind"}, exclude_unset=True)


class RatePolicy(Section):
    """`kind = "rate"`: one worker for so many messages a second."""

    kind: Literal["rate"]
    """One worker for so many messages a second, whether or not any waits."""
    messages_per_s: Annotated[float, Field(ge=0.001, le=1e9)]
    """Messages a second that ask for one worker; may be below 1."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind."""
        return {"messages_per_s": self.messages_per_s}


class StepOut(Section):
    """One step of growth."""

    above: Annotated[int, Field(ge=0, le=1_000_000_000)]
    """More messages waiting than this …"""
    add: Positive
    """… add so many workers to those that serve."""


class StepIn(Section):
    """One step back."""

    below: Positive
    """Fewer messages waiting than this …"""
    remove: Positive
    """… remove so many workers."""


class StepsPolicy(Section):
    """`kind = "steps"`: "when it fills up, spin up two more"."""

    kind: Literal["steps"]
    """Thresholds on the waiting messages, each with its step."""
    out: Annotated[Many[StepOut], Field(min_length=1, max_length=50)]
    """Steps of growth; the highest threshold passed wins."""
    in_: Annotated[Many[StepIn], Field(max_length=50)] = Field(default=(), alias="in")
    """Steps back; the lowest threshold passed wins. Without any this policy only ever adds."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind."""
        return self.model_dump(by_alias=True, exclude={"kind"}, exclude_unset=True)


class OtherPolicy(Section, extra="allow"):
    """Any other kind: the name of an entry point in the group `autoscaler.policies`. Options pass through as they
    are."""

    __pydantic_extra__: dict[str, Any] = Field(init=False)

    kind: Annotated[str, other_kind(*BUILT_IN)]
    """The entry point's name."""

    def options(self) -> Mapping[str, object]:
        """Everything but `kind`, as written."""
        return dict(self.__pydantic_extra__)


def _tag(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"kind:{kind}" if kind in BUILT_IN else "kind:*"


Policy = Annotated[
    Annotated[WaitPolicy, Tag("kind:wait")]
    | Annotated[BacklogPolicy, Tag("kind:backlog")]
    | Annotated[RatePolicy, Tag("kind:rate")]
    | Annotated[StepsPolicy, Tag("kind:steps")]
    | Annotated[SchedulePolicy, Tag("kind:schedule")]
    | Annotated[ForecastPolicy, Tag("kind:forecast")]
    | Annotated[OtherPolicy, Tag("kind:*")],
    Discriminator(_tag),
]


class Stabilize(Section):
    """`[pools.NAME.stabilize]`: how changes are calmed, in the terms of the Kubernetes HPA."""

    scale_out_window_s: Duration = Field(default=0.0, alias="scale_out_window")
    """Grow only to the lowest wish of this time."""
    scale_in_window_s: Duration | None = Field(default=None, alias="scale_in_window")
    """Shrink only to the highest wish of this time; 5m where machines are billed by ten minutes or more, else 90s."""
    scale_out_cooldown_s: Duration = Field(default=0.0, alias="scale_out_cooldown")
    """Time after a growth before the next."""
    scale_in_cooldown_s: Duration = Field(default=60.0, alias="scale_in_cooldown")
    """Time after any change before a shrinking."""
    tolerance: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Relative change of the wish below which nothing is changed."""
    max_step_out: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Most workers added by one decision."""
    max_step_in: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Most workers given back by one decision."""
    good_looks: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Good looks in a row needed after an outage before anything shrinks."""


class Timeouts(Section):
    """`[pools.NAME.timeouts]`: how long each state of a machine may last, counted only while we can see."""

    create_s: Wait = Field(default=120.0, alias="create")
    """For an ordered machine to appear at its provider."""
    enrol_s: Annotated[float | Learned, SpanOr("1s", "4w", word=LEARNED)] = Field(
        default=LEARNED, alias="enrol"
    )
    """For a machine's worker to be heard, from its appearance; else it is replaced. A number holds for every machine;
    `"learned"` follows the last boots of each offer: 10m while it has none, 3m at least, `enrol_most` at most."""
    enrol_most_s: Wait = Field(default=1800.0, alias="enrol_most")
    """The most that `enrol = "learned"` comes to, for an offer that boots slowly, and for a machine that reports one
    phase of its boot after another."""
    silence_s: Wait = Field(default=60.0, alias="silence")
    """Without a word from a worker before it counts as lost. Celery's workers speak every 2 s."""
    lost_s: Wait = Field(default=300.0, alias="lost")
    """For a lost worker to be heard again; else its machine is destroyed."""
    drain_s: Wait = Field(default=1800.0, alias="drain")
    """For a worker that was told to stop consuming to finish what it holds."""
    on_drain_timeout: Literal["wait", "destroy"] = "wait"
    """What then: keep waiting (tasks are safe, money runs), or destroy (unfinished tasks are redelivered or lost)."""
    stall_s: WaitOrNot = Field(default=300.0, alias="stall")
    """For a worker to take up a task while it has room and messages wait; then it is drained and replaced. `0s`: as
    long as it likes."""
    task_s: WaitOrNot = Field(default=0.0, alias="task")
    """For a task to run; then its worker is drained and replaced, by `on_drain_timeout`. `0s`: as long as it likes."""
    stop_s: Wait = Field(default=30.0, alias="stop")
    """For a drained worker to say goodbye before its machine is destroyed."""
    call_s: Wait = Field(default=60.0, alias="call")
    """For one call to a provider."""


class Offer(Section):
    """`[[pools.NAME.offers]]`: one way to buy a machine."""

    provider: Word
    """The NAME of a `[providers.NAME]`."""
    location: Line = ""
    """The provider's own name for a zone or a data centre."""
    size: Line = ""
    """The provider's own name for a size."""
    image: Line = ""
    """The provider's own id of an image with cloud-init."""
    slots: Annotated[int, Field(ge=1, le=512)] | None = None
    """Tasks a worker on this machine runs at once: the pool's `slots`, or a whole multiple of them. A machine of twice
    the slots counts as two workers in every number of the pool."""
    country: Country | None = None
    """The country this location is in, where the provider cannot tell; residency rests on it. Never another than the
    provider knows."""
    price_per_h: Annotated[float, Field(ge=0.0, le=1e6)] = Field(default=0.0, alias="price_per_hour")
    """In the fleet's currency; budgets rest on it."""
    quantum_s: Annotated[int, Span("1s", "4w", whole=True)] = Field(default=1, alias="billing_quantum")
    """The unit the provider bills in: `1s`, `60s` or `1h` are usual."""


class Pool(Section):
    """`[pools.NAME]`: queues with their policy, limits, offers and bootstrap; the unit that scales."""

    queues: Annotated[Many[QueueName], Field(min_length=1, max_length=1_000)]
    """Names of the queues whose messages count, or patterns such as `thumbs.*`. A queue belongs to one pool."""
    slots: Annotated[int, Field(ge=1, le=512)]
    """Tasks one worker runs at once: Celery's concurrency."""
    paused: bool = False
    """Keep what is there and change nothing, until resumed."""
    canary: bool = True
    """After a change of image, size or bootstrap buy one machine alone first, until it has become a worker."""
    replace: Literal["never", "drifted"] = "never"
    """What is done about machines of an older definition than this: shown only, or replaced one after the other."""
    residency: Annotated[Many[Country], Field(min_length=1)] | None = None
    """Countries where machines of this pool may stand, some of the fleet's; without it, the fleet's own list."""
    limits: Limits
    """Bounds in workers and money."""
    policies: Annotated[Many[Policy], Field(min_length=1, max_length=20)]
    """How many workers are wanted; the largest wish wins."""
    stabilize: Stabilize = Field(default_factory=Stabilize)
    """How changes are calmed."""
    timeouts: Timeouts = Field(default_factory=Timeouts)
    """How long each state of a machine may last."""
    offers: Annotated[Many[Offer], Field(min_length=1, max_length=100)]
    """Ways to buy a machine."""
    offers_order: Literal["listed", "price"] = "listed"
    """Which offer is asked first: the first one listed, or the one where a slot of the same speed costs least. Either
    way the next one serves while it cannot be had."""
    offers_margin: Annotated[float, Field(ge=0.0, le=10.0)] = 0.1
    """By price: the offer bought last is bought on while it costs no more than this share above the cheapest."""
    bootstrap: Bootstrap
    """How a machine becomes a worker."""
    upstream: Upstream | None = None
    """The machines that serve, as a file for nginx; without it none is written."""

    @property
    def consumed(self) -> tuple[str, ...]:
        """The concrete queues a worker of this pool consumes."""
        return self.bootstrap.queues or self.queues
