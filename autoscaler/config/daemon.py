"""The sections about the daemon itself: fleet, loop, broker, journal and log.

Each class is one table of the file with its keys, units, defaults and bounds; attributes carry the unit that the file's
text spells out. What never happens here: a look at anything outside the file.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from autoscaler.config import journal_url
from autoscaler.config.countries import Country
from autoscaler.config.secret import Secret
from autoscaler.config.values import AbsolutePath, Address, Many, Section, Span, Text, Word, wrong

FleetName = Annotated[
    str, Text(r"[a-z][a-z0-9-]{0,19}", "a name of 1 to 20 lower case letters, digits and `-`, a letter first")
]


class Fleet(Section):
    """`[fleet]`: what holds for all pools of this daemon."""

    name: FleetName
    """The mark on every machine we own. Two daemons that share an account or a broker must not share it, nor a journal.
    It is changed when no machine of the old name is left: a daemon does not lead on records of another fleet."""
    currency: Annotated[str, Text(r"[A-Z]{3}", "a currency code of three capital letters, such as EUR")] = (
        "EUR"
    )
    """The currency of every price in this file; it is shown, never converted."""
    orphans: Literal["destroy", "report"] = "destroy"
    """What to do with a machine that bears our mark and that the journal does not know: drain it if its worker is
    heard and else end it, or only report it."""
    orphan_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    """Share of an account's machines, one at least, that may be ended unasked as silent orphans …"""
    orphan_every_s: Annotated[float, Span("1m", "1w")] = Field(default=600.0, alias="orphan_every")
    """… in so much time. The rest of them wait, at that pace, or for `autoscaler sweep`."""
    max_cost_per_hour: Annotated[float, Field(gt=0.0)] | None = None
    """The budget of all pools together: nothing is bought that would pass it."""
    max_cost_per_month: Annotated[float, Field(gt=0.0)] | None = None
    """The same for a calendar month (UTC). As it runs out all pools shrink to their floors."""
    residency: Annotated[Many[Country], Field(min_length=1)] | None = None
    """Countries (ISO 3166-1, two letters) where machines may stand. Without it anywhere; with it an offer whose country
    is another, or is not known, is refused."""


class Loop(Section):
    """`[loop]`: the daemon's pace."""

    tick_s: Annotated[float, Span("100ms", "1h")] = Field(default=5.0, alias="tick")
    """Time between two looks at the world. RabbitMQ's figures are renewed every 5 s, so faster shows little more."""
    observe_timeout_s: Annotated[float, Span("100ms", "10m")] = Field(default=8.0, alias="observe_timeout")
    """A fact that has not come after this time counts as not seen on this tick. For an account a tick waits half of
    its time at most, and takes a listing that comes later on the next one."""
    max_calls_in_flight: Annotated[int, Field(ge=1, le=256)] = 16
    """Calls under way at once to one account, and to workers."""
    jitter_s: Annotated[float, Span("0s", "10m")] = Field(default=0.0, alias="jitter")
    """Each tick comes up to this much later, by chance; for many daemons on one account."""


class Broker(Section):
    """`[broker]`: the RabbitMQ whose queues are watched."""

    management_url: Annotated[str, Address(("http", "https"), "http://rabbit.example:15672", path=True)]
    """Address of the management plugin, without user and password."""
    amqp_url: Annotated[str, Address(("amqp", "amqps"), "amqp://rabbit.example:5672")]
    """Address of the broker itself, without user, password and virtual host. Workers are given it too."""
    username: Word
    """A RabbitMQ user with the tag `monitoring` and rights on the virtual host."""
    password: Secret
    """That user's password."""
    vhost: Word = "/"
    """The virtual host, as RabbitMQ shows it: unquoted."""
    ca_file: AbsolutePath | None = None
    """Certificates (PEM) that the broker's certificate is checked against, for https and amqps. Without it those of
    the system."""
    control_exchange: Word = "celery"
    """Celery's `control_exchange`, as the workers have it."""
    event_exchange: Word = "celeryev"
    """Celery's `event_exchange`, as the workers have it."""
    statistics_interval_s: Annotated[float, Span("1s", "5m")] = Field(
        default=5.0, alias="statistics_interval"
    )
    """RabbitMQ's `collect_statistics_interval`: how old its figures may be. A drained worker's proof waits
    this long and 6 s more."""
    timeout_s: Annotated[float, Span("100ms", "2m")] = Field(default=5.0, alias="timeout")
    """For one call to the broker."""

    def worker_url(self) -> str:
        """What a worker takes as CELERY_BROKER_URL; holds the password. Every part is quoted, the `/` in a vhost
        too."""
        scheme, _, host = self.amqp_url.partition("://")
        user, password, vhost = (
            quote(part, safe="") for part in (self.username, self.password.reveal(), self.vhost)
        )
        return f"{scheme}://{user}:{password}@{host}/{vhost}"


class Journal(Section):
    """`[journal]`: the durable record of every machine, decision and order."""

    url: Annotated[str, AfterValidator(journal_url.checked)] = "sqlite:////var/lib/autoscaler/journal.db"
    """Where it is kept: `sqlite:////` and an absolute path, or `postgresql+psycopg://USER@HOST/DATABASE` for a pair of
    daemons, one of which stands by."""
    password: Secret | None = None
    """The password of the PostgreSQL user in `url`. Without it the driver looks where PostgreSQL's own programs do
    (`passfile`, `PGPASSWORD`, `~/.pgpass`)."""
    retention_s: Annotated[float, Span("1h", "520w")] = Field(default=2_592_000.0, alias="retention")
    """How long ended machines, decisions and demand are kept for `why` and `nodes`, and how far back `backtest` and
    `tune` reach. Machines that may exist are kept for ever."""
    detail_s: Annotated[float, Span("1h", "520w")] | None = Field(default=None, alias="detail")
    """For how long each look at a pool is kept. Of older ones there is one row for each minute, with all that was
    counted and the peaks; of older decisions those that changed the number. Without it for as long as all pools have
    three million looks, 6h at least."""
    minutes_s: Annotated[float, Span("1h", "520w")] | None = Field(default=None, alias="minutes")
    """For how long each minute is kept. Of older ones there is one row for each hour. Without it for as long as all
    pools have two million minutes, 1d at least."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Looks become minutes, minutes become hours, and hours are forgotten."""
        for name, of_s, longer, longer_s in (
            ("detail", self.detail_s, "minutes", self.minutes_s),
            ("detail", self.detail_s, "retention", self.retention_s),
            ("minutes", self.minutes_s, "retention", self.retention_s),
        ):
            if of_s is not None and longer_s is not None and of_s > longer_s:
                raise wrong(f"{name} longer than {longer}", f"a shorter {name}, or a longer {longer}")
        return self


class Log(Section):
    """`[log]`: what the daemon says of itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave events that are written."""
    format: Literal["auto", "json", "console"] = "auto"
    """JSON lines or coloured text; `auto` is text on a terminal, else JSON."""
