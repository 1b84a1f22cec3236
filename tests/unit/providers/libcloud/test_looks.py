"""What a look at an offer says: what is sold where and for how much, in which country, and what comes near a slip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers.contract import Finding, Purchase
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import digitalocean, hetzner, linode
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Kind

GOOD = Purchase(size="cx23", image="debian-13", location="hel1", user_data_bytes=100)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with hetzner.serving() as running:
        yield running


@pytest.fixture
def account(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_account(cloud)
    yield opened
    opened.close()


def open_account(cloud: Cloud, token: str = hetzner.TOKEN) -> LibcloudProvider:
    options = {
        "driver": "hetzner",
        "token": token,
        "host": "127.0.0.1",
        "port": cloud.server.port,
        "secure": False,
    }
    return open_libcloud(name="hetzner", fleet="production", options=options, clock=SystemClock())


def found(account: LibcloudProvider, purchase: Purchase) -> dict[str, Finding]:
    return {finding.subject: finding for finding in account.check(purchase, timeout_s=10)}


def test_a_good_offer_is_told_with_its_price_and_its_country(cloud: Cloud, account: LibcloudProvider) -> None:
    """The price at that very location, and where it stands; nothing is bought by looking."""
    looked = found(account, GOOD)

    assert all(finding.ok for finding in looked.values()), looked
    assert "cx23 is sold at hel1" == looked["size"].says
    assert "0.0056 EUR an hour, without tax and without an IPv4 address" == looked["price"].says
    assert "hel1 exists, in FI" == looked["location"].says
    assert "debian-13 exists" == looked["image"].says
    assert "100 of at most 32768 bytes" == looked["user data"].says
    assert 0 == cloud.server.count(Kind.CREATE)


def test_without_a_location_a_size_need_only_exist(account: LibcloudProvider) -> None:
    """The cloud will choose a place that sells it."""
    looked = found(account, replace(GOOD, location=""))

    assert all(finding.ok for finding in looked.values())
    assert ("cx23 exists", "left to the provider") == (looked["size"].says, looked["location"].says)


@pytest.mark.parametrize(
    ("purchase", "subject", "says"),
    [
        (replace(GOOD, size="cx32"), "size", "'cx32' is not a size here; nearest: cx33, cx23"),
        (replace(GOOD, location="ash"), "size", "'cx23' exists and is not sold at ash, which sells cpx11, ccx13"),
        (replace(GOOD, image="debian13"), "image", "'debian13' is not an image here; nearest: debian-13, debian-12"),
        (replace(GOOD, image="4712"), "image", "'4712' is not an image here; nearest: 4711"),
        (
            replace(GOOD, location="hel2"),
            "location",
            "'hel2' is not a location here; known: fsn1, nbg1, hel1, ash, hil, sin",
        ),
        (replace(GOOD, user_data_bytes=32_769), "user data", "32769 of at most 32768 bytes"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_the_nearest_right_names(
    account: LibcloudProvider, purchase: Purchase, subject: str, says: str
) -> None:
    """What is wrong is the only thing wrong, and the sentence says what would be right."""
    looked = found(account, purchase)

    assert not looked[subject].ok
    assert looked[subject].says.startswith(says)


def test_a_snapshot_goes_by_its_id(account: LibcloudProvider) -> None:
    """It has no name."""
    assert found(account, replace(GOOD, image="4711"))["image"].ok


def test_wrong_credentials_are_all_that_is_told(cloud: Cloud) -> None:
    """Nothing else can be looked at with them."""
    account = open_account(cloud, "another")
    looked = found(account, GOOD)
    account.close()

    assert {"credentials", "user data"} == set(looked)
    assert not looked["credentials"].ok
    assert "unauthorized" in looked["credentials"].says
    assert "another" not in looked["credentials"].says


def test_a_country_that_the_cloud_says_otherwise_is_wrong(
    account: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where machines may stand rests on the table; one that disagrees with the cloud must not be silent."""
    monkeypatch.setattr(account, "_account", replace(account._account, countries={"hel1": "SE"}))

    looked = found(account, GOOD)

    assert not looked["location"].ok
    assert "hel1 is in FI by the cloud's word; this program holds that it is in SE" == looked["location"].says


@pytest.mark.parametrize(
    ("server", "driver", "purchase", "says"),
    [
        (
            digitalocean,
            "digitalocean",
            Purchase(size="s-1vcpu-1gb", image="debian-13", location="fra1"),
            "'debian-13' is not an image here; nearest: debian-13-x64",
        ),
        (
            digitalocean,
            "digitalocean",
            Purchase(size="c-2", image="debian-13-x64", location="ams3"),
            "'c-2' exists and is not sold at ams3, which sells s-1vcpu-1gb, s-2vcpu-4gb",
        ),
        (
            linode,
            "linode",
            Purchase(size="g6-nanode-1", image="debian13", location="se-sto"),
            "'debian13' is not an image here; nearest: linode/debian13, linode/debian12",
        ),
    ],
    ids=["a slug", "a size that is not sold there", "an image without its owner"],
)
def test_a_slip_at_other_clouds_is_told_with_what_comes_near(
    server: Any, driver: str, purchase: Purchase, says: str
) -> None:
    """By what an order takes there, and not by what people call it."""
    with server.serving() as cloud:
        options = {
            "driver": driver, "token": server.TOKEN, "host": "127.0.0.1", "port": cloud.server.port, "secure": False,
        }  # fmt: skip
        opened = open_libcloud(name=driver, fleet="production", options=options, clock=SystemClock())
        wrong = [each.says for each in opened.check(purchase, timeout_s=10) if not each.ok]
        opened.close()

    assert [says] == wrong
