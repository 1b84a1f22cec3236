"""A real worker with a machine's own user: all that an ordinary application and the daemon need of it works."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kombu import Exchange, Queue

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Hands, Sightings
from autoscaler.core.model import WorkerName, worker_of
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.rabbitmq import RabbitMQ
from testbed.waiting import wait_until
from tests.integration.gateways_stage import OLD_CELERY
from tests.integration.node_users.stage import OURS, QUEUE, THEIRS, Stage
from tests.integration.node_users.stage import worker_of as started

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PYTHONS = [
    pytest.param(sys.executable, id="newest"),
    pytest.param(
        str(OLD_CELERY),
        id="5.3",
        marks=pytest.mark.skipif(not OLD_CELERY.exists(), reason="`make test` makes it"),
    ),
]
WORKER = worker_of(OURS)
NOTHING = Hands(active=0, reserved=0, scheduled=0)


def lines(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


def is_heard(link: CeleryLink, worker: WorkerName) -> bool:
    seen = link.sightings()
    return isinstance(seen, Sightings) and worker in seen.workers and seen.workers[worker].online


def holds(link: CeleryLink) -> Hands | object:
    return link.hands([WORKER], 5)[WORKER]


def linked(stage: Stage) -> CeleryLink:
    return CeleryLink(
        amqp_url=f"amqp://127.0.0.1:{stage.broker.amqp_port}",
        username=stage.broker.user,
        password=stage.broker.password,
        vhost=stage.vhost,
        clock=SystemClock(),
    )


def looking(stage: Stage) -> RabbitMQ:
    return RabbitMQ(
        management_url=stage.broker.management_url,
        username=stage.broker.user,
        password=stage.broker.password,
        vhost=stage.vhost,
        clock=SystemClock(),
        statistics_interval_s=1.0,
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_a_worker_with_a_user_of_its_own_lacks_nothing(
    set_scene: Callable[..., Stage], tmp_path: Path, python: str
) -> None:
    """Tasks, retries, tasks with a time and tasks of tasks; heard, asked, drained, taken back, and stopped."""
    stage, ledger = set_scene(), tmp_path / "ledger"
    url = stage.granted()
    link = linked(stage)
    link.start()
    try:
        with (
            started(url, OURS, ledger, python=python) as process,
            stage.producer() as app,
            closing(looking(stage)) as broker,
        ):
            app.send_task("plain", args=("one",))
            app.send_task("again", args=("two",))
            app.send_task("onward", args=("three",))
            app.send_task("plain", args=("later",), eta=datetime.now(UTC) + timedelta(seconds=1))
            expected = {"plain one", "again two 0", "again two 1", "plain three", "plain later"}
            wait_until(lambda: expected <= set(lines(ledger)), 40, f"{expected}, not {lines(ledger)}")
            wait_until(lambda: is_heard(link, WORKER), 20, "its events")
            wait_until(lambda: link.ping(1.0) == {WORKER}, 20, "it to answer")
            assert NOTHING == holds(link)

            app.send_task("hold", args=(str(tmp_path / "end"),))
            wait_until(lambda: f"held {tmp_path / 'end'}" in lines(ledger), 20, "a task to be held")
            link.cancel_consumers(WORKER, (QUEUE,), 10)
            app.send_task("plain", args=("after the undrain",))
            # Acknowledged early: what a drain asks the broker for is its word on the connection, which it now knows.
            wait_until(lambda: broker.unacknowledged([WORKER], 10)[WORKER] == 0, 20, "the broker's word")
            (tmp_path / "end").touch()
            wait_until(lambda: holds(link) == NOTHING, 20, "the task to be finished")
            assert "plain after the undrain" not in lines(ledger)

            link.add_consumers(WORKER, (QUEUE,), 10)
            wait_until(lambda: "plain after the undrain" in lines(ledger), 20, "the undrain")
            link.stop_worker(WORKER, 5)
            assert 0 == process.wait(30)
            wait_until(lambda: not is_heard(link, WORKER), 20, "its goodbye")
    finally:
        link.stop(10)


def test_without_the_right_to_publish_an_ordinary_retry_is_lost(
    set_scene: Callable[..., Stage], tmp_path: Path
) -> None:
    """What the documentation warns of is true: that is why the right is the default."""
    stage, ledger = set_scene(publishes=False), tmp_path / "ledger"
    with started(stage.granted(), OURS, ledger), stage.producer() as app:
        app.send_task("again", args=("one",))
        wait_until(lambda: "again one 0" in lines(ledger), 40, "the first try")
        app.send_task("hold", args=(str(tmp_path / "end"),))
        wait_until(lambda: f"held {tmp_path / 'end'}" in lines(ledger), 20, "the worker to go on")
        (tmp_path / "end").touch()
        # By then the retry, due after 0.1 s, would have been sent and stood before this one.
        app.send_task("plain", args=("last",))
        wait_until(lambda: "plain last" in lines(ledger), 20, "the worker to go on")

        assert "again one 1" not in lines(ledger)


def test_an_application_with_an_exchange_of_its_queues_own_retries_without_that_right(
    set_scene: Callable[..., Stage], tmp_path: Path
) -> None:
    """Tasks that are sent through the exchange that bears the queue's name need no other."""
    stage, ledger = set_scene(publishes=False), tmp_path / "ledger"
    with started(stage.granted(), OURS, ledger, NODE_EXCHANGE_TYPE="topic"), stage.producer() as app:
        queue = Queue(QUEUE, Exchange(QUEUE, type="topic"), routing_key=QUEUE)
        for task in ("again", "onward"):
            app.send_task(task, args=(task,), queue=queue)
        expected = {"again again 0", "again again 1", "plain onward"}
        wait_until(lambda: expected <= set(lines(ledger)), 20, f"{expected}, not {lines(ledger)}")


def test_two_workers_of_a_pool_share_its_queue_and_one_cannot_stop_the_other(
    set_scene: Callable[..., Stage], tmp_path: Path
) -> None:
    """Orders of a machine's user to others go nowhere: the exchange of orders does not take them."""
    stage = set_scene(publishes=False)
    ours, theirs = stage.granted(OURS), stage.granted(THEIRS)
    thief = CeleryLink(
        amqp_url=f"amqp://127.0.0.1:{stage.broker.amqp_port}",
        username=f"autoscaler.web.{OURS}",
        password="works",
        vhost=stage.vhost,
        clock=SystemClock(),
    )
    daemon = linked(stage)
    with (
        started(ours, OURS, tmp_path / "ours") as one,
        started(theirs, THEIRS, tmp_path / "theirs") as other,
        stage.producer() as app,
    ):
        thief.start()
        daemon.start()
        try:
            both = {WORKER, worker_of(THEIRS)}
            wait_until(lambda: _answering(daemon) == both, 60, "both to answer")
            with pytest.raises(FactUnavailable):
                thief.stop_worker(worker_of(THEIRS), 2.0)
            for number in range(20):
                app.send_task("plain", args=(str(number),))
            wait_until(
                lambda: len(lines(tmp_path / "ours")) + len(lines(tmp_path / "theirs")) == 20, 30, "all tasks"
            )
            assert both == _answering(daemon)
            assert None is one.poll() is other.poll()
        finally:
            thief.stop(10)
            daemon.stop(10)


def _answering(link: CeleryLink) -> frozenset[WorkerName]:
    try:
        return link.ping(1.0)
    except FactUnavailable:
        return frozenset()
