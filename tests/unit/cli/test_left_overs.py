"""`orphans` and `sweep` where machines left something behind: shown by the one, ended at the other's word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler import wiring
from autoscaler.cli import opened
from autoscaler.config import load
from autoscaler.core.model import OrderKind
from autoscaler.journal import orders
from testbed.clouds import scaleway
from testbed.clouds.cloud import Cloud
from testbed.waiting import wait_until
from tests.unit.cli.office import SECRETS, Office
from tests.unit.core.builders import a_node
from tests.unit.stand_ins import Heard

ACCOUNT = """\
kind = "libcloud"
driver = "scaleway"
secret_key = {{ env = "OFFICE_SCW" }}
project = "{project}"
zone = "{zone}"
host = "127.0.0.1"
port = {port}
secure = false
settle = "{settle}"
"""
KEY = {"OFFICE_SCW": scaleway.SECRET_KEY, "OFFICE_URL": "amqps://worker:w@broker.example/"}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with scaleway.serving() as serving:
        yield serving


@pytest.fixture
def left(cloud: Cloud, office: Office) -> Office:
    """An office whose only account is that cloud."""
    local = f'kind = "local"\ndirectory = "{office.directory}/nodes"\n'
    account = ACCOUNT.format(
        project=scaleway.PROJECT, zone=scaleway.ZONE, port=cloud.server.port, settle="0s"
    )
    office.rewrite(local, account)
    office.rewrite('provider = "cloud"\n', f'provider = "cloud"\n{OFFER}')
    office.rewrite('app = "shop.tasks"\n', 'app = "shop.tasks"\nbroker_url = { env = "OFFICE_URL" }\n')
    office.secrets |= KEY
    return office


OFFER = f'location = "{scaleway.ZONE}"\nsize = "DEV1-S"\nimage = "{scaleway.IMAGE}"\n'


def leave(cloud: Cloud, name: str = "shop-images-1", *, fleet: str = "shop", server: str = "") -> str:
    """A volume of a machine that is gone."""
    tags = [f"autoscaler-fleet:{fleet}", "autoscaler-pool:images", f"autoscaler-node:{name}"]
    made = cloud.api.disks.make(kind="sbs_volume", tags=tags, server=server, age_s=7200.0)
    return str(made.key)


def test_orphans_shows_what_was_left_behind_with_its_size_and_age(cloud: Cloud, left: Office) -> None:
    """Beside machines without a record; what others left, or what is in use, is none of it."""
    key = leave(cloud)
    leave(cloud, fleet="shop-2")
    leave(cloud, server=scaleway.GROUP)

    answer = left.command("orphans")
    facts = left.command("orphans", "--json").facts

    assert 0 == answer.code
    assert all(each in answer.out for each in (key, "shop-images-1", "block volume", "10 GB", "sweep"))
    (told,) = facts["left_overs"]
    assert ("cloud", key) == (told["provider"], told["left_over"]["left_over_id"])
    assert ({}, []) == (facts["left_overs_unseen"], facts["orphans"])


def test_orphans_says_where_it_could_not_look(cloud: Cloud, left: Office) -> None:
    """Not seen is not nothing: it is said, and no all-clear is given."""
    cloud.api.disks.short = 1
    leave(cloud)

    answer = left.command("orphans")
    facts = left.command("orphans", "--json").facts

    assert "could not all be seen" in answer.out
    assert ["cloud"] == [*facts["left_overs_unseen"]]


def test_what_bears_the_name_of_a_live_node_is_none(cloud: Cloud, left: Office) -> None:
    """Its machine is on record, wherever it is."""
    node = a_node()
    left.on_record(node)
    leave(cloud, node.machine)

    assert [] == left.command("orphans", "--json").facts["left_overs"]


def test_a_sweep_is_an_order_that_the_daemon_carries_out(cloud: Cloud, left: Office) -> None:
    """The command itself ends nothing. The loop does, beside its ticks, and its answer says what became of it."""
    key, theirs = leave(cloud), leave(cloud, fleet="shop-2")
    used = leave(cloud, server=scaleway.GROUP)
    left.on_record()
    assert "waiting" in left.command("sweep", "--yes").out
    assert {key, theirs, used} == {*cloud.api.volumes}

    settings = load(left.config, {**SECRETS, **KEY})
    works = wiring.open_works(settings, clock=opened.CLOCK)
    log = Heard()
    with left.journal() as journal:
        (order,) = journal.waiting_orders()
        assert OrderKind.SWEEP is order.kind
        loop = works.loop(journal, clock=opened.CLOCK, log=log)

        def answered() -> bool:
            loop.tick()
            return orders.answer_of(journal, order.number) is not None

        wait_until(answered, 20.0, "the answer to the sweep")
        answer = orders.answer_of(journal, order.number)
    works.close()

    assert answer is not None
    assert (True, True) == (answer.carried_out, "1 left over from machines ended" in answer.says)
    assert {theirs, used} == {*cloud.api.volumes}
    assert "leftover.ended" in log.names()


def test_who_only_thinks_ends_nothing(cloud: Cloud, left: Office) -> None:
    """`plan` thinks a tick with the sweep before it, and neither looks for what is left over nor ends it."""
    key = leave(cloud)
    left.on_record()
    assert 0 == left.command("sweep", "--yes").code
    works = wiring.open_works(load(left.config, {**SECRETS, **KEY}), clock=opened.CLOCK)

    with left.journal() as journal:
        works.loop(journal, clock=opened.CLOCK, log=Heard()).think()
    works.close()

    assert [key] == [*cloud.api.volumes]
    assert [] == [each for each in cloud.server.exchanges if "/volumes" in each.asked.path]
