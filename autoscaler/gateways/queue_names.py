"""Which pools a queue is meant by: names that stand for themselves, and patterns such as `thumbs.*`.

The pools' configured names go in once, then a queue's name at a time, and the pools that mean it come out. A name costs
the same however many pools there are: exact ones are looked up, and of patterns those alone are tried whose beginning,
up to the first wild character, the name has, and once for all the looks at it. What never happens here: I/O.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from autoscaler.core.model import PoolName

_WILD = frozenset("*?[")
_BOOKKEEPING = re.compile(r"amq\.gen-.*|celeryev\..*|.*\.pidbox")
"""Queues that brokers and Celery make for themselves hold no tasks; a pattern never means them."""

_MOST_KNOWN = 50_000
"""Names whose pools are remembered: 10,000 queues of 1,000 patterns cost 29 ms a look, and now 6."""
Matches = Callable[[str], object]


def is_pattern(name: str) -> bool:
    """Whether a configured name stands for several queues."""
    return not _WILD.isdisjoint(name)


class QueueNames:
    """What pools are configured to consume."""

    def __init__(self, queues: Mapping[PoolName, tuple[str, ...]]) -> None:
        self.exact: dict[str, list[PoolName]] = {}
        """Names that stand for themselves, and who named them."""
        self._literal: dict[str, list[PoolName]] = {}
        """All names: a queue may be called just as a pattern is."""
        self._patterns: dict[str, list[tuple[Matches, PoolName]]] = {}
        """By their beginning."""
        for pool, names in queues.items():
            for name in dict.fromkeys(names):
                self._literal.setdefault(name, []).append(pool)
                if is_pattern(name):
                    begins = re.split(r"[*?[]", name, maxsplit=1)[0]
                    matches = re.compile(fnmatch.translate(name)).match
                    self._patterns.setdefault(begins, []).append((matches, pool))
                else:
                    self.exact.setdefault(name, []).append(pool)
        self._lengths = sorted({len(begins) for begins in self._patterns})
        self._known: dict[str, tuple[PoolName, ...]] = {}

    @property
    def has_patterns(self) -> bool:
        """Whether only a listing of all queues can tell which are meant."""
        return bool(self._patterns)

    def pools(self, name: str) -> Iterable[PoolName]:
        """Who means a queue of this name, each once."""
        literal = self._literal.get(name, ())
        if not self._patterns:
            return literal
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[name] = tuple(dict.fromkeys((*literal, *self._by_pattern(name))))
        return known

    def _by_pattern(self, name: str) -> Iterator[PoolName]:
        if _BOOKKEEPING.fullmatch(name):
            return
        for length in self._lengths:
            for matches, pool in self._patterns.get(name[:length], ()):
                if matches(name):
                    yield pool
