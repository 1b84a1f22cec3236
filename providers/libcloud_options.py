"""The settings of a libcloud account: plain values in, a checked `Account` out, or one sentence naming the option.

Which settings exist is said by the dialect. Nothing here connects, and no secret stands in a repr or a message.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

from providers.contract import Options, ProviderOptionsWrong
from providers.dialects import DIALECTS, Dialect, Shape

ACCOUNT_OPTIONS = ("driver", "key", "secret", "token", "region", "host", "port", "secure", "settle_s")
"""What every dialect takes; its `extras` come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account at one cloud, ready to make driver objects of."""

    dialect: Dialect
    settle_s: float
    secrets: tuple[str, ...] = field(repr=False)
    driver_arguments: Mapping[str, object] = field(repr=False)
    """For the driver's constructor."""
    create_arguments: Mapping[str, object]
    """For every `create_node`."""


def read(name: str, options: Options) -> Account:
    """Check an account's settings. Raises ProviderOptionsWrong."""
    reader = _Reader(name, options)
    driver = reader.text("driver")
    dialect = DIALECTS.get(driver)
    if dialect is None:
        raise reader.wrong("driver", f"{driver!r} is not known here", f"one of {', '.join(sorted(DIALECTS))}")
    reader.refuse_unknown(dialect)
    key, secret = reader.text("key"), reader.text("secret")
    token = reader.text("token", default="")
    arguments: dict[str, object] = {
        **dialect.constructor,
        "key": key,
        "secret": secret,
        "secure": reader.flag("secure", default=True),
        "region": reader.text("region", default=dialect.default_region),
    }
    arguments |= {"token": token} if token else {}
    arguments |= {"host": reader.text("host")} if "host" in options else {}
    arguments |= {"port": reader.port("port")} if "port" in options else {}
    return Account(
        dialect=dialect,
        settle_s=reader.seconds("settle_s", default=dialect.settle_s),
        secrets=tuple(filter(None, (secret, token, key))),
        driver_arguments=arguments,
        create_arguments={**dialect.always, **reader.extras(dialect)},
    )


class _Reader:
    """Reads one account's options by shape; every refusal names the option by its dotted path."""

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._options = options

    def wrong(self, option: str, found: str, expected: str) -> ProviderOptionsWrong:
        return ProviderOptionsWrong(f"providers.{self._name}.{option}: {found}; expected {expected}")

    def refuse_unknown(self, dialect: Dialect) -> None:
        known = (*ACCOUNT_OPTIONS, *dialect.extras)
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

    def seconds(self, option: str, *, default: float) -> float:
        value = self._options.get(option, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(option, repr(value), "seconds")
        if not math.isfinite(value) or not 0 <= value <= 86_400:
            raise self.wrong(option, repr(value), "seconds from 0 to 86400")
        return float(value)

    def extras(self, dialect: Dialect) -> dict[str, object]:
        arguments: dict[str, object] = {}
        for option, extra in dialect.extras.items():
            if option not in self._options:
                continue
            if extra.needs and extra.needs not in self._options:
                raise self.wrong(
                    option, f"stands without {extra.needs!r}", f"both, or neither ({dialect.driver})"
                )
            match extra.shape:
                case Shape.TEXT:
                    arguments[extra.argument] = self.text(option)
                case Shape.TEXTS:
                    arguments[extra.argument] = self.texts(option)
                case Shape.FLAG:
                    arguments[extra.argument] = self.flag(option)
                case Shape.REFERENCE:
                    arguments[extra.argument] = SimpleNamespace(id=self.text(option))
        return arguments
