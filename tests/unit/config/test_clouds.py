"""Each cloud's section has the keys that its dialect names, and no other cloud's."""

from __future__ import annotations

import pytest

from autoscaler.config.providers import CLOUDS
from providers.dialects import DIALECTS
from providers.dialects.contract import Option, Shape
from tests.unit.config.documents import problems, settings, the_problem

WRITTEN = {
    Shape.TEXT: '"something"',
    Shape.TEXTS: '["something"]',
    Shape.FLAG: "true",
    Shape.REFERENCE: '"something"',
    Shape.REFERENCES: '["something"]',
    Shape.NAMED: '["something"]',
}
OFFER = ('provider = "here"', 'provider = "here"\nsize = "s"\nimage = "i"\nlocation = "l"')


def written(name: str, option: Option) -> str:
    value = '{ env = "PASSWORD" }' if option.secret else WRITTEN[option.shape]
    return f'{name} = "{option.choices[0]}"' if option.choices else f"{name} = {value}"


def section(driver: str, *, without: str = "") -> str:
    options = DIALECTS[driver].options.items()
    lines = [written(name, option) for name, option in options if name != without]
    return "\n".join(['kind = "libcloud"', f'driver = "{driver}"', *lines])


@pytest.mark.parametrize("driver", DIALECTS)
def test_every_option_of_a_dialect_is_a_key_of_its_section(driver: str) -> None:
    """All of them together are taken, and reach the provider under their names."""
    options = settings(('kind = "local"', section(driver)), OFFER).providers["here"].options()

    assert {"driver", *DIALECTS[driver].options} == set(options) - {"secure"}


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        (driver, name)
        for driver in DIALECTS
        for name, option in DIALECTS[driver].options.items()
        if option.required
    ],
)
def test_what_a_cloud_demands_is_demanded(driver: str, name: str) -> None:
    """A missing credential is told before anything starts."""
    assert (
        f"providers.here.{name}" == the_problem(('kind = "local"', section(driver, without=name)), OFFER).path
    )


@pytest.mark.parametrize("driver", DIALECTS)
def test_a_credential_is_no_plain_text(driver: str) -> None:
    """In no cloud's section."""
    secrets = [name for name, option in DIALECTS[driver].options.items() if option.secret]
    plain = section(driver).replace('{ env = "PASSWORD" }', '"in the clear"')

    assert {f"providers.here.{name}" for name in secrets} == {
        each.path for each in problems(('kind = "local"', plain), OFFER)
    }


def test_a_key_of_another_cloud_is_unknown() -> None:
    """One cloud's key in another's section is a mistake, told with the keys that there are."""
    problem = the_problem(('kind = "local"', section("digitalocean") + '\nsubnet = "s"'), OFFER)

    assert "providers.here.subnet" == problem.path
    assert "vpc" in str(problem)


@pytest.mark.parametrize("driver", ['driver = "nowhere"', "driver = 5", ""])
def test_an_unknown_cloud_is_answered_with_those_that_are_known(driver: str) -> None:
    """Misspelt, of another kind or missing."""
    problem = the_problem(('kind = "local"', f'kind = "libcloud"\n{driver}'), OFFER)

    assert problem.path.startswith("providers.here")
    assert [] == [known for known in CLOUDS if known not in str(problem)]


def test_an_offer_where_the_cloud_does_not_choose_names_its_location() -> None:
    """Told while the configuration is read, and not by a refused order."""
    offer = ('provider = "here"', 'provider = "here"\nsize = "s"\nimage = "i"')

    assert "pools.images.offers[0].location" == the_problem(('kind = "local"', section("linode")), offer).path
    assert not problems(('kind = "local"', section("openstack")), offer)
