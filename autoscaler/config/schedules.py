"""Policies that go by the clocks of a time zone: `schedule` by windows that an operator wrote, `forecast` by the past.

Cron's fields and the zone's name are read by the room that will use them, so that what is wrong with them is told with
its line. What never happens here: an opinion of our own about what a cron means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from autoscaler.config.problem import described, nearest, quoted
from autoscaler.config.values import Many, Section, Span, wrong
from policies import cron, local_time
from policies.forecast import DEFAULT_ZONE

_FIVE_FIELDS = (
    'cron\'s five fields (minute, hour, day of the month, month, day of the week), such as "0 7 * * mon-fri"'
)


@dataclass(frozen=True, slots=True)
class CronFields:
    """Marks a text of cron's five fields."""

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong(described(value), _FIVE_FIELDS)
        try:
            cron.parse(value)
        except cron.CronWrong as problem:
            says = str(problem)
            raise wrong(quoted(value), _FIVE_FIELDS, f"{says[:1].upper()}{says[1:]}.") from problem
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\s*\S+(?:\s+\S+){4}\s*$"}


@dataclass(frozen=True, slots=True)
class ZoneName:
    """Marks the name of a time zone whose rules this machine has."""

    def parse(self, value: object) -> str:
        expected = "the name of a time zone in quotes, such as Europe/Oslo or UTC"
        if not isinstance(value, str) or not value:
            raise wrong(described(value), expected)
        try:
            local_time.zone(value)
        except local_time.ZoneUnknown as unknown:
            known = available_timezones()
            advice = nearest(value, sorted(known)) if known else "No zone is known here at all."
            raise wrong(quoted(value), str(unknown), advice) from unknown
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


class ScheduleWindow(Section):
    """One window, again and again. It needs a floor or a ceiling, or both."""

    cron: Annotated[str, CronFields()]
    """When it begins: minute, hour, day of the month, month, day of the week, as in a crontab."""
    lasts_s: Annotated[float, Span("1m", "4w")] = Field(alias="lasts")
    """How long it holds from then, in elapsed time, whatever is done to the clocks meanwhile."""
    min_workers: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """The floor while it lasts: a wish like those of other policies."""
    max_workers: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """The ceiling while it lasts, for what all policies of the pool wish."""


class SchedulePolicy(Section):
    """`kind = "schedule"`: floors and ceilings by the calendar."""

    kind: Literal["schedule"]
    """Floors and ceilings by the calendar."""
    time_zone: Annotated[str, ZoneName()]
    """The zone whose clocks the windows go by, as `Europe/Oslo`; this machine must know it."""
    windows: Annotated[Many[ScheduleWindow], Field(min_length=1, max_length=50)]
    """When what holds. Of windows that overlap, the highest floor and the lowest ceiling; outside all, nothing."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind; durations are seconds in keys that say so."""
        return self.model_dump(exclude={"kind"}, exclude_unset=True)


class ForecastPolicy(Section):
    """`kind = "forecast"`: machines before the peaks that the pool's own past foretells."""

    kind: Literal["forecast"]
    """Workers before known peaks, and none while the past does no better than the present."""
    target_wait_s: Annotated[float, Span("1s", "1d")] = Field(alias="target_wait")
    """A task should start within this, as in `wait`, beside which it stands."""
    time_zone: Annotated[str, ZoneName()] = DEFAULT_ZONE
    """The zone whose clocks the days go by, so that a peak at nine stays at nine when the clocks change."""

    def options(self) -> Mapping[str, object]:
        """What `policies.open_policies` takes for this kind."""
        return {"target_wait_s": self.target_wait_s, "time_zone": self.time_zone}
