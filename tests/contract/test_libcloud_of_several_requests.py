"""Drivers that ask for more than the order itself: a login before it, a look after it, and one that orders twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from libcloud.compute.drivers.digitalocean import DigitalOcean_v2_NodeDriver

from autoscaler.clock import SystemClock
from providers.contract import (
    InstanceSpec,
    InstanceState,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    ProviderOptionsWrong,
    Purchase,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from providers.dialects import DIALECTS
from providers.libcloud import options
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import digitalocean, openstack
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import BAD_GATEWAY, REQUEST_LOST, Answer, Fault, Kind
from tests.contract import world_openstack

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="m1.small",
    image=openstack.IMAGE,
    location="az2",
    user_data=b"#cloud-config\n# the-secret-of-a-broker",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with openstack.serving() as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def open_at(cloud: Cloud, **changes: object) -> LibcloudProvider:
    given = {**world_openstack.options(cloud), **changes}
    return open_libcloud(
        name="nova",
        fleet="production",
        options={name: value for name, value in given.items() if value is not None},
        clock=SystemClock(),
    )


def refused(provider: LibcloudProvider, spec: InstanceSpec = SPEC) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        provider.create(spec, timeout_s=TIMEOUT_S)
    return caught.value


def test_a_create_is_a_login_an_order_and_a_look(cloud: Cloud, provider: LibcloudProvider) -> None:
    """One order among three requests, and a second create logs in no more."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.create(replace(SPEC, name=NodeName("images-2")), timeout_s=TIMEOUT_S)

    assert ["/v3/auth/tokens", "/v2.1/servers"] == [each.asked.path for each in cloud.server.exchanges][:2]
    assert (5, 2) == (len(cloud.server.exchanges), cloud.server.count(Kind.CREATE))


def test_a_machine_that_is_not_found_right_after_its_order_was_made_all_the_same(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """The 404 answers the look and not the order: to believe it would forget a machine that is paid."""
    cloud.api.look_lag_s = 3600.0

    error = refused(provider)

    assert isinstance(error, OutcomeUnknown), error
    assert "the order was taken" in str(error)
    assert ["images-1"] == [each.name for each in provider.list_instances(timeout_s=TIMEOUT_S).instances]
    assert 1 == cloud.server.count(Kind.CREATE)


@pytest.mark.parametrize(
    "fault", [BAD_GATEWAY, REQUEST_LOST, Fault(answer=Answer(status=429))], ids=["502", "cut", "429"]
)
def test_trouble_at_the_login_orders_nothing(cloud: Cloud, provider: LibcloudProvider, fault: Fault) -> None:
    """What the identity service could not do buys no machine, so there is nothing to look for afterwards."""
    cloud.server.meet(fault, kind=Kind.LOGIN)

    error = refused(provider)

    assert isinstance(error, Throttled), error
    assert "nothing was ordered" in str(error)
    assert 0 == cloud.server.count(Kind.CREATE)
    provider.create(SPEC, timeout_s=TIMEOUT_S)


def test_a_token_that_ended_early_is_no_fault_of_ours(cloud: Cloud, provider: LibcloudProvider) -> None:
    """The order was refused and nothing made; the offer goes on, and the next one logs in anew."""
    provider.list_instances(timeout_s=TIMEOUT_S)
    cloud.api.end_tokens()

    assert isinstance(refused(provider), Throttled)
    provider.create(SPEC, timeout_s=TIMEOUT_S)


def test_a_wrong_password_is_our_fault(cloud: Cloud) -> None:
    """An order is rejected, a listing unavailable, and the check says which of all it is; none shows the password."""
    provider = open_at(cloud, password="wrong-password-1")

    errors = [refused(provider)]
    with pytest.raises(ListingUnavailable) as unseen:
        provider.list_instances(timeout_s=TIMEOUT_S)
    provider.close()

    assert isinstance(errors[0], RequestRejected)
    assert "401" in str(unseen.value)
    assert "wrong-password-1" not in f"{errors} {unseen.value} {unseen.value.__cause__}"


def test_a_region_that_the_catalogue_lacks_is_our_fault(cloud: Cloud) -> None:
    """The login went well and no service stands there."""
    provider = open_at(cloud, region="Nowhere")

    assert isinstance(refused(provider), RequestRejected)
    assert 0 == cloud.server.count(Kind.CREATE)
    provider.close()


def test_an_application_credential_logs_in(cloud: Cloud) -> None:
    """Kept to one project, and ended by itself."""
    provider = open_at(
        cloud, login="3.x_appcred", user=openstack.CREDENTIAL, password=openstack.CREDENTIAL_SECRET
    )
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.close()

    assert ["images-1"] == [each.name for each in cloud.machines.standing()]


def test_a_full_project_is_a_want_of_capacity(cloud: Cloud, provider: LibcloudProvider) -> None:
    """403 is a quota here, and elsewhere a fault of ours: the sentence tells."""
    cloud.api.instances = 0

    assert isinstance(refused(provider), QuotaRefused)
    assert isinstance(refused(provider, replace(SPEC, image="another")), RequestRejected)


def test_a_machine_that_no_host_would_have_is_listed(cloud: Cloud, provider: LibcloudProvider) -> None:
    """Stock is refused after the order was taken: it stands in the quota until it is ended."""
    cloud.api.no_host = True
    provider.create(SPEC, timeout_s=TIMEOUT_S)

    (seen,) = provider.list_instances(timeout_s=TIMEOUT_S).instances
    assert InstanceState.STOPPED is seen.state
    provider.destroy("images-1", seen.instance_id, timeout_s=TIMEOUT_S)
    assert () == provider.list_instances(timeout_s=TIMEOUT_S).instances


def test_chained_pages_are_all_read(
    cloud: Cloud, provider: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver follows the links; what was listed is counted over all of them."""
    monkeypatch.setattr(openstack, "PAGE", 2)
    names = [f"images-{number}" for number in range(5)]
    for name in names:
        provider.create(replace(SPEC, name=NodeName(name)), timeout_s=TIMEOUT_S)

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert (names, True) == (sorted(each.name for each in listing.instances), listing.complete)


def test_no_log_line_holds_password_token_or_user_data(
    cloud: Cloud, provider: LibcloudProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Even the HTTP library's debug log."""
    caplog.set_level(logging.DEBUG)
    provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert "POST /v2.1/servers" in caplog.text
    assert [] == [
        each for each in (openstack.PASSWORD, "the-secret", *cloud.api._tokens) if each in caplog.text
    ]


class OrdersTwice(DigitalOcean_v2_NodeDriver):
    """A driver that believes in trying again."""

    def create_node(self, *args: Any, **named: Any) -> Any:
        try:
            return super().create_node(*args, **named)
        except Exception:  # noqa: BLE001 - as such drivers do
            return super().create_node(*args, **named)


@pytest.mark.parametrize("kind", ["answer lost", "refused"])
def test_a_driver_that_would_order_twice_is_held_back(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a driver does within itself: one order leaves, and its outcome is not claimed to be known."""
    twice = replace(DIALECTS["digitalocean"], driver_class=f"{__name__}:OrdersTwice")
    monkeypatch.setitem(options.DIALECTS, "twice", twice)
    with digitalocean.serving() as cloud:
        given = {
            "driver": "twice",
            "token": digitalocean.TOKEN,
            "host": "127.0.0.1",
            "port": cloud.server.port,
            "secure": False,
        }
        provider = open_libcloud(name="do", fleet="production", options=given, clock=SystemClock())
        fault = Fault(carried_out=True) if kind == "answer lost" else Fault(answer=cloud.refusals.capacity)
        cloud.server.meet(fault, kind=Kind.CREATE)

        error = refused(provider, replace(SPEC, size="s-1vcpu-1gb", image="debian-13-x64", location="fra1"))
        provider.close()

        assert isinstance(error, OutcomeUnknown), error
        assert 1 == cloud.server.count(Kind.CREATE)


def test_a_zone_is_looked_up_where_the_driver_cannot(provider: LibcloudProvider) -> None:
    """A wrong one is told with those that there are."""
    purchase = Purchase(size="m1.small", image=openstack.IMAGE, location="az2")

    right = provider.check(purchase, timeout_s=TIMEOUT_S)
    wrong = provider.check(replace(purchase, location="az9"), timeout_s=TIMEOUT_S)

    assert [] == [each.says for each in right if not each.ok]
    assert ["location"] == [each.subject for each in wrong if not each.ok]
    assert "nova, az2" in next(each.says for each in wrong if not each.ok)


class AsksAtOnce(DigitalOcean_v2_NodeDriver):
    """A driver that asks for something as soon as it is made."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.connection.host, self.connection.port, self.connection.secure = *_ELSEWHERE, 0
        self.connection.connect()
        self.list_locations()


_ELSEWHERE: list[Any] = ["127.0.0.1", 0]


def test_a_driver_that_asks_as_it_is_made_is_made_within_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account opens without a word to the cloud; what fails then is that call's trouble, and nothing was ordered."""
    dialect = replace(DIALECTS["digitalocean"], driver_class=f"{__name__}:AsksAtOnce", asks_at_once=True)
    monkeypatch.setitem(options.DIALECTS, "asking", dialect)
    spec = replace(SPEC, size="s-1vcpu-1gb", image="debian-13-x64", location="fra1")
    with digitalocean.serving() as cloud:
        monkeypatch.setattr(f"{__name__}._ELSEWHERE", ["127.0.0.1", cloud.server.port])
        given = {
            "driver": "asking",
            "token": digitalocean.TOKEN,
            "host": "127.0.0.1",
            "port": cloud.server.port,
            "secure": False,
        }
        provider = open_libcloud(name="do", fleet="production", options=given, clock=SystemClock())
        assert () == cloud.server.exchanges
        cloud.server.meet(BAD_GATEWAY)

        assert isinstance(refused(provider, spec), Throttled)
        assert 0 == cloud.server.count(Kind.CREATE)
        assert "images-1" == provider.create(spec, timeout_s=TIMEOUT_S).name
        provider.close()


def test_no_setting_is_sent_before_it_is_asked_for(cloud: Cloud) -> None:
    """An account opens without a login; what cannot be used is told at once."""
    open_at(cloud).close()
    with pytest.raises(ProviderOptionsWrong, match=r"providers\.nova\.login"):
        open_at(cloud, login="1.0")
    with pytest.raises(ProviderOptionsWrong, match=r"providers\.nova\.auth_url"):
        open_at(cloud, auth_url=None)
    with pytest.raises(ProviderOptionsWrong, match=r"providers\.nova\.auth_url.*without `/v3`"):
        open_at(cloud, auth_url=f"{cloud.server.url}/v3")

    assert () == cloud.server.exchanges
