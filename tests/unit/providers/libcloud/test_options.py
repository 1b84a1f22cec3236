"""What an operator may write for a libcloud account, and how a mistake is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from autoscaler.clock import SystemClock
from providers.contract import ProviderOptionsWrong
from providers.dialects import DIALECTS
from providers.libcloud import options
from providers.libcloud.adapter import create_token, open_libcloud

GOOD: Mapping[str, object] = {"driver": "ec2", "key": "AKIATESTING", "secret": "the-secret-key"}


def open_with(**changes: object) -> None:
    options = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    open_libcloud(name="aws", fleet="production", options=options, clock=SystemClock()).close()


def test_three_options_are_enough() -> None:
    """Everything else has a default: encrypted, AWS's own host, the dialect's settle time."""
    account = options.read("aws", GOOD)

    assert account.endpoint is None
    assert 300.0 == account.settle_s
    cloud = open_libcloud(name="aws", fleet="production", options=GOOD, clock=SystemClock())
    link = cloud._idle[0].connection
    assert (1, 443, "ec2.us-east-1.amazonaws.com") == (link.secure, link.port, link.host)
    cloud.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("driver", None),
        ("driver", "gce"),
        ("driver", 5),
        ("key", None),
        ("key", ""),
        ("secret", None),
        ("secret", "two\nlines"),
        ("token", 7),
        ("region", "mars-north-1"),
        ("host", ""),
        ("port", 0),
        ("port", "80"),
        ("port", True),
        ("secure", "no"),
        ("settle_s", -1),
        ("settle_s", float("nan")),
        ("settle_s", "5m"),
        ("subnet", ""),
        ("security_groups", "workers"),
        ("security_groups", []),
        ("security_groups", ["workers", 7]),
        ("security_group_ids", ["sg-1"]),
        ("public_ip", "yes"),
        ("keypairs", "ops"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: object) -> None:
    """The sentence holds the option's dotted path, or libcloud's word for it, and never a secret."""
    with pytest.raises(ProviderOptionsWrong) as caught:
        open_with(**{option: value})

    assert option in str(caught.value)
    assert "providers.aws" in str(caught.value)
    assert "the-secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1", "15 requests"),
        ("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "0", "15 requests"),
        ("LIBCLOUD_DEBUG", "/dev/stderr", "user data"),
    ],
)
def test_an_environment_that_harms_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    """Retries buy machines twice, and even `0` turns them on; the debug log holds secrets. The sentence says so."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ProviderOptionsWrong, match=rf"unset .*{variable}.*{why}"):
        open_with()


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libcloud takes an empty text for off, and so may a service file."""
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "")

    open_with()


def test_an_account_shows_no_secret() -> None:
    """Its repr may land in a log."""
    account = options.read("aws", {**GOOD, "token": "the-session-token"})

    assert "the-secret-key" not in repr(account)
    assert "the-session-token" not in repr(account)


def test_a_fleet_without_a_name_marks_nothing() -> None:
    """An empty mark would be everybody's."""
    with pytest.raises(ProviderOptionsWrong, match="fleet"):
        open_libcloud(name="aws", fleet="", options=GOOD, clock=SystemClock())


def test_a_create_has_one_key_of_the_length_that_fits() -> None:
    """The same node has the same key; another node or another fleet has another; EC2 takes 64 characters."""
    key = create_token("production", "images-1")

    assert key == create_token("production", "images-1")
    assert 3 == len({key, create_token("production", "images-2"), create_token("staging", "images-1")})
    assert 64 == len(create_token("f" * 200, "n" * 63))
    assert key.isascii()


def countries(**changes: object) -> Mapping[str, str]:
    return options.read("any", {**GOOD, **changes}).countries


@pytest.mark.parametrize(
    ("region", "location", "country"),
    [
        ("eu-north-1", "eu-north-1a", "SE"),
        ("eu-north-1", "eu-north-1", "SE"),
        ("eu-north-1", "", "SE"),
        ("eu-west-1", "eu-west-1c", "IE"),
        (None, "us-east-1b", "US"),
        ("eu-north-9", "", None),
        # A local zone may be in another country than its region, and another region's zone is not this account's.
        ("eu-north-1", "eu-north-1-hel-1a", None),
        ("eu-north-1", "eu-west-1a", None),
        ("eu-north-1", "eu-north-1ab", None),
    ],
)
def test_a_zone_is_in_its_regions_country_and_nothing_else_is_known(
    region: str | None, location: str, country: str | None
) -> None:
    """One letter behind the account's region, or none; a region left to the driver is the driver's own."""
    known = countries(region=region) if region else countries()

    assert country == known.get(location)


def test_every_region_of_the_table_has_a_country() -> None:
    """Each line of the table is read; codes are two capital letters."""
    table = DIALECTS["ec2"].location.countries

    assert 38 == len(table)
    assert all(2 == len(country) and country.isupper() for country in table.values())


def test_where_a_subnet_decides_the_zone_an_empty_location_is_not_known() -> None:
    """It may be one of a local zone abroad; a zone that is named must be the subnet's own, or the cloud refuses it."""
    known = countries(region="us-east-1", subnet="subnet-1")

    assert (None, "US") == (known.get(""), known.get("us-east-1a"))


def test_another_s_endpoint_has_locations_of_its_own() -> None:
    """What is called `us-east-1` there may stand anywhere."""
    assert {} == countries(host="ec2.cloud.example")


def test_where_a_cloud_does_not_choose_only_its_locations_are_known() -> None:
    """An order without a location would be refused."""
    droplets = options.read("any", {"driver": "digitalocean", "token": "t"}).countries

    assert ("DE", None, None) == (droplets.get("fra1"), droplets.get("fra"), droplets.get(""))


@pytest.mark.parametrize("driver", ["digitalocean", "linode", "vultr", "scaleway"])
def test_nobody_marks_machines_by_hand(driver: str) -> None:
    """A tag that looks like our mark could give a machine to another fleet, which would end it."""
    known = {"token": "one", "secret_key": "two", "project": "a" * 36, "zone": "fr-par-1"}
    given = {name: known[name] for name, option in DIALECTS[driver].options.items() if option.required}

    with pytest.raises(ProviderOptionsWrong, match="that is how machines are marked"):
        options.read("cloud", {"driver": driver, **given, "tags": ["Autoscaler-Fleet:web"]})
