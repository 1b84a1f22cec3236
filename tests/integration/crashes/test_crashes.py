"""The crash matrix as every test run affords it: each step once, in six lives played at once.

`make crashes` plays the whole of it, every step by itself in every combination.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from testbed.postgresql import PrivatePostgreSQL
from testbed.rabbitmq import PrivateRabbitMQ
from tests.contract import moto_world
from tests.integration.crashes import matrix
from tests.integration.crashes.play import Cell, Record
from tests.integration.crashes.steps import STEPS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CHAINS = matrix.chains()


@pytest.fixture(scope="module")
def played(
    broker: PrivateRabbitMQ, postgresql: PrivatePostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Cell, Future[Record]]]:
    """All lives, under way: they wait more than they work."""
    directory: Path = tmp_path_factory.mktemp("crashes")
    with moto_world.running() as moto:
        parts = matrix.Parts(directory, broker, moto, postgresql, at_once=len(CHAINS))
        yield parts.begin(CHAINS)
        parts.close()


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: f"{chain.cloud}-{chain.journal}-{chain.steps[0]}")
def test_a_daemon_killed_at_any_step_leaves_journal_provider_and_workers_in_agreement(
    played: Mapping[Cell, Future[Record]], chain: Cell
) -> None:
    """Each kill happened; no double, no leak, no task lost or done twice, no move that the life cycle does not hold."""
    record = played[chain].result()

    assert () == record.problems
    assert chain.steps == record.killed


def test_no_step_is_left_out() -> None:
    """Every step of the table is in exactly one chain."""
    assert Counter(list(STEPS)) == Counter(step for chain in CHAINS for step in chain.steps)
