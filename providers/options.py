"""How a provider reads its settings: typed and bounded, with a refusal that names the option by its dotted path.

The plain mapping of `[providers.NAME]` goes in, checked values come out, `ProviderOptionsWrong` at the first that
cannot be used. What never happens here: guessing what was meant, or showing a text that may be a secret in the wrong
place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path

from providers.contract import Options, ProviderOptionsWrong


class Reader:
    """Reads one account's settings. Every method raises ProviderOptionsWrong."""

    def __init__(self, name: str, options: Options, *, known: Collection[str]) -> None:
        self._name = name
        self._options = options
        for option in sorted(set(options) - set(known)):
            raise self.wrong(option, "not an option here", f"one of {', '.join(sorted(known))}")

    def wrong(self, option: str, found: str, expected: str) -> ProviderOptionsWrong:
        """The refusal of one option, to be raised."""
        return ProviderOptionsWrong(f"providers.{self._name}.{option}: {found}; expected {expected}")

    def number(self, option: str, *, default: float, most: float) -> float:
        """A number from 0 to `most`."""
        value = self._options.get(option, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(option, f"a {type(value).__name__}", f"a number from 0 to {most:g}")
        if not math.isfinite(value) or not 0 <= value <= most:
            raise self.wrong(option, f"{value}", f"a number from 0 to {most:g}")
        return float(value)

    def whole(self, option: str, *, default: int) -> int:
        """A whole number, 0 or more."""
        value = self._options.get(option, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(option, f"a {type(value).__name__}", "a whole number, 0 or more")
        return value

    def within(self, option: str, *, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._options.get(option, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(option, f"a {type(value).__name__}", f"a whole number from {least} to {most}")
        return value

    def texts(self, option: str) -> tuple[str, ...]:
        """A list of texts, at least one, each on one line and not empty; it has no default."""
        value = self._options.get(option)
        if not isinstance(value, list | tuple) or not value:
            found = "missing" if value is None else f"a {type(value).__name__}"
            raise self.wrong(option, found, "a list of texts, at least one")
        for each in value:
            if not isinstance(each, str) or not each or not each.isprintable():
                raise self.wrong(option, f"a {type(each).__name__} in the list", "printable, non-empty texts")
        return tuple(value)

    def table(self, option: str) -> Mapping[str, object]:
        """A table of plain values that can be written as JSON; empty where it is missing."""
        value = self._options.get(option, {})
        try:
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise TypeError
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise self.wrong(option, f"a {type(value).__name__}", "a table of texts and numbers") from None
        return value

    def table_of_texts(self, option: str) -> Mapping[str, str]:
        """A table of texts; empty where it is missing. No value is ever shown: it may be a secret."""
        texts: dict[str, str] = {}
        for key, value in self.table(option).items():
            if not isinstance(value, str) or "\0" in value or "\0" in key or "=" in key or not key:
                raise self.wrong(f"{option}.{key}", f"a {type(value).__name__}", "a text")
            texts[key] = value
        return texts

    def flag(self, option: str, *, default: bool) -> bool:
        """True or false."""
        value = self._options.get(option, default)
        if not isinstance(value, bool):
            raise self.wrong(option, f"a {type(value).__name__}", "true or false")
        return value

    def path(self, option: str) -> Path:
        """An absolute path; it has no default."""
        value = self._options.get(option)
        if not isinstance(value, str | Path) or "\0" in str(value) or not Path(value).is_absolute():
            found = "missing" if value is None else repr(str(value))
            raise self.wrong(option, found, "an absolute path")
        return Path(value)
