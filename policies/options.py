"""How a policy reads its options: typed, bounded, and everything wrong told at once.

The plain mapping of a `PolicySpec` goes in, checked values come out; `finish` raises `PolicyOptionsWrong` with every
problem found, unknown names included. What never happens here: guessing what was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

LARGEST = 1e9
"""No threshold, count or size of a real pool comes near it; a larger one is a slip of the hand."""

MOST_ROWS = 50
"""Rows in one table of thresholds. An operator who needs more needs a proportional rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionProblem:
    """One thing wrong. `option` is its path inside the policy, as `out[0].above`, empty for the policy itself."""

    option: str
    says: str

    def __str__(self) -> str:
        return f"{self.option} {self.says}".strip()


class PolicyOptionsWrong(ValueError):
    """A policy cannot be opened as configured. The message names every option, what was found and what was expected."""

    def __init__(self, problems: Sequence[OptionProblem], *, where: str = "") -> None:
        self.problems = tuple(problems)
        self.where = where
        told = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"{where}: {told}" if where else told)

    def __reduce__(self) -> tuple[Callable[..., PolicyOptionsWrong], tuple[object, ...]]:
        """As it was raised, also out of another process: by itself an exception is made anew from its message."""
        return partial(PolicyOptionsWrong, where=self.where), (self.problems,)


class Options:
    """A reader over one mapping. A value that is wrong is noted and a harmless one returned until `finish` raises."""

    def __init__(
        self, given: Mapping[str, object], *, path: str = "", problems: list[OptionProblem] | None = None
    ) -> None:
        self._given = given
        self._path = path
        self._read: set[str] = set()
        self._problems: list[OptionProblem] = [] if problems is None else problems

    def wrong(self, name: str, says: str) -> None:
        """Note a problem with this option."""
        self._problems.append(OptionProblem(option=f"{self._path}{name}", says=says))

    def number(self, name: str, *, least: float, most: float = LARGEST) -> float:
        """A required finite number of at least `least` and at most `most`."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self._expected(name, value, f"a number of at least {least:g} and at most {most:.0f}")
            return least
        return float(value)

    def whole(self, name: str, *, least: int) -> int:
        """A required whole number of at least `least`."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            self._expected(name, value, f"a whole number of at least {least} and at most {LARGEST:.0f}")
            return least
        return value

    def whole_or_none(self, name: str, *, least: int) -> int | None:
        """A whole number of at least `least`, or None when it is not given."""
        self._read.add(name)
        return self.whole(name, least=least) if self._given.get(name) is not None else None

    def text(self, name: str) -> str:
        """A required text that is not empty. The empty one is returned when it is wrong."""
        value = self._take(name)
        if not isinstance(value, str) or not value:
            self._expected(name, value, "text in quotes")
            return ""
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false, or the default when it is not given."""
        if name not in self._given:
            return default
        value = self._take(name)
        if not isinstance(value, bool):
            self._expected(name, value, "true or false")
            return default
        return value

    def rows(self, name: str, *, required: bool) -> tuple[Options, ...]:
        """A list of tables, each with its own reader; their problems are told with ours."""
        value = self._take(name, () if not required else None)
        if (
            not isinstance(value, Sequence)
            or isinstance(value, str)
            or not all(isinstance(row, Mapping) for row in value)
        ):
            self._expected(name, value, "a list of tables")
            return ()
        if len(value) > MOST_ROWS or (required and not value):
            self.wrong(name, f"has {len(value)} rows; expected 1 to {MOST_ROWS}")
            return ()
        return tuple(
            Options(row, path=f"{self._path}{name}[{at}].", problems=self._problems)
            for at, row in enumerate(value)
        )

    def close(self) -> None:
        """Note every option that nobody read: it is unknown, and most likely misspelt."""
        for name in sorted(self._given.keys() - self._read):
            self.wrong(name, f"is not an option here; known: {', '.join(sorted(self._read))}")

    def finish(self) -> None:
        """Close, and raise `PolicyOptionsWrong` when anything was noted here or in a row."""
        self.close()
        if self._problems:
            raise PolicyOptionsWrong(self._problems)

    @property
    def sound(self) -> bool:
        """Nothing was wrong so far; only then is it worth comparing options with each other."""
        return not self._problems

    def _take(self, name: str, default: object = None) -> object:
        self._read.add(name)
        return self._given.get(name, default)

    def _expected(self, name: str, value: object, expected: str) -> None:
        found = "is missing" if name not in self._given else f"is {str(value)[:40]!r}"
        self.wrong(name, f"{found}; expected {expected}")
