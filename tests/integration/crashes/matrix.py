"""The cells: steps × where machines come from × where the journal lies, and the parts on which they are played.

`whole` is every step by itself; `chains` is what each test run affords, where one life is killed at several steps. The
cells share one broker, one moto and one PostgreSQL, and have everything else for themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from testbed.hostile_http import http_proxy
from testbed.postgresql import PrivatePostgreSQL
from testbed.rabbitmq import PrivateRabbitMQ
from tests.contract import moto_world
from tests.contract.moto_world import Moto
from tests.integration.crashes.audit import Ledger
from tests.integration.crashes.clouds import Cloud, Rented, ThisComputer
from tests.integration.crashes.play import CEILING, Cell, Record, play
from tests.integration.crashes.steps import STEPS
from tests.integration.stage import Stage

CLOUDS = ("local", "EC2")
JOURNALS = ("SQLite", "PostgreSQL")


def whole() -> tuple[Cell, ...]:
    """Every step by itself, everywhere."""
    return tuple(
        Cell(steps=(step,), cloud=cloud, journal=journal)
        for journal in JOURNALS
        for cloud in CLOUDS
        for step in STEPS
    )


def chains() -> tuple[Cell, ...]:
    """Every step once, in six lives over all combinations.

    A life has one step at which machines may come to be: after it, nobody knows how many more will be bought. Between
    `before stop` and `after stop` a life has one, because nobody is told twice to stop.
    """
    return tuple(Cell(steps=tuple(steps), cloud=cloud, journal=journal) for cloud, journal, *steps in _CHAINS)


_CHAINS = (
    (
        *("local", "SQLite", "lease taken", "before commit: buying", "before create"),
        *("before commit: draining", "before drain", "before commit: gone"),
    ),
    (
        *("EC2", "PostgreSQL", "looked", "after create", "in commit: draining", "after drain"),
        *("in commit: drained", "in commit: gone"),
    ),
    (
        *("local", "PostgreSQL", "in commit: buying", "amid creates", "before undrain"),
        *("before commit: drained", "before stop"),
    ),
    (
        *("EC2", "SQLite", "after commit: buying", "create answered", "after undrain"),
        *("after stop", "destroy answered"),
    ),
    (
        *("local", "SQLite", "stopping: create under way", "after commit: draining"),
        *("after commit: drained", "before destroy"),
    ),
    ("EC2", "SQLite", "stopping: lease not given back", "after destroy", "after commit: gone"),
)


class Parts:
    """The real servers, and the cells played on them, so many at once."""

    def __init__(
        self,
        directory: Path,
        broker: PrivateRabbitMQ,
        moto: Moto,
        postgresql: PrivatePostgreSQL,
        *,
        at_once: int,
    ) -> None:
        self._directory = directory
        self._broker = broker
        self._moto = moto
        self._postgresql = postgresql
        self._playing = ThreadPoolExecutor(at_once, thread_name_prefix="cell")

    def begin(self, cells: Sequence[Cell]) -> dict[Cell, Future[Record]]:
        """Their records, as they come."""
        return {cell: self._playing.submit(self._play, cell) for cell in cells}

    def close(self) -> None:
        """Begin no more, and wait for those under way."""
        self._playing.shutdown(cancel_futures=True)

    def _play(self, cell: Cell) -> Record:
        fleet = f"crash-{secrets.token_hex(3)}"
        place = self._directory / fleet
        place.mkdir(parents=True)
        self._broker.add_vhost(fleet)
        with ExitStack() as closing:
            cloud = self._cloud(cell, fleet, place, closing)
            closing.callback(cloud.close)
            settings, ledger = self._journal(cell, fleet, place)
            variables = {**cloud.settings.get("secrets", {}), **settings.get("secrets", {})}
            stage = Stage(
                directory=place,
                broker=self._broker,
                fleet=fleet,
                vhost=fleet,
                slots=2,
                ceiling=CEILING,
                tick="500ms",
                scale_in_window="1s",
                create="5s",
                **{**cloud.settings, **settings, "secrets": variables},
            )
            closing.callback(stage.close)
            return play(cell, stage, cloud, Ledger(ledger))

    def _journal(self, cell: Cell, fleet: str, place: Path) -> tuple[dict[str, Any], str]:
        """What the stage is told of it, and where the audit reads it."""
        if cell.journal == "SQLite":
            return {}, f"sqlite:///{place}/journal.db"
        told = {
            "journal_url": self._postgresql.make_database(fleet),
            "journal_more": 'password = { env = "JOURNAL_PASSWORD" }',
            "secrets": {"JOURNAL_PASSWORD": self._postgresql.password},
        }
        return told, self._postgresql.whole_url_for(fleet)

    def _cloud(self, cell: Cell, fleet: str, place: Path, closing: ExitStack) -> Cloud:
        if cell.cloud == "local":
            return ThisComputer(place, fleet)
        link = closing.enter_context(http_proxy(self._moto.port))
        return Rented(self._moto, fleet, self._broker, place, link=link)


@contextmanager
def parts(directory: Path, *, at_once: int) -> Iterator[Parts]:
    """Start the servers; end them, and all that is left of the cells."""
    with ExitStack() as running:
        broker = running.enter_context(PrivateRabbitMQ(directory / "rabbitmq", statistics_interval_s=1.0))
        moto = running.enter_context(moto_world.running())
        postgresql = running.enter_context(PrivatePostgreSQL())
        opened = Parts(directory, broker, moto, postgresql, at_once=at_once)
        running.callback(opened.close)
        yield opened
