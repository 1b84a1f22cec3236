"""`check --online --conformance`: nothing without a yes, nothing above the cap, and the steps in words and in JSON."""

from __future__ import annotations

import pytest

from providers.contract import NodeName
from tests.unit.cli.office import Office

ARGUMENTS = ("check", "--online", "--conformance", "cloud")
SIMULATED = 'kind = "simulated"\nboot = "500ms"\ncalls_per_minute = 600'


@pytest.fixture
def simulated(office: Office) -> Office:
    """The office's provider is a cloud in memory, with two offers."""
    office.rewrite(f'kind = "local"\ndirectory = "{office.directory}/nodes"', SIMULATED)
    office.rewrite(
        "[[pools.images.offers]]",
        '[[pools.images.offers]]\nprovider = "cloud"\nsize = "large"\nprice_per_hour = 0.4\n[[pools.images.offers]]',
    )
    return office


def test_without_a_yes_it_tells_what_it_would_do(simulated: Office) -> None:
    """The cheapest offer, its machine and mark, and the most that it may cost: whole quanta of all the time allowed."""
    told = simulated.command(*ARGUMENTS)

    assert 2 == told.code
    assert "cloud, 0.10 EUR per hour by 1 h" in told.out
    assert "fleet conformance-shop" in told.out
    assert "0.10 EUR for 38 min 5 s, of --most-cost 1.00 EUR" in told.out
    assert "say it with --yes" in told.err


def test_nothing_is_ordered_above_the_cap(simulated: Office) -> None:
    """Not with a yes either; a longer time costs more quanta."""
    told = simulated.command(*ARGUMENTS, "--yes", "--most-cost", "0.15", "--within", "1h")

    assert 1 == told.code
    assert "It may cost 0.40 EUR, more than --most-cost 0.15 EUR. Nothing was ordered." in told.err
    assert 2 == simulated.command(*ARGUMENTS, "--yes", "--most-cost", "nan").code


def test_it_tells_every_step_and_whether_the_contract_is_kept(simulated: Office) -> None:
    """For people."""
    told = simulated.command(*ARGUMENTS, "--yes")

    assert 0 == told.code, told.out
    assert "ok         gone            absent at once" in told.out
    assert "not tried  second of name" in told.out
    assert "cloud keeps the contract, as far as one machine shows." in told.out


def test_the_facts_are_there_as_json(simulated: Office) -> None:
    """Plan, steps, what is left."""
    told = simulated.command(*ARGUMENTS, "--offer", "cloud/large", "--yes", "--json")

    assert 0 == told.code
    assert (True, [], "large") == (told.facts["ok"], told.facts["left"], told.facts["plan"]["offer"]["size"])
    assert {"ok", "not tried"} == {step["verdict"] for step in told.facts["steps"]}
    assert told.facts["plan"]["most"] <= told.facts["plan"]["cap"]


def test_what_it_refuses_is_there_as_json(simulated: Office) -> None:
    """With the plan, and without a step."""
    told = simulated.command(*ARGUMENTS, "--json")

    assert 2 == told.code
    assert (False, []) == (told.facts["ok"], told.facts["steps"])
    assert "--yes" in told.facts["refused"]


@pytest.mark.parametrize(
    ("share", "code", "says"),
    [("refuse_creates", 1, "CapacityRefused"), ("fail_listings", 69, "listing met the fault")],
)
def test_a_problem_is_an_exit_code(simulated: Office, share: str, code: int, says: str) -> None:
    """1 for a step that failed; 69 where nothing could be seen, and so nothing was begun."""
    simulated.rewrite(SIMULATED, f"{SIMULATED}\n{share} = 1.0")
    told = simulated.command(*ARGUMENTS, "--yes")

    assert code == told.code
    assert says in told.out


def test_a_machine_that_stays_is_told_in_plain_words(simulated: Office) -> None:
    """Its name, its price, and how to end it."""
    simulated.rewrite(SIMULATED, f"{SIMULATED}\nignore_destroys = 1.0")
    told = simulated.command(*ARGUMENTS, "--yes", "--within", "1s")

    assert 1 == told.code
    assert "May be left at cloud, at 0.10 EUR per hour each until it is ended: conformance-shop-" in told.out
    assert "Run the same command again: it ends first what an earlier one left." in told.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("check", "--conformance", "cloud"), 2, "wants --online too"),
        (("check", "--online", "--conformance", "clowd"), 2, "the configuration has: cloud"),
        ((*ARGUMENTS, "--offer", "cloud/small"), 2, "there are: cloud/large, cloud"),
        ((*ARGUMENTS, "--within", "soon"), 2, "no duration"),
        ((*ARGUMENTS, "--within", "2d"), 2, "at most a day"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    simulated: Office, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Before anything is opened."""
    told = simulated.command(*arguments)

    assert code == told.code
    assert says in told.err


def test_an_offer_without_a_price_may_cost_anything(office: Office) -> None:
    """For a host that bills, the price must be written down; 0 is a price."""
    office.rewrite('kind = "local"', 'kind = "external"\ncommand = ["/bin/false"]')
    office.rewrite(f'directory = "{office.directory}/nodes"', "")
    office.rewrite('app = "shop.tasks"', 'app = "shop.tasks"\nbroker_url = { env = "OFFICE_TOKEN" }')
    office.rewrite("price_per_hour = 0.1\n", "")
    told = office.command(*ARGUMENTS, "--yes")

    assert 78 == told.code, told.err
    assert "no price_per_hour" in told.err


def test_a_name_of_a_trial_is_a_node_name(simulated: Office) -> None:
    """As providers take them."""
    machine = NodeName(simulated.command(*ARGUMENTS, "--json").facts["plan"]["machine"])

    assert machine.startswith("conformance-shop-")
    assert len(machine) <= 63
