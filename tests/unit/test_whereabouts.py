"""From settings to the rule about places: what opening refuses, and the question right before an order goes out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from autoscaler import execute, whereabouts, wiring
from autoscaler.clock import SystemClock
from autoscaler.config import Settings
from autoscaler.core.facts import OutcomeKind
from autoscaler.core.model import CreateNode, FleetRules
from autoscaler.core.places import Places
from autoscaler.loop import Rulebook
from autoscaler.whereabouts import ResidencyRefused
from providers.contract import InstanceSpec, NodeName, ProviderName, ProviderTraits
from tests.unit.config.documents import settings
from tests.unit.core.builders import CLOUD, OFFER, POOL, a_pool, rules
from tests.unit.stand_ins import FixedClock, Scripted, ScriptedWorkers

HERE = ProviderName("here")
NORWAY = ('name = "shop"', 'name = "shop"\nresidency = ["NO"]')


def offered(location: str, country: str = "") -> tuple[str, str]:
    stated = f'\ncountry = "{country}"' if country else ""
    return ('provider = "here"', f'provider = "here"\nlocation = "{location}"{stated}')


def book(given: Settings, countries: Mapping[str, str] | None = None) -> Rulebook:
    return wiring.rulebook(given, {HERE: ProviderTraits(settle_s=1.0, countries=countries or {})})


def test_the_rule_reaches_the_core_whole() -> None:
    """Countries of the fleet and the pool, what the provider knows, and what the operator states."""
    given = settings(
        ('name = "shop"', 'name = "shop"\nresidency = ["NO", "SE"]'),
        ("slots = 4", 'slots = 4\nresidency = ["SE"]'),
        offered("hel", "FI"),
    )
    made = book(given, {"osl": "NO"})

    assert (("NO", "SE"), ("SE",)) == (made.fleet.residency, made.pools[POOL].residency)
    assert ["NO", "FI", None] == [made.fleet.places.country(HERE, at) for at in ("osl", "hel", "sto")]


@pytest.mark.parametrize(
    "changes",
    [
        (offered("osl", "SE"),),
        (offered("osl"), ('kind = "local"', 'kind = "local"\ncountry = "SE"')),
    ],
)
def test_a_statement_that_the_provider_knows_better_is_refused(changes: tuple[tuple[str, str], ...]) -> None:
    """Whether residency is asked for or not: it would be believed one day."""
    with pytest.raises(ResidencyRefused, match=r"here: .*NO"):
        book(settings(*changes), {"osl": "NO"})


def test_opening_refuses_offers_that_may_not_be_bought_and_names_them() -> None:
    """Before anything is sent, on a start as on a start anew; who only looks may."""
    given = settings(NORWAY, offered("osl"))

    with pytest.raises(ResidencyRefused, match=r"pools\.images: .* osl at here is, is not known"):
        wiring.open_works(given, clock=SystemClock())
    wiring.open_works(given, clock=SystemClock(), buys=False).close()
    wiring.open_works(settings(NORWAY, offered("osl", "NO")), clock=SystemClock()).close()


def an_order(location: str, sent: list[str]) -> tuple[CreateNode, execute.Ways]:
    """An order for the pool, and the ways by which it would reach a provider that writes down where to."""
    fleet = FleetRules(
        name="shop", residency=("NO",), places=Places(known={CLOUD: {"osl": "NO", "sto": "SE"}})
    )

    def create(spec: InstanceSpec, *, timeout_s: float) -> None:
        sent.append(spec.location)
        raise OSError

    def render(action: CreateNode) -> InstanceSpec:
        return InstanceSpec(
            name=action.node,
            fleet="shop",
            pool=action.pool,
            size="s",
            image="debian",
            location=location,
            user_data=b"",
        )

    ways = execute.Ways(
        providers={CLOUD: Scripted(create=create)},  # type: ignore[arg-type]
        workers=ScriptedWorkers(),
        render=render,
        why_not_there=whereabouts.gate(rules(a_pool()), fleet),
    )
    return CreateNode(node=NodeName("n1"), pool=POOL, offer=OFFER, timeout_s=1.0), ways


@pytest.mark.parametrize(("location", "goes"), [("osl", True), ("sto", False), ("ber", False), ("", False)])
def test_an_order_is_judged_as_it_was_written_right_before_it_goes(location: str, goes: bool) -> None:
    """The offer that was chosen is in Norway; what was made of it is what counts. Nothing was made: a definite no."""
    sent: list[str] = []
    action, ways = an_order(location, sent)

    outcome = execute.carry_out(action, ways, FixedClock())

    assert ([location] if goes else []) == sent
    assert (OutcomeKind.UNKNOWN if goes else OutcomeKind.REJECTED) == outcome.kind
    assert goes or outcome.says.startswith("not sent: ")
