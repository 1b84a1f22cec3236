"""What commands stand on: the settings, the journal, the world; opened here, closed by whoever leaves the block.

A command that only reads the journal is given settings without secrets, so that it works in a shell that does not have
the daemon's environment. What never happens here: a journal made by a command that only wanted to read one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from autoscaler import meters, wanted
from autoscaler.cli import exits
from autoscaler.clock import Clock, SystemClock
from autoscaler.config import Settings, config_path, load
from autoscaler.core.model import PoolName
from autoscaler.demo import pace
from autoscaler.journal import Journal, JournalAbsent, open_journal, read
from autoscaler.meters import Meters
from bootstrap.contract import ImageScript, UserData
from providers.contract import NodeName, ProviderTraits

if TYPE_CHECKING:
    from autoscaler.wiring import Works


class FleetClock:
    """The machine's clocks; for the fleet of a demo its own, which runs faster. No real fleet has one."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self._course: pace.Course | None = None

    def now(self) -> float:
        """Epoch seconds."""
        at = self._real.now()
        return at if self._course is None else self._course.now(at)

    def monotonic(self) -> float:
        """Real seconds."""
        return self._real.monotonic()

    def of(self, config: Path, given: Settings) -> None:
        """From now on the time of that fleet. Where any machine is real, only the machine's clock is believed."""
        played = all(account.kind == "simulated" for account in given.providers.values())
        self._course = pace.course_beside(config) if played else None


_OF_FLEET = FleetClock()
CLOCK: Clock = _OF_FLEET
_IN_MEMORY = "sqlite://"
_SAMPLE_SEED = "000000000"
"""In place of the nine characters that make a name a new one."""


UNSET = "unset"


class _EveryVariableSet(Mapping[str, str]):
    """An environment for commands that need no secret: every variable has some value."""

    def __getitem__(self, name: str) -> str:
        return os.environ.get(name) or UNSET

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)

    def __contains__(self, name: object) -> bool:
        return True


EVERY_VARIABLE_SET: Mapping[str, str] = _EveryVariableSet()


def settings(config: Path | None, *, secrets: bool = True) -> Settings:
    """The configuration that is meant. Raises ConfigError. Without `secrets` those in variables need not be there."""
    path = config_path(config)
    given = load(path, os.environ if secrets else EVERY_VARIABLE_SET)
    _OF_FLEET.of(path, given)
    return given


def open_the_journal(given: Settings, *, read_only: bool = False, make: bool = False) -> Journal:
    """The journal that is configured. Raises JournalUnavailable; JournalAbsent where there is none, unless `make`."""
    password = given.journal.password.reveal() if given.journal.password else None
    if password == UNSET:
        raise exits.CommandFailed(
            "The journal's password is in an environment variable that is not set in this shell "
            "(journal.password names it). Set it, or give the command as the daemon's user with its environment.",
            code=exits.UNREACHABLE,
        )
    return open_journal(given.journal.url, password=password, read_only=read_only, make=make)


def own_journal(given: Settings) -> Journal:
    """The journal of the fleet that is configured, made where there is none. Raises as `require_own`, and
    JournalUnavailable."""
    found = open_the_journal(given, make=True)
    try:
        require_own(found, given)
    except BaseException:
        found.close()
        raise
    return found


def require_own(journal: Journal, given: Settings) -> bool:
    """That its machines are this fleet's. Raises CommandFailed: a daemon of another name sees none of them in its
    listings, and would take them for gone while they are paid."""
    fleet = given.fleet.name
    name = read.of_another_fleet(journal, fleet)
    if name is None:
        return True
    raise exits.CommandFailed(
        f"The journal {journal.place} is another fleet's: {name} is on record, and no machine of fleet {fleet}. "
        "Name a journal of its own in `journal.url`; or, if the fleet was called anew, set `fleet.name` back "
        "until its machines are gone.",
        code=exits.CONFIG,
    )


@contextmanager
def journal(given: Settings, *, read_only: bool = True) -> Iterator[Journal]:
    """The journal as it is, for one command. Raises CommandFailed where there is none yet, JournalUnavailable."""
    try:
        opened = open_the_journal(given, read_only=read_only)
    except JournalAbsent as error:
        raise exits.CommandFailed(
            f"There is no journal at {error.place}: no daemon has run with this configuration yet. "
            "Start one with `autoscaler run`, or name another configuration with --config.",
            code=exits.UNREACHABLE,
        ) from error
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def journal_to_order(given: Settings) -> Iterator[Journal]:
    """The journal to write an order into, for a server, whose clients are answered whatever becomes of it. Raises
    JournalUnavailable, where there is none any more too."""
    found = open_the_journal(given)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def records(given: Settings) -> Iterator[Journal]:
    """The journal, or an empty one in memory where no daemon has run yet: for commands that look at the world."""
    try:
        found = open_the_journal(given, read_only=True)
    except JournalAbsent:
        found = open_journal(_IN_MEMORY)
    try:
        yield found
    finally:
        found.close()


def _nobody_beside_us() -> bool:
    return True


@contextmanager
def works(
    given: Settings,
    *,
    may_act: Callable[[], bool] = _nobody_beside_us,
    ticks: bool = False,
    buys: bool = False,
    counted: Meters = meters.NOBODY,
) -> Iterator[Works]:
    """Every part that touches the outside; connected to nothing yet. `ticks`: for a daemon, not for one look. Who
    `buys` is refused offers that are where no machine may stand."""
    # Clients of clouds and brokers are slow to import, and most commands do without them.
    from autoscaler import wiring  # noqa: PLC0415

    opened = wiring.open_works(given, clock=CLOCK, may_act=may_act, ticks=ticks, buys=buys, counted=counted)
    try:
        yield opened
    finally:
        opened.close()


def user_data(
    given: Settings, pool_name: str, node: NodeName, traits: ProviderTraits, *, slots: int | None = None
) -> UserData:
    """What a machine by that name would be started with. Raises UnusableSpec or UserDataTooLarge."""
    from autoscaler import becoming  # noqa: PLC0415 - as above

    return becoming.user_data(given, pool_name, node, traits, slots=slots)


def image_script(given: Settings, pool_name: str, *, with_commands: bool = False) -> ImageScript:
    """What makes a machine of that pool's plain image a golden one. Raises UnusableSpec."""
    from autoscaler import becoming  # noqa: PLC0415 - as above

    return becoming.image_script(given, pool_name, with_commands=with_commands)


def sample_node(given: Settings, pool_name: str) -> NodeName:
    """A name as new nodes of that pool get it, and as long."""
    return NodeName(f"{given.fleet.name}-{pool_name}-{_SAMPLE_SEED}")


def longest_node(given: Settings, pool_name: str) -> NodeName:
    """The longest name that a new node of that pool may get: so many may be ordered in one tick, all pools together."""
    most = sum(each.limits.max_workers for each in given.pools.values())
    return NodeName(f"{sample_node(given, pool_name)[:-1]}{max(most - 1, 0):x}")


def pool(given: Settings, name: str) -> PoolName:
    """That pool's name. Raises CommandFailed, naming the pools there are."""
    if name in given.pools:
        return PoolName(name)
    says = wanted.no_pool(name, given.pools)
    raise exits.CommandFailed(says, code=exits.USAGE)


def unknown_node(name: str, known: tuple[str, ...]) -> NoReturn:
    """Raise CommandFailed for a node that is not on record, naming some that are."""
    says = wanted.no_node(name, known)
    raise exits.CommandFailed(says)


def wait_for(condition: Callable[[], bool], deadline_s: float, *, pause_s: float = 0.1) -> bool:
    """Whether the condition became true in time; asked at least once."""
    end = CLOCK.monotonic() + deadline_s
    while not condition():
        if CLOCK.monotonic() >= end:
            return False
        time.sleep(pause_s)
    return True
