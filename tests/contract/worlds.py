"""What a provider must bring with it so that the contract suite can try it: a world that we can look into and disturb.

One kind of provider has one world: a module `world_NAME.py` beside this one with a function `open_world(directory)`, a
context manager that gives a `World` and ends everything it started. `conftest.py` finds such modules by their names, so
adding a cloud to the suite means adding one file. Worlds hold no test; tests hold no word of any provider.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from providers.contract import InstanceSpec, MayAct, Provider, Purchase, always


class Trouble(StrEnum):
    """What may happen to a call. A world says which of these it can bring about; the suite skips the others by name."""

    CAPACITY = "capacity"
    """The next create is refused for want of stock, or for want of quota where nothing else is ever told."""
    QUOTA = "quota"
    """The next create is refused because the account has all that it may have."""
    REJECTED = "rejected"
    """The next create is refused for a fault of ours."""
    THROTTLED = "throttled"
    """The next create is refused for asking too often."""
    ANSWER_LOST = "answer lost"
    """The next create takes place, and its answer never arrives."""
    REQUEST_LOST = "request lost"
    """The next create never reaches the provider, and nobody can tell."""
    LISTING_CUT = "listing cut"
    """The next listing may lack machines, and can tell that it may."""
    LISTING_FAILS = "listing fails"
    """The next listing gets no usable answer."""
    SILENCE = "silence"
    """The next call, whichever it is, is taken and never answered."""


class World(Protocol):
    """One account at one provider, seen from behind. It lasts for many tests, which share nothing but it."""

    troubles: frozenset[Trouble]
    """What `meet` can bring about."""

    lists_within_s: float
    """For how long the suite waits, in this world's time, until a listing shows what a create or a destroy has done."""

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        """A new provider object on the same account, as a daemon opens after a restart; closed by its world."""
        ...

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        """A machine that this account would sell, with a user data of its own where none is given."""
        ...

    def purchase(self) -> Purchase:
        """What `spec` buys, for `check`."""
        ...

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        """What the machine itself would read as its user data. Raises KeyError where no such machine was made."""
        ...

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        """The names of all machines that stand now, seen from behind and without any lag; two of one name twice."""
        ...

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        """Let the next calls that it concerns run into this."""
        ...

    def calm(self) -> None:
        """Forget every trouble that was not met."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let this long pass in the world: sleep, or turn a virtual clock."""
        ...


@runtime_checkable
class Books(Protocol):
    """A world whose provider's books can be read."""

    def billed(self) -> tuple[str, ...]:
        """All that is billed now although it is part of no machine that stands, whoever made it."""
        ...


def eventually(world: World, holds: Callable[[], bool]) -> bool:
    """Whether this came to hold before the world's own time for it was over."""
    steps = 40
    for _ in range(steps):
        if holds():
            return True
        world.pass_time(world.lists_within_s / steps)
    return holds()


def kinds() -> tuple[str, ...]:
    """The names of the worlds that stand beside this module."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("world_*.py")))
