"""The sections `[providers.NAME]`: one class for each kind that is built in, and one for everybody else's kinds.

Each gives `kind` and `options()`, the plain mapping that the providers' door takes. What never happens here: a look at
whether the account works; that is `check --online`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from autoscaler.config import clouds
from autoscaler.config.countries import Country
from autoscaler.config.problem import described, quoted
from autoscaler.config.secret import PlainOrSecret, Secret, environ_of, is_reference, resolved, revealed
from autoscaler.config.values import WRONG, AbsolutePath, Many, Section, Span, Text, Word, other_kind, wrong

BUILT_IN = ("local", "simulated", "libcloud", "external")
_DAEMONS = frozenset({"kind", "calls_per_minute", "country"})
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Key = Annotated[str, Text(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and `_`, no digit first")]


class _Provider(Section):
    """What all kinds have in common."""

    calls_per_minute: Annotated[float, Field(ge=1.0, le=60_000.0)] = 60.0
    """Orders and ends of machines asked of this account in a minute, and as many at once after a quiet one."""
    country: Country | None = None
    """The country that all of this account's locations are in, where the provider cannot tell; residency rests on it.
    Never another than the provider knows."""

    def options(self) -> Mapping[str, object]:
        """The settings as plain values, secrets revealed, keys as attributes are named (`boot_s`); unset ones left
        out, and those that are the daemon's and not the provider's."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in _DAEMONS}
        given |= self.__pydantic_extra__ or {}
        return {name: revealed(value) for name, value in given.items() if value is not None}


class LocalProvider(_Provider):
    """`kind = "local"`: every machine is a Celery worker process on this computer."""

    kind: Literal["local"]
    """Celery workers as processes on this computer."""
    directory: AbsolutePath = "/var/lib/autoscaler/local"
    """Where each process keeps its files and log. They outlive the daemon."""
    boot_s: Annotated[float, Span("0s", "1h")] = Field(default=0.0, alias="boot")
    """From the order until a process starts its worker; to play a machine that boots."""


class SimulatedProvider(_Provider):
    """`kind = "simulated"`: machines that exist in memory only, with faults by choice; for trying out."""

    kind: Literal["simulated"]
    """A cloud in memory, for trying out."""
    boot_s: Annotated[float, Span("0s", "1h")] = Field(default=0.0, alias="boot")
    """From the order until a machine runs."""
    slow_boot_s: Annotated[float, Span("0s", "1h")] = Field(default=600.0, alias="slow_boot")
    """How much longer a slow boot takes."""
    list_lag_s: Annotated[float, Span("0s", "1h")] = Field(default=0.0, alias="list_lag")
    """How late listings tell the truth."""
    lies_s: Annotated[float, Span("0s", "1h")] = Field(default=0.0, alias="lies")
    """How long a listing that calls itself complete may leave out a machine, beyond its lag; settling takes as long."""
    late_create_s: Annotated[float, Span("0s", "1h")] = Field(default=0.0, alias="late_create")
    """How much later an order is carried out whose answer was lost."""
    very_late_create_s: Annotated[float, Span("0s", "1h")] = Field(default=60.0, alias="very_late_create")
    """How much later still, at most, where it is created late."""
    retry_after_s: Annotated[float, Span("0s", "1h")] = Field(default=30.0, alias="retry_after")
    """What one who asked too often is told to wait."""
    names_unique: bool = False
    """Whether the cloud itself refuses a second machine of the same name."""
    refuse_creates: Share = 0.0
    """Share of the orders that are refused for want of stock."""
    refuse_by_quota: Share = 0.0
    """Share of the orders that are refused because the account has all that it may have."""
    reject_creates: Share = 0.0
    """Share of the orders that are refused as unusable."""
    throttle_creates: Share = 0.0
    """Share of the orders that are refused for now."""
    throttle_creates_mutely: Share = 0.0
    """Share of the orders that are refused for now, without a word of how long."""
    lose_requests: Share = 0.0
    """Share of the orders that never arrive, without an answer."""
    lose_answers: Share = 0.0
    """Share of the orders that are carried out, without an answer."""
    create_late: Share = 0.0
    """Share of the orders that are carried out much later, without an answer."""
    create_twice: Share = 0.0
    """Share of the orders that are carried out twice."""
    boot_slowly: Share = 0.0
    """Share of the machines that take long to boot."""
    never_boot: Share = 0.0
    """Share of the machines that never run."""
    throttle_listings: Share = 0.0
    """Share of the listings that are refused for now."""
    fail_listings: Share = 0.0
    """Share of the listings that fail."""
    cut_listings: Share = 0.0
    """Share of the listings that lack a machine and say that they are incomplete."""
    empty_listings: Share = 0.0
    """Share of the listings that are empty and say that they are complete."""
    skip_pages: Share = 0.0
    """Share of the listings that lack a third of the machines and say that they are complete."""
    ignore_destroys: Share = 0.0
    """Share of the destroys that are taken and not carried out."""
    lose_destroys: Share = 0.0
    """Share of the destroys that never arrive, without an answer."""
    lose_destroy_answers: Share = 0.0
    """Share of the destroys that are carried out, without an answer."""
    throttle_destroys: Share = 0.0
    """Share of the destroys that are refused for now."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The dice; the same seed gives the same faults."""


class LibcloudProvider(_Provider):
    """`kind = "libcloud"`: an account at a cloud, through Apache Libcloud."""

    kind: Literal["libcloud"]
    """An account at a cloud, through Apache Libcloud."""


CLOUDS: Mapping[str, type[LibcloudProvider]] = clouds.sections(LibcloudProvider)
"""By `driver`, each with the keys that its cloud's dialect names."""


class _Plain:
    """Marks a setting for a program: text on one line, a number, true or false, or a list of them."""

    def parse(self, value: object) -> object:
        parts = value if isinstance(value, list) else [value]
        if not all(map(self._is_plain, parts)):
            advice = "Secrets have a table of their own: secrets." if is_reference(value) else ""
            raise wrong(
                described(value), "text on one line, a number, true or false, or a list of them", advice
            )
        return tuple(parts) if isinstance(value, list) else value

    def _is_plain(self, value: object) -> bool:
        if isinstance(value, str):
            return value.isprintable()
        return isinstance(value, int | float) and math.isfinite(value)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean", "array"]}


class ExternalProvider(_Provider):
    """`kind = "external"`: a program of yours makes, ends and lists the machines (docs/providers/external.md)."""

    kind: Literal["external"]
    """A program of yours, for a host that no library knows."""
    command: Annotated[Many[Word], Field(min_length=1)]
    """The program and its arguments: a list that begins with an absolute path, and no shell. Arguments are seen by
    everybody on this computer; secrets have a key of their own."""
    directory: AbsolutePath = "/"
    """Where the program is run."""
    settings: Mapping[Key, Annotated[Any, _Plain()]] = Field(default_factory=dict)
    """What the program wants to know, such as the panel's address; it reads them from its standard input."""
    secrets: Mapping[Key, Secret] = Field(default_factory=dict)
    """What nobody else may know, by reference. The program reads them from its standard input too."""
    environment: Mapping[Key, PlainOrSecret] = Field(default_factory=dict)
    """Variables for the program: text, or a reference to a secret. Besides these it is given `PATH`, `HOME`, `LANG`,
    `LC_ALL`, `TZ` and `TMPDIR`, and nothing else of the daemon's."""
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    """How many runs of the program there may be at once; with 1 each waits for the one before."""
    settle_s: Annotated[float, Span("0s", "1d")] = Field(default=300.0, alias="settle")
    """How long a machine must be absent from complete listings before that is believed: how late the panel's lists are,
    with margin."""
    user_data_limit_bytes: Annotated[int, Field(ge=1_024, le=1_000_000)] = 16_384
    """The largest user data that the panel takes."""
    user_data_gzip: bool = False
    """Whether machines may be given user data compressed with gzip, which the panel must keep byte for byte."""
    names_unique: bool = False
    """Whether the panel itself refuses a second machine of the same name."""

    @field_validator("command")
    @classmethod
    def _begins_with_a_path(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command[0].startswith("/"):
            raise wrong(quoted(command[0]), "the absolute path of a program first, such as /opt/panel.py")
        return command


def _masked(value: object) -> object:
    """For JSON: as written, with a mask in place of every secret."""
    if isinstance(value, dict):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return str(value) if isinstance(value, Secret) else value


def _resolve(value: object, info: ValidationInfo) -> object:
    return resolved(value, environ_of(info))


class PluginProvider(_Provider, extra="allow"):
    """Any other kind: the name of an entry point in the group `autoscaler.providers`. Options pass through as they
    are."""

    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(_resolve), PlainSerializer(_masked)]] = Field(
        init=False
    )

    kind: Annotated[str, other_kind(*BUILT_IN)]
    """The entry point's name."""


def _tag(value: object) -> str | None:
    kind, driver = (
        value.get(key) if isinstance(value, dict) else getattr(value, key, None) for key in ("kind", "driver")
    )
    if kind == "libcloud":
        return f"kind:libcloud:{driver}" if driver in CLOUDS else None
    return f"kind:{kind}" if kind in BUILT_IN else "kind:*"


_WHICH = Discriminator(
    _tag,
    custom_error_type=WRONG,
    custom_error_message="see context",
    custom_error_context={
        "found": "no `driver` that is known",
        "expected": f"driver = one of {', '.join(sorted(CLOUDS))}",
        "advice": f"docs/providers.md says why there is no {' or '.join(clouds.ABSENT)} yet",
    },
)

if TYPE_CHECKING:
    Provider = LocalProvider | SimulatedProvider | LibcloudProvider | ExternalProvider | PluginProvider
else:
    Provider = Annotated[
        Union[
            (
                Annotated[LocalProvider, Tag("kind:local")],
                Annotated[SimulatedProvider, Tag("kind:simulated")],
                *(Annotated[section, Tag(f"kind:libcloud:{driver}")] for driver, section in CLOUDS.items()),
                Annotated[ExternalProvider, Tag("kind:external")],
                Annotated[PluginProvider, Tag("kind:*")],
            )
        ],
        _WHICH,
    ]
