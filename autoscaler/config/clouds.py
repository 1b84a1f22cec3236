"""The keys of `[providers.NAME]` for each cloud behind libcloud, made from what the cloud's dialect says of itself.

In goes a dialect, out comes a section's class: a cloud that is added needs no word here. What never happens here: a key
of one cloud in another's section.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, create_model

from autoscaler.config.secret import Secret
from autoscaler.config.values import Many, Span, Word
from providers.dialects import DIALECTS, NOT_OFFERED, Dialect
from providers.dialects.contract import Goes, Option, Shape

S = TypeVar("S", bound=BaseModel)

_SHAPES: dict[Shape, Any] = {
    Shape.TEXT: Word,
    Shape.TEXTS: Many[Word],
    Shape.FLAG: bool,
    Shape.REFERENCE: Word,
    Shape.REFERENCES: Many[Word],
    Shape.NAMED: Many[Word],
}
_ENDPOINT: dict[str, Any] = {
    "host": (
        Word | None,
        Field(default=None, description="Another endpoint than the cloud's own, by name or address."),
    ),
    "port": (
        Annotated[int, Field(ge=1, le=65_535)] | None,
        Field(default=None, description="That endpoint's port."),
    ),
    "secure": (
        bool,
        Field(default=True, description="HTTPS. Turn it off for a test server on this computer only."),
    ),
}
_SETTLE: dict[str, Any] = {
    "settle_s": (
        Annotated[float, Span("0s", "1h")] | None,
        Field(
            default=None,
            alias="settle",
            description="How long a machine must be absent from listings before that is believed; without it, what is "
            "known of this cloud.",
        ),
    )
}
_TIMES: Mapping[str, tuple[str, str]] = {
    "connect_s": ("connect_timeout", "For a connection to the cloud to stand; without it"),
    "answer_s": ("answer_timeout", "For one answer of the cloud, within the time of a call; without it"),
    "create_s": (
        "create_time",
        "What a whole create should be given: `check` tells where `timeouts.call` of a pool is less; without it",
    ),
}


def header(driver: str) -> str:
    """How the reference calls that section."""
    return f'[providers.NAME], kind = "libcloud", driver = "{driver}"'


def class_name(driver: str) -> str:
    """What its class is called."""
    return f"Libcloud{''.join(part.title() for part in driver.split('_'))}Provider"


SECTIONS: Mapping[str, str] = {header(driver): class_name(driver) for driver in DIALECTS}
"""For the reference, in the order of the drivers' names."""
ABSENT = tuple(NOT_OFFERED)
"""Drivers that people may try, and that have no section yet."""


def sections(base: type[S]) -> dict[str, type[S]]:
    """By driver, the class of its section, made upon that one."""
    return {
        driver: create_model(
            class_name(driver),
            __base__=base,
            __doc__=f"`{header(driver)}`: {dialect.title}.",
            **_fields(dialect),
        )
        for driver, dialect in DIALECTS.items()
    }


def needs(driver: object) -> Mapping[str, str]:
    """Keys of a driver's section that need another one."""
    dialect = DIALECTS.get(driver) if isinstance(driver, str) else None
    return {name: option.needs for name, option in dialect.options.items() if option.needs} if dialect else {}


def also_needed(driver: object) -> tuple[str, ...]:
    """What an offer there must name, beside size and image."""
    dialect = DIALECTS.get(driver) if isinstance(driver, str) else None
    return ("location",) if dialect and dialect.location.required else ()


def _fields(dialect: Dialect) -> dict[str, Any]:
    account, machine = (
        {name: _field(option) for name, option in dialect.options.items() if option.to is goes}
        for goes in (Goes.ACCOUNT, Goes.MACHINE)
    )
    driver = (Literal[dialect.driver], Field(description=f"{dialect.title}."))
    return {
        "driver": driver,
        **account,
        **(_ENDPOINT if dialect.endpoint else {}),
        **_SETTLE,
        **_times(dialect),
        **machine,
    }


def _times(dialect: Dialect) -> dict[str, Any]:
    """How long the cloud may take."""
    return {
        name: (
            Annotated[float, Span("100ms", "1h")] | None,
            Field(default=None, alias=alias, description=f"{means} {getattr(dialect.times, name):g} s."),
        )
        for name, (alias, means) in _TIMES.items()
    }


def _field(option: Option) -> Any:
    kind: Any = Secret if option.secret else _SHAPES[option.shape]
    if option.choices:
        kind = Literal[option.choices]
    if option.required:
        return kind, Field(description=option.means)
    return kind | None, Field(default=None, description=option.means)
