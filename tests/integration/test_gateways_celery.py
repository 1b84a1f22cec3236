"""Hearing and ordering real Celery workers through a real broker."""

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core import supply
from autoscaler.core.facts import Hands, Missing, Sighting, Sightings
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.core.reconcile import reconcile
from autoscaler.gateways import celery_control
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.rabbitmq import RabbitMQ
from policies.contract import Demand
from testbed import ports, waiting
from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration import gateways_stage as stage
from tests.unit.core.builders import FLEET, POOL, a_node, a_pool, a_snapshot, rules

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

VHOST = "a/b"
PYTHONS = [
    pytest.param(sys.executable, id="newest"),
    pytest.param(
        str(stage.OLD_CELERY),
        id="5.3",
        marks=pytest.mark.skipif(not stage.OLD_CELERY.exists(), reason="`make test` makes it"),
    ),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """One broker for this file; its password holds every awkward character."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1) as started:
        started.add_vhost(VHOST)
        yield started


@contextlib.contextmanager
def linked(node: PrivateRabbitMQ, *, vhost: str = "/", **changes: str) -> Iterator[CeleryLink]:
    link = CeleryLink(
        **{
            "amqp_url": f"amqp://127.0.0.1:{node.amqp_port}",
            "username": node.user,
            "password": node.password,
            "vhost": vhost,
        }
        | changes,
        clock=SystemClock(),
    )
    link.start()
    try:
        yield link
    finally:
        link.stop(10)


def hears(link: CeleryLink) -> Sightings:
    """Wait until it hears."""

    def seen() -> Sightings | None:
        now = link.sightings()
        return now if isinstance(now, Sightings) else None

    found = waiting.wait_until(seen, 30, "the link to hear itself")
    assert found is not None
    return found


def sees(link: CeleryLink, worker: WorkerName) -> Sighting:
    """Wait until it has heard this worker online."""

    def seen() -> Sighting | None:
        sighting = hears(link).workers.get(worker)
        return sighting if sighting and sighting.online else None

    found = waiting.wait_until(seen, 60, f"{worker} to be heard")
    assert found is not None
    return found


def answers(link: CeleryLink, worker: WorkerName) -> None:
    """Wait until it answers: a worker says that it is online before its mailbox is open."""
    waiting.wait_until(lambda: link.ping(1.0) == {worker}, 20, f"{worker} alone to answer")


def holds(link: CeleryLink, worker: WorkerName) -> Hands | Missing:
    return link.hands([worker], 5)[worker]


@pytest.mark.parametrize("python", PYTHONS)
def test_a_worker_is_heard_asked_ordered_and_stopped(
    node: PrivateRabbitMQ, tmp_path: Path, python: str
) -> None:
    """From its first heartbeat to its goodbye, in a vhost with a slash, with early acks."""
    with (
        linked(node, vhost=VHOST) as link,
        stage.worker(node, "whole", tmp_path / "log", vhost=VHOST, python=python) as (worker, process),
    ):
        sighting = sees(link, worker)
        assert sighting.silent_s < 5
        assert sighting.pid is not None
        answers(link, worker)
        assert Hands(active=0, reserved=0, scheduled=0) == holds(link, worker)

        link.cancel_consumers(worker, (stage.QUEUE,), 10)
        stage.publish_hold(node, tmp_path / "first", vhost=VHOST)
        link.cancel_consumers(worker, (stage.QUEUE,), 10)
        assert Hands(active=0, reserved=0, scheduled=0) == holds(link, worker)

        link.add_consumers(worker, (stage.QUEUE,), 10)
        running = Hands(active=1, reserved=0, scheduled=0)
        waiting.wait_until(lambda: holds(link, worker) == running, 20, "the task to run after the undrain")
        waiting.wait_until(lambda: hears(link).workers[worker].active == 1, 20, "the heartbeat to say so")

        (tmp_path / "first").touch()
        waiting.wait_until(lambda: hears(link).workers[worker].active == 0, 20, "the task to end")
        link.stop_worker(worker, 5)
        assert 0 == process.wait(30)
        waiting.wait_until(lambda: not hears(link).workers[worker].online, 20, "the goodbye")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("late", "held"), [("1", 1), ("0", 0)], ids=["late acks", "early acks"])
def test_the_broker_is_a_second_witness_of_what_a_worker_holds(
    node: PrivateRabbitMQ, tmp_path: Path, python: str, late: str, held: int
) -> None:
    """With late acks it holds the running task unacknowledged; with early ones it cannot know of it."""
    broker = RabbitMQ(
        management_url=node.management_url,
        username=node.user,
        password=node.password,
        vhost="/",
        clock=SystemClock(),
    )
    name = f"acks{late}-{'old' if python != sys.executable else 'new'}"
    with (
        contextlib.closing(broker),
        linked(node) as link,
        stage.worker(node, name, tmp_path / "log", python=python, ACKS_LATE=late) as (worker, _),
    ):
        sees(link, worker)
        stage.publish_hold(node, tmp_path / "done")
        waiting.wait_until(
            lambda: holds(link, worker) == Hands(active=1, reserved=0, scheduled=0), 20, "the task to run"
        )
        waiting.wait_until(
            lambda: broker.unacknowledged([worker], 10)[worker] == held, 20, f"{held} unacknowledged"
        )

        (tmp_path / "done").touch()
        waiting.wait_until(
            lambda: holds(link, worker) == Hands(active=0, reserved=0, scheduled=0), 20, "the task to end"
        )
        waiting.wait_until(
            lambda: broker.unacknowledged([worker], 10)[worker] == 0, 20, "nothing unacknowledged"
        )


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("late", ["1", "0"], ids=["late acks", "early acks"])
def test_a_task_with_a_time_is_held_by_worker_and_broker_and_is_no_work_now(
    node: PrivateRabbitMQ, tmp_path: Path, python: str, late: str
) -> None:
    """The heartbeat does not count it, the broker counts it as held, and the worker, asked, says what it is."""
    vhost = f"eta{late}-{'old' if python != sys.executable else 'new'}"
    node.add_vhost(vhost)
    broker = RabbitMQ(
        management_url=node.management_url,
        username=node.user,
        password=node.password,
        vhost=vhost,
        clock=SystemClock(),
    )
    pool, tasks = PoolName("held"), 3
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with (
        contextlib.closing(broker),
        linked(node, vhost=vhost) as link,
        stage.worker(node, "eta", tmp_path / "log", vhost=vhost, python=python, ACKS_LATE=late) as (
            worker,
            _,
        ),
    ):
        sees(link, worker)
        for _ in range(tasks):
            stage.publish_hold(node, tmp_path / "never", vhost=vhost, eta=in_an_hour)
        waiting.wait_until(
            lambda: holds(link, worker) == Hands(active=0, reserved=0, scheduled=tasks), 20, "all to be held"
        )

        def counted() -> Demand | None:
            demand = broker.demand({pool: (stage.QUEUE,)})[pool]
            return demand if isinstance(demand, Demand) and demand.in_progress == tasks else None

        demand = waiting.wait_until(counted, 20, "the broker to count them")
        seen = hears(link)

        assert demand is not None
        assert 0 == seen.workers[worker].active
        serving = a_node(worker.removeprefix("celery@"))
        snapshot = a_snapshot(serving, demand={POOL: demand}, sightings=seen, hands=link.hands([worker], 5))
        memory = reconcile(snapshot, rules(), FLEET).memory
        given = supply.decision_input(a_pool(), snapshot, (serving,), memory, None)
        assert given.demand is not None
        assert (0, tasks) == (given.demand.in_progress, given.supply.scheduled)


@pytest.mark.parametrize("python", PYTHONS)
def test_a_drain_takes_a_workers_own_queue_and_an_undrain_gives_it_back(
    node: PrivateRabbitMQ, tmp_path: Path, python: str
) -> None:
    """With `worker_direct` a worker consumes a queue that no pool names: it brings tasks all the same."""
    name = f"direct-{'old' if python != sys.executable else 'new'}"

    def consumed(link: CeleryLink, worker: WorkerName) -> frozenset[str] | None:
        return celery_control.consumed(link._ask("active_queues", (worker,), 5).get(worker))

    with (
        linked(node) as link,
        stage.worker(node, name, tmp_path / "log", python=python, WORKER_DIRECT="1") as (worker, _),
    ):
        sees(link, worker)
        answers(link, worker)
        before = consumed(link, worker)
        assert before is not None
        assert len(before) == 2

        link.cancel_consumers(worker, (stage.QUEUE,), 10)
        assert frozenset() == consumed(link, worker)

        link.add_consumers(worker, (stage.QUEUE,), 10)
        assert before == consumed(link, worker)


def test_renamed_exchanges_are_used(node: PrivateRabbitMQ, tmp_path: Path) -> None:
    """An application may have its own `control_exchange` and `event_exchange`."""
    names = {"control_exchange": "orders", "event_exchange": "news"}
    with (
        linked(node, **names) as link,
        stage.worker(node, "renamed", tmp_path / "log", CONTROL_EXCHANGE="orders", EVENT_EXCHANGE="news") as (
            worker,
            _,
        ),
    ):
        sees(link, worker)
        answers(link, worker)


def test_a_worker_that_is_not_there_cannot_be_ordered_or_asked(node: PrivateRabbitMQ) -> None:
    """Silence is not idleness, and an order nobody confirmed was not carried out."""
    nobody = WorkerName("celery@nobody")
    with linked(node) as link:
        hears(link)

        assert isinstance(holds(link, nobody), Missing)
        for order in (link.cancel_consumers, link.add_consumers):
            with pytest.raises(FactUnavailable):
                order(nobody, ("held",), 1.0)
        assert frozenset() == link.ping(0.5)
        assert all(finding.ok for finding in link.check(5.0))
        assert {} == link._waiting


def test_while_the_broker_is_away_nothing_is_seen_and_then_it_is_again(tmp_path: Path) -> None:
    """Missing with a reason, orders refused at once, and one connection afterwards."""
    with PrivateRabbitMQ(tmp_path / "rabbitmq", statistics_interval_s=1) as node, linked(node) as link:
        with stage.worker(node, "patient", tmp_path / "log") as (worker, _):
            sees(link, worker)
            node.stop()
            waiting.wait_until(lambda: isinstance(link.sightings(), Missing), 30, "the loss to be noticed")
            began = time.monotonic()
            with pytest.raises(FactUnavailable):
                link.cancel_consumers(worker, ("held",), 30)
            assert time.monotonic() - began < 5
            assert isinstance(holds(link, worker), Missing)

            node.start()
            back = time.monotonic()
            assert hears(link).listening_s <= time.monotonic() - back + 1
            waiting.wait_until(lambda: sees(link, worker).silent_s < 4, 60, "the worker to be heard again")
            waiting.wait_until(
                lambda: stage.connections(node, "autoscaler") == 1, 20, "one connection of ours"
            )
        link.stop(10)
        waiting.wait_until(
            lambda: stage.connections(node, "autoscaler") == 0, 20, "our connection to be gone"
        )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"password": "wrong"}, "refuses the user or its password"),
        ({"vhost": "nowhere"}, "no such vhost"),
        ({"amqp_url": f"amqp://127.0.0.1:{ports.free_port()}"}, "cannot be reached"),
    ],
    ids=["password", "vhost", "address"],
)
def test_a_link_that_cannot_connect_says_why(
    node: PrivateRabbitMQ, changes: dict[str, str], why: str
) -> None:
    """In words, without the password."""
    with linked(node, **changes) as link:

        def reason() -> str:
            seen = link.sightings()
            assert isinstance(seen, Missing)
            return seen.why if seen.why != "not connected yet" else ""

        said = waiting.wait_until(reason, 20, "a reason")

    assert why in said
    assert node.password not in said
    assert "wrong" not in said
