"""Residency as it is written: codes that exist, pools within the fleet, one country for one place."""

from __future__ import annotations

import pytest

from tests.unit.config.documents import a_document, problems, problems_of, settings, the_problem

OFFER = 'provider = "here"'
FLEET = 'name = "shop"'


def of_fleet(countries: str) -> tuple[str, str]:
    return (FLEET, f"{FLEET}\nresidency = {countries}")


def of_pool(countries: str) -> tuple[str, str]:
    return ("slots = 4", f"slots = 4\nresidency = {countries}")


def test_countries_are_kept_as_they_are_written() -> None:
    """For the fleet, for a pool, for an account and for an offer; without them anywhere."""
    given = settings(
        of_fleet('["NO", "SE"]'),
        of_pool('["SE"]'),
        ('kind = "local"', 'kind = "local"\ncountry = "SE"'),
        (OFFER, f'{OFFER}\ncountry = "SE"'),
    )

    assert (("NO", "SE"), ("SE",)) == (given.fleet.residency, given.pools["images"].residency)
    assert ("SE", "SE") == (given.providers["here"].country, given.pools["images"].offers[0].country)
    assert (None, None) == (settings().fleet.residency, settings().pools["images"].residency)


def test_an_accounts_country_is_no_option_of_its_provider() -> None:
    """Other people's providers know nothing of it and would refuse it."""
    given = settings(('kind = "local"', 'kind = "elsewhere"\ncountry = "NO"'))

    assert {} == given.providers["here"].options()


@pytest.mark.parametrize(
    ("written", "advice"),
    [('"no"', '"NO"'), ('"UK"', '"GB"'), ('"EU"', "list of its countries"), ('"NOR"', ""), ("47", "")],
)
def test_what_is_no_countrys_code_is_refused_with_the_one_that_was_meant(written: str, advice: str) -> None:
    """A code that nobody has would shut out every machine."""
    problem = the_problem(of_fleet(f"[{written}]"))

    assert "fleet.residency[0]" == problem.path
    assert "two capital letters" in problem.expected
    assert advice in problem.advice


def test_no_countries_at_all_is_refused() -> None:
    """It would be a fleet that may stand nowhere."""
    assert "at least one" == the_problem(of_fleet("[]")).expected


def test_a_pool_never_widens_the_fleets_countries() -> None:
    """Only the fleet can."""
    problem = the_problem(of_fleet('["NO", "SE"]'), of_pool('["SE", "DE"]'))

    assert ("pools.images.residency[1]", "DE, where the fleet may not be") == (problem.path, problem.found)
    assert "NO, SE" in problem.expected
    assert () == problems(of_pool('["DE"]'))


def test_each_country_stands_once() -> None:
    """A second time is a slip of the hand that may have meant another."""
    assert {"SE a second time"} == {problem.found for problem in problems(of_fleet('["SE", "NO", "SE"]'))}


def test_an_offers_country_is_not_another_than_its_accounts() -> None:
    """The account's holds for all of its locations."""
    problem = the_problem(
        ('kind = "local"', 'kind = "local"\ncountry = "NO"'), (OFFER, f'{OFFER}\ncountry = "SE"')
    )

    assert ("pools.images.offers[0].country", "SE, but providers.here.country is NO") == (
        problem.path,
        problem.found,
    )


def test_one_location_is_in_one_country() -> None:
    """By whatever offer of whatever pool."""
    second = '\n[[pools.images.offers]]\nprovider = "here"\nlocation = "osl"\nsize = "l"\ncountry = "SE"\n'
    text = a_document((OFFER, f'{OFFER}\nlocation = "osl"\ncountry = "NO"{second}'))

    (problem,) = problems_of(text)

    assert "pools.images.offers[1].country" == problem.path
    assert "is in NO by pools.images.offers.0.country" in problem.found


def test_an_offers_slots_are_a_whole_multiple_of_the_pools() -> None:
    """A machine counts as a whole number of workers."""
    problem = the_problem((OFFER, f"{OFFER}\nslots = 6"))

    assert ("pools.images.offers[0].slots", "6") == (problem.path, problem.found)
    assert "a whole multiple of the pool's slots, which are 4" in problem.expected
    assert () == problems((OFFER, f"{OFFER}\nslots = 8"))
