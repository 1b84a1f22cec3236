"""The pure parts of the run on virtual machines: its configuration, its place, and what a machine says of itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autoscaler import config
from testbed.clouds import digitalocean
from testbed.endtoend import acts, phases, place, recipes, replacing, stage
from testbed.endtoend.phases import Worker
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual.depot import Depot

TOLD = """\
Clock=1000.0 20.0
Id=cloud-init.service
ActiveEnterTimestampMonotonic=15000000

Id=cloud-final.service
ActiveEnterTimestampMonotonic=0
Worker=431 1700/100
"""


@pytest.fixture
def taken(tmp_path: Path) -> place.Place:
    return place.take(tmp_path / "e2e")


def test_the_configuration_is_one_that_the_daemon_takes(taken: place.Place, tmp_path: Path) -> None:
    """An operator could have written it: the production loader finds no problem in it."""
    broker = PrivateRabbitMQ(tmp_path / "broker")
    taken.write_config(broker, Depot(port=8000), 9000)

    settings = config.load(taken.config, stage.environment(taken, broker))

    assert {place.GOLDEN, place.PLAIN, place.FAILING, place.SLOW, place.GUARDED} == set(settings.pools)
    assert ["guarded"] == [
        name for name, pool in settings.pools.items() if pool.bootstrap.credentials == "node"
    ]
    assert place.FLEET == settings.fleet.name


def test_machines_are_sold_by_the_cloud_as_the_configuration_buys_them() -> None:
    """Its size is one of the cloud's, and both images are the account's own."""
    sizes = {each["slug"] for each in digitalocean.SIZES}

    assert place.SIZE in sizes
    assert {place.PLAIN_IMAGE, place.GOLDEN_IMAGE} == {
        each["slug"] or str(each["id"]) for each in stage.OWN_IMAGES
    }


def test_workers_are_told_the_broker_as_they_reach_it(tmp_path: Path) -> None:
    """The machine's own loopback is not this computer's."""
    broker = PrivateRabbitMQ(tmp_path)

    url = place.worker_url(broker)

    assert f"@10.0.2.2:{broker.amqp_port}/" in url
    assert broker.amqp_url.partition("@127")[0] == url.partition("@10.")[0]


def test_a_place_is_one_run_s_at_a_time(taken: place.Place) -> None:
    """Two runs in one directory would end each other's machines."""
    with pytest.raises(place.PlaceTaken, match="another run uses"):
        place.take(taken.directory)


def test_a_machine_s_instants_are_told_by_our_clock() -> None:
    """Its clock is a tenth too fast since it began; what has not come up yet is not there."""
    seen = phases.parse(TOLD, 2.0)

    assert 980.0 == seen.kernel_at
    assert {"cloud-init": 993.5} == seen.units
    assert Worker(pid="431", began_at=995.3) == seen.worker


def test_a_machine_without_a_worker_has_none() -> None:
    """Which is what a kill leaves."""
    assert phases.parse("Clock=1.0 1.0\n", 0.0).worker is None


def test_what_the_machine_did_not_say_is_no_figure() -> None:
    """None, and not a guess."""
    machine = SimpleNamespace(
        hardware=SimpleNamespace(name="one"),
        agent=SimpleNamespace(
            clock_ahead_s=lambda: 0.0,
            run=lambda *_: SimpleNamespace(code=0, output="Clock=100.0 50.0\n"),
        ),
    )

    measured = phases.read(cast("Any", machine), image="plain", ordered_at=40.0, heard_at=90.0)

    assert 10.0 == measured.order_to_kernel_s
    assert 50.0 == measured.order_to_heard_s
    assert measured.order_to_network_s is None
    assert measured.worker_start_s is None


def test_only_the_first_machine_of_its_pool_has_the_slow_disk() -> None:
    """The one that replaces it must be able to work, and no other pool is met."""
    peculiar = replacing.one_slow_disk()

    seen = [
        peculiar(cast("Any", SimpleNamespace(name=name)), number).disk_iops
        for number, name in enumerate(("e2e-golden-1", "e2e-slow-1", "e2e-slow-2"), start=1)
    ]

    assert [None, replacing.SLOW_IOPS, None] == seen


def test_the_seconds_of_a_boot_are_those_that_the_daemon_shows() -> None:
    """By phase, and nothing while nothing was reported."""
    assert {"disk": 0.3} == acts.seconds({"phases": [{"phase": "disk", "took_s": 0.279}]})
    assert {} == acts.seconds({})


def test_what_is_offered_to_plain_machines_is_in_the_golden_image() -> None:
    """Both kinds become the same worker."""
    wanted = set(recipes.PLAIN.offered) - {"python3", "git"}

    assert wanted <= set(recipes.GOLDEN.packages)


@pytest.mark.parametrize(
    ("heard_s", "celery_s", "share"), [(9.9, 3.0, 3.3), (23.0, 20.0, 1.15), (4.7, 20.0, 0.24)]
)
def test_a_golden_machine_is_heard_soon_enough(heard_s: float, celery_s: float, share: float) -> None:
    """10 s, or what Celery alone takes there and a fifth more."""
    assert share == acts.soon_enough(heard_s, celery_s)


@pytest.mark.parametrize(("heard_s", "celery_s"), [(10.1, 3.0), (25.0, 20.0), (None, 3.0)])
def test_a_golden_machine_that_is_heard_later_fails_the_run(heard_s: float | None, celery_s: float) -> None:
    """So does one of which nobody knows."""
    with pytest.raises(acts.NotSo):
        acts.soon_enough(heard_s, celery_s)
