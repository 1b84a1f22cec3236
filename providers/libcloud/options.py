"""The settings of a libcloud account: plain values in, a checked `Account` out, or one sentence naming the option.

Which settings exist is said by the dialect. Nothing here connects, and no secret stands in a repr or a message.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

from providers.contract import Options, ProviderOptionsWrong
from providers.dialects import DIALECTS, NOT_OFFERED, Dialect
from providers.dialects.contract import Goes, Option, Shape
from providers.dialects.times import Times

OURS = "autoscaler-"
"""How the texts of our mark begin."""
TIMES = ("connect_s", "answer_s", "create_s")
ALL_TAKE = ("driver", "settle_s", *TIMES)
"""What every dialect takes; its `options` come on top, …"""
ENDPOINT = ("host", "port", "secure")
"""… and these, where its endpoint may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go instead of the cloud's own address. An empty host or a port of 0 leaves the driver's own."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account at one cloud, ready to make driver objects of."""

    dialect: Dialect
    settle_s: float
    times: Times
    secrets: tuple[str, ...] = field(repr=False)
    driver_arguments: Mapping[str, object] = field(repr=False)
    """For the driver's constructor."""
    create_arguments: tuple[tuple[str, object], ...]
    """Dotted arguments for every `create_node`."""
    endpoint: Endpoint | None = None
    countries: Mapping[str, str] = field(default_factory=dict)
    """As `ProviderTraits` has them."""
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The texts of each option that is no secret, by its name: as written, or its default."""


def read(name: str, options: Options) -> Account:
    """Check an account's settings. Raises ProviderOptionsWrong."""
    reader = _Reader(name, options)
    driver = reader.text("driver")
    dialect = DIALECTS.get(driver)
    if dialect is None:
        why = f": {NOT_OFFERED[driver]}" if driver in NOT_OFFERED else ""
        raise reader.wrong(
            "driver", f"{driver!r} is not known here{why}", f"one of {', '.join(sorted(DIALECTS))}"
        )
    reader.refuse_unknown(dialect)
    given = [(option, reader.value(name, option, dialect)) for name, option in dialect.options.items()]
    given = [(option, value) for option, value in given if value is not None]
    arguments: dict[str, object] = dict(dialect.constructor)
    for option, value in given:
        if option.to is Goes.ACCOUNT:
            place(arguments, option.argument, value)
    return Account(
        dialect=dialect,
        settle_s=reader.seconds("settle_s", default=dialect.settle_s),
        times=Times(
            **{each: reader.seconds(each, default=getattr(dialect.times, each), least=0.1) for each in TIMES}
        ),
        secrets=tuple(value for option, value in given if option.secret and isinstance(value, str)),
        driver_arguments=arguments,
        create_arguments=tuple(
            (option.argument, value) for option, value in given if option.to is Goes.MACHINE
        ),
        endpoint=reader.endpoint() if dialect.endpoint else None,
        # Who speaks a cloud's language at another address may call his locations as he likes.
        countries={} if "host" in options else _countries(dialect, arguments, options),
        said={
            name: texts
            for name, option in dialect.options.items()
            if not option.secret and (texts := _texts(options.get(name, option.default)))
        },
    )


def _texts(value: object) -> tuple[str, ...]:
    """What was read of an option whose value is a text or texts; nothing of others."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, (list, tuple)) else ()


def _countries(dialect: Dialect, arguments: Mapping[str, object], options: Options) -> Mapping[str, str]:
    """The country of each location of the account."""
    location = dialect.location
    if not location.zoned:
        return location.countries
    region = str(arguments.get("region", ""))
    country = location.countries.get(region)
    zones = [region, *(region + letter for letter in string.ascii_lowercase)]
    # Where the zone is left to the cloud, it is one of these.
    zones += [""] if location.decided_by not in options else []
    return dict.fromkeys(zones, country) if country else {}


def place(arguments: dict[str, object], path: str, value: object) -> None:
    """Put a value where a dotted argument says; a list is added to what stands there."""
    first, _, rest = path.partition(".")
    if rest:
        inner = arguments.setdefault(first, {})
        assert isinstance(inner, dict), f"{first} is given whole and in parts"
        place(inner, rest, value)
        return
    standing = arguments.get(first)
    arguments[first] = (
        [*standing, *value] if isinstance(standing, list) and isinstance(value, list) else value
    )


class _Reader:
    """Reads one account's options by shape; every refusal names the option by its dotted path."""

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._options = options

    def wrong(self, option: str, found: str, expected: str) -> ProviderOptionsWrong:
        return ProviderOptionsWrong(f"providers.{self._name}.{option}: {found}; expected {expected}")

    def refuse_unknown(self, dialect: Dialect) -> None:
        known = (*ALL_TAKE, *(ENDPOINT if dialect.endpoint else ()), *dialect.options)
        for option in self._options:
            if option not in known:
                raise self.wrong(
                    option, f"not an option of {dialect.driver}", f"one of {', '.join(sorted(known))}"
                )

    def text(self, option: str, default: str | None = None) -> str:
        value = self._options.get(option, default)
        if value is None:
            raise self.wrong(option, "missing", "a text")
        # The value itself is not shown: it may be a secret in the wrong place.
        if not isinstance(value, str) or (not value and default is None) or not value.isprintable():
            raise self.wrong(option, f"unusable {type(value).__name__}", "a printable, non-empty text")
        return value

    def texts(self, option: str) -> list[str]:
        value = self._options[option]
        if not isinstance(value, (list, tuple)) or not value:
            raise self.wrong(option, f"a {type(value).__name__}", "a list of texts, at least one")
        for each in value:
            if not isinstance(each, str) or not each or not each.isprintable():
                raise self.wrong(option, f"{each!r} in the list", "printable, non-empty texts")
        return list(value)

    def flag(self, option: str, *, default: bool = False) -> bool:
        value = self._options.get(option, default)
        if not isinstance(value, bool):
            raise self.wrong(option, repr(value), "true or false")
        return value

    def port(self, option: str) -> int:
        value = self._options[option]
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65_536:
            raise self.wrong(option, repr(value), "a port from 1 to 65535")
        return value

    def seconds(self, option: str, *, default: float, least: float = 0.0) -> float:
        value = self._options.get(option, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(option, repr(value), "seconds")
        if not math.isfinite(value) or not least <= value <= 86_400:
            raise self.wrong(option, repr(value), f"seconds from {least:g} to 86400")
        return float(value)

    def endpoint(self) -> Endpoint | None:
        """Another endpoint than the driver's own; None: nothing was said of it."""
        if not any(option in self._options for option in ENDPOINT):
            return None
        return Endpoint(
            host=self.text("host") if "host" in self._options else "",
            port=self.port("port") if "port" in self._options else 0,
            secure=self.flag("secure", default=True),
        )

    def value(self, name: str, option: Option, dialect: Dialect) -> object:
        """What the driver is given for one option; None: nothing."""
        if name not in self._options:
            if option.required:
                raise self.wrong(name, "missing", "a text")
            return option.default or None
        if option.needs and option.needs not in self._options:
            raise self.wrong(name, f"stands without {option.needs!r}", f"both, or neither ({dialect.driver})")
        value = _SHAPES[option.shape](self, name)
        if option.pattern and not re.fullmatch(option.pattern, str(value)):
            raise self.wrong(name, "unusable text", f"this: {option.means}")
        texts = value if isinstance(value, list) and option.argument == dialect.mark.argument else []
        if any(str(text).casefold().startswith(OURS) for text in texts):
            raise self.wrong(
                name, f"a text that begins with {OURS!r}", "others: that is how machines are marked"
            )
        if option.choices and value not in option.choices:
            raise self.wrong(name, f"{value!r}", f"one of {', '.join(option.choices)}")
        return value


_SHAPES: Mapping[Shape, Callable[[_Reader, str], object]] = {
    Shape.TEXT: _Reader.text,
    Shape.TEXTS: _Reader.texts,
    Shape.FLAG: _Reader.flag,
    Shape.REFERENCE: lambda reader, name: SimpleNamespace(id=reader.text(name)),
    Shape.REFERENCES: lambda reader, name: [SimpleNamespace(id=each) for each in reader.texts(name)],
    Shape.NAMED: lambda reader, name: [SimpleNamespace(name=each) for each in reader.texts(name)],
}
