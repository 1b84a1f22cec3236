"""What people read of residency: where each offer stands, why no daemon begins, and which machine is elsewhere."""

from __future__ import annotations

import time

import pytest

from autoscaler.core.facts import Memory, Misplaced
from providers.contract import InstanceId, ProviderName
from tests.unit.cli.office import Office
from tests.unit.core.builders import POOL, a_node

KNOWN = 'price_per_hour = 0.1\ncountry = "NO"'
MISPLACED = Misplaced(
    provider=ProviderName("cloud"),
    machine="n1",
    instance_id=InstanceId("i-n1"),
    location="sto",
    pool=POOL,
    country="SE",
    allowed=("NO",),
    since_at=0.0,
)


def ask_for(office: Office, *countries: str) -> None:
    """Residency for the fleet."""
    written = ", ".join(f'"{country}"' for country in countries)
    office.rewrite('name = "shop"', f'name = "shop"\nresidency = [{written}]')


def lines_about_places(office: Office, *options: str) -> list[str]:
    """What `check` says of countries, one line an offer."""
    told = office.command("check", *options).out.split("\n\n")
    offers = [part for part in told if part.startswith("pools.images, offer cloud")]
    return [" ".join(line.split()) for part in offers for line in part.splitlines() if " country " in line]


def test_check_says_where_each_offer_stands_where_nothing_is_asked_for(office: Office) -> None:
    """Also that it is not known; that is no problem then."""
    (line,) = lines_about_places(office)

    assert line.startswith("ok country ")
    assert "is not known; no residency is asked for" in line


@pytest.mark.parametrize("online", [(), ("--online",)])
def test_check_tells_of_an_offer_that_it_is_where_it_may_be(office: Office, online: tuple[str, ...]) -> None:
    """Country, and what residency allows; with and without a look outside."""
    office.rewrite("price_per_hour = 0.1", KNOWN)
    ask_for(office, "NO", "SE")

    (line,) = lines_about_places(office, *online)

    assert line.startswith("ok country ")
    assert "a location that is left to cloud is in NO; residency allows NO, SE" in line


@pytest.mark.parametrize("online", [(), ("--online",)])
def test_check_refuses_an_offer_elsewhere_and_one_that_is_nobody_knows_where(
    office: Office, online: tuple[str, ...]
) -> None:
    """With the reason, and with what would help; exit code 78 as for every wrong configuration."""
    ask_for(office, "SE")
    (unknown,) = lines_about_places(office, *online)
    office.rewrite("price_per_hour = 0.1", KNOWN)
    (abroad,) = lines_about_places(office, *online)

    assert unknown.startswith("problem country ")
    assert "is not known; residency allows SE; if you know it, state it: country" in unknown
    assert abroad.startswith("problem country ")
    assert "is in NO; residency allows SE" in abroad
    assert 78 == office.command("check", *online).code


def test_check_as_json_has_the_same_words(office: Office) -> None:
    """Programs find the offers under the subject `country`."""
    ask_for(office, "SE")

    facts = office.command("check", "--json").facts
    (found,) = [finding for finding in facts["findings"] if finding["subject"] == "country"]

    assert (False, False) == (facts["ok"], found["ok"])
    assert "residency allows SE" in found["says"]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_who_buys_does_not_begin_with_an_offer_that_may_not_be_bought(office: Office, command: str) -> None:
    """A start is how a configuration is taken in anew: what `check` refuses is refused there, before anything is
    sent."""
    ask_for(office, "SE")

    answer = office.command(command)

    assert 78 == answer.code
    assert "pools.images: in which country a location that is left to cloud is, is not known" in " ".join(
        answer.err.split()
    )


def test_who_only_looks_is_not_kept_from_looking(office: Office) -> None:
    """In trouble of all times the machines must be shown."""
    ask_for(office, "SE")
    office.on_record(a_node())

    assert 0 == office.command("nodes", "--cloud").code


def test_status_tells_of_a_machine_elsewhere_and_what_may_be_done(office: Office) -> None:
    """Since when, that it serves on, and the command that lets it go."""
    office.on_record(a_node(), memory=Memory(misplaced=(MISPLACED,)), at=time.time())

    told = " ".join(office.command("status").out.split())
    facts = office.command("status", "--json").facts

    assert "n1 stands where it may not: sto at cloud is in SE; residency allows NO" in told
    assert "`autoscaler drain n1` lets it finish and go" in told
    assert ["SE"] == [one["country"] for one in facts["misplaced"]]
