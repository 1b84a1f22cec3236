"""Looking at a real broker through its management API."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing
from autoscaler.core.model import PoolName
from autoscaler.gateways.rabbitmq import RabbitMQ
from policies.contract import Demand, Trust
from testbed import waiting
from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration import gateways_stage as stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

POOL = PoolName("held")
VHOST = "a/b"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """One broker for this file."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1) as started:
        started.add_vhost(VHOST)
        stage.add_user(started, "watcher", "p@ss/w:rd%æ", "monitoring", vhost=VHOST)
        stage.add_user(started, "reader", "r", "management", vhost=VHOST)
        yield started


@contextlib.contextmanager
def looking(node: PrivateRabbitMQ, user: str, password: str, vhost: str = VHOST) -> Iterator[RabbitMQ]:
    broker = RabbitMQ(
        management_url=node.management_url,
        username=user,
        password=password,
        vhost=vhost,
        clock=SystemClock(),
        statistics_interval_s=1.0,
    )
    with contextlib.closing(broker):
        yield broker


def test_a_monitoring_user_sees_demand_grow_from_nothing(node: PrivateRabbitMQ, tmp_path: Path) -> None:
    """A queue that is not there, then one with messages, by name and by pattern; rates and wait follow."""
    pools = {POOL: (stage.QUEUE,), PoolName("all"): ("*",)}
    with looking(node, "watcher", "p@ss/w:rd%æ") as broker:
        before = broker.demand(pools)[POOL]
        assert isinstance(before, Demand)
        assert (0, True) == (before.backlog, before.queues[0].missing)

        for _ in range(20):
            stage.publish_hold(node, tmp_path / "never", vhost=VHOST)

        def counted() -> Demand | None:
            found = broker.demand(pools)
            demands = [demand for demand in found.values() if isinstance(demand, Demand)]
            whole = len(demands) == 2 and all(d.backlog == 20 and d.wait_s.value for d in demands)
            return demands[0] if whole and demands[0].arrivals_per_s.value else None

        demand = waiting.wait_until(counted, 30, "twenty messages with a rate and a wait")

    assert demand is not None
    assert Trust.ABSENT is not demand.wait_s.trust
    assert (0, 0) == (demand.in_progress, demand.queues[0].consumers)
    assert 0.0 == demand.completions_per_s.value


def test_what_is_delivered_again_is_counted_apart(node: PrivateRabbitMQ, tmp_path: Path) -> None:
    """Five messages that three consumers take and drop: fifteen deliveries, of which five were the first."""
    vhost = "again"
    node.add_vhost(vhost)
    stage.add_user(node, "watcher", "p@ss/w:rd%æ", "monitoring", vhost=vhost)
    seen = [0, 0]
    with looking(node, "watcher", "p@ss/w:rd%æ", vhost) as broker:

        def counted(delivered: int, redelivered: int) -> bool:
            demand = broker.demand({POOL: (stage.QUEUE,)})[POOL]
            if isinstance(demand, Demand) and demand.flow is not None:
                seen[0] += demand.flow.delivered
                seen[1] += demand.flow.redelivered
            return seen == [delivered, redelivered]

        assert not counted(1, 1)
        for _ in range(5):
            stage.publish_hold(node, tmp_path / "never", vhost=vhost)
        for times in (1, 2, 3):
            stage.take_and_drop(node, 5, vhost=vhost)
            expected = 5 * times, 5 * (times - 1)
            waiting.wait_until(lambda told=expected: counted(*told), 30, f"deliveries {expected}")

    assert [15, 10] == seen


@pytest.mark.parametrize(
    ("user", "password", "vhost", "why"),
    [
        ("watcher", "p@ss/w:rd%æ", "nowhere", "no vhost 'nowhere'"),
        ("watcher", "p@ss/w:rd%æ", "/", "not authorised to access virtual host"),
        ("watcher", "wrong", VHOST, "Login failed"),
        ("nobody", "x", VHOST, "Login failed"),
    ],
)
def test_what_cannot_be_seen_says_why(
    node: PrivateRabbitMQ, user: str, password: str, vhost: str, why: str
) -> None:
    """As the real broker words it, for exact names and for patterns."""
    with looking(node, user, password, vhost) as broker:
        for queues in (("held",), ("h*",)):
            demand = broker.demand({POOL: queues})[POOL]
            assert isinstance(demand, Missing)
            assert why in demand.why
        assert not all(finding.ok for finding in broker.check())


def test_a_check_tells_a_watcher_from_a_reader(node: PrivateRabbitMQ) -> None:
    """Without the tag `monitoring` the workers' connections are hidden, so the second proof would never come."""
    with looking(node, "watcher", "p@ss/w:rd%æ") as broker:
        assert [] == [finding for finding in broker.check() if not finding.ok]
    with looking(node, "reader", "r") as broker:
        assert ["right to look"] == [finding.subject for finding in broker.check() if not finding.ok]
