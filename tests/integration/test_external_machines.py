"""The whole life of machines that a program of the operator's makes: the real daemon, a real queue, real workers.

The program is the example's, the host its made-up panel. A room beside the panel is what the host's machines would be:
a worker for each server that stands, killed with it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from testbed.waiting import wait_until
from tests.contract import world_external_example
from tests.contract.world_external_example import PROGRAM, TOKEN, ExampleWorld
from tests.integration.panel_machines import PanelMachines, shared
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TASKS = 60


LATE = {"FLOOD_ACKS_LATE": "1", "FLOOD_PREFETCH": "1"}


def a_worker(queue: str, name: str) -> list[str]:
    """The Celery worker of the machine of that name."""
    command = [sys.executable, "-m", "celery", "--app=flood_tasks", "worker", f"--hostname=celery@{name}"]
    return [*command, f"--queues={queue}", "--concurrency=4", "--without-gossip"]


@contextmanager
def a_host(
    set_stage: Callable[..., Stage], directory: Path
) -> Iterator[tuple[Stage, ExampleWorld, Counter[str]]]:
    """A stage whose machines are ordered from the panel, and how often each name was ordered there."""
    with world_external_example.open_world(directory) as world:
        command = json.dumps([sys.executable, "-I", str(PROGRAM)])
        stage = set_stage(
            account=f'kind = "external"\ncommand = {command}\nsettle = "3s"\n'
            f'settings = {{ url = "http://127.0.0.1:{world.port}" }}\n'
            'secrets = { token = { env = "FJORD_TOKEN" } }',
            offer='size = "s-1"\nimage = "debian-12"\nlocation = "osl"',
            bootstrap='broker_url = { env = "FJORD_BROKER" }',
            secrets={"FJORD_TOKEN": TOKEN, "FJORD_BROKER": "amqp://nobody@rabbit.example"},
            create="30s",
        )
        orders: Counter[str] = Counter()

        def count(exchange: Any) -> bool:
            if exchange.command == "POST":
                orders[exchange.body["hostname"]] += 1
            return False

        world.panel.trouble = count
        room = PanelMachines(
            world, stage, lambda _, name: [(a_worker(stage.queue, name), shared(stage) | LATE)]
        )
        try:
            yield stage, world, orders
        finally:
            room.close()


def test_machines_of_a_program_do_the_work_and_go(set_stage: Callable[..., Stage], tmp_path: Path) -> None:
    """From nothing to the ceiling and back: every task once, every machine ordered once, nothing left at the host."""
    with a_host(set_stage, tmp_path) as (stage, world, orders):
        stage.send(dict.fromkeys(range(TASKS), 0.3))
        stage.start_daemon()

        stage.wait_until_ended(TASKS, 120)
        wait_until(
            lambda: not world.panel.servers and not stage.live(), 90, f"nothing to stand\n{stage.tail()}"
        )

        assert Counter(range(TASKS)) == stage.noted("began") == stage.noted("ended")
        assert orders
        assert {1} == set(orders.values())
        assert set(orders) == set(stage.nodes())
        assert 0 == stage.stop_daemon()
        log = (stage.directory / "daemon.log").read_text()
        assert TOKEN not in log


def test_a_run_outlives_its_daemon_and_its_machine_is_found(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """`kill -9` while the program orders: the order arrives, the next daemon lists the machine, and none is doubled."""
    with a_host(set_stage, tmp_path) as (stage, world, orders):
        count, asked = world.panel.trouble, threading.Event()

        def slow(exchange: Any) -> bool:
            if exchange.command == "POST":
                asked.set()
                time.sleep(2)  # the host thinks it over, and the daemon is killed meanwhile
            return count(exchange)

        world.panel.trouble = slow
        stage.send({0: 0.3})
        stage.start_daemon()
        assert asked.wait(60), stage.tail()
        stage.kill_daemon()
        assert not world.panel.servers
        wait_until(lambda: world.panel.servers, 30, "the order to arrive without its daemon")

        stage.start_daemon()

        stage.wait_until_ended(1, 60)
        wait_until(
            lambda: not world.panel.servers and not stage.live(), 90, f"nothing to stand\n{stage.tail()}"
        )
        assert {1} == set(orders.values())
        assert 0 == stage.stop_daemon()
