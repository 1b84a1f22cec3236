"""The law of residency: whatever is configured, reloaded, refused or answered, nothing is ordered elsewhere.

Configurations, what providers know, what they answer and what they list are drawn; the real loop and the real
execution run over a provider that writes down each order. Where each place really is, is looked up in a table of the
test's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from autoscaler import whereabouts, wiring
from autoscaler.config import ConfigError, Settings
from autoscaler.config.load import checked
from autoscaler.core import residency
from autoscaler.core.model import Order, OrderKind, PoolName
from providers.contract import ProviderName
from tests.property.recording_accounts import REFUSALS, Ground, Recording
from tests.unit.config.documents import ENVIRON

ACCOUNTS = ("north", "south")
PLACES = ("osl", "sto", "ber", "", "nowhere")
COUNTRIES = ("NO", "SE", "DE")
STRICT, FREE = PoolName("images"), PoolName("mail")
ANSWERS = ("made", "made", "made", *REFUSALS)

knowledge = st.fixed_dictionaries(
    {
        account: st.dictionaries(st.sampled_from(PLACES), st.sampled_from(("NO", *COUNTRIES)), max_size=4)
        for account in ACCOUNTS
    }
)
stated = st.sampled_from([None] * 9 + ["NO", "NO", "SE"])
"""Seldom: most statements contradict something, and the whole configuration is refused."""
bought = st.lists(
    st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(PLACES), stated),
    min_size=1,
    max_size=5,
    unique_by=lambda offer: offer[:2],
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration whose pool `images` may be in Norway only; much of it may be refused."""
    fleet: dict[str, Any] = {"name": "shop"}
    everywhere = draw(st.sampled_from([None, None, ["NO"], ["NO"], ["SE", "NO"], ["SE", "NO"], ["SE"]]))
    own = draw(st.sampled_from([["NO"], ["NO"], None])) if everywhere == ["NO"] else ["NO"]
    if everywhere is not None:
        fleet["residency"] = everywhere
    pools = {
        STRICT: _pool(draw(bought)) | ({"residency": own} if own else {}),
        FREE: _pool(draw(bought)),
    }
    accounts = {name: {"kind": "local"} for name in ACCOUNTS}
    for account in accounts.values():
        if (country := draw(stated)) is not None:
            account["country"] = country
    return {
        "fleet": fleet,
        "broker": {
            "management_url": "http://rabbit:15672",
            "amqp_url": "amqp://rabbit:5672",
            "username": "daemon",
            "password": {"env": "PASSWORD"},
        },
        "providers": accounts,
        "pools": pools,
    }


def _pool(offers: list[tuple[str, str, str | None]]) -> dict[str, Any]:
    return {
        "queues": ["images"],
        "slots": 2,
        "limits": {"max_workers": 6},
        "policies": [{"kind": "backlog", "messages_per_worker": 1}],
        "offers": [
            {"provider": account, "location": place} | ({"country": country} if country else {})
            for account, place, country in offers
        ],
        "bootstrap": {"app": "shop"},
    }


def really_in(account: str, place: str, known: Mapping[str, Mapping[str, str]], given_by: Settings) -> str:
    """Where it is, looked up by the test itself; empty where nobody knows."""
    if place in known[account]:
        return known[account][place]
    for pool in given_by.pools.values():
        for offer in pool.offers:
            if (offer.provider, offer.location) == (account, place) and offer.country:
                return offer.country
    return given_by.providers[account].country or ""


def _settings(document: dict[str, Any]) -> Settings | None:
    """The settings; None for what `config` refuses."""
    document = document | {
        "pools": {name: pool | {"queues": [name]} for name, pool in document["pools"].items()}
    }
    try:
        return checked(document, {}, ENVIRON, source="drawn")
    except ConfigError:
        return None


steps = st.lists(
    st.sampled_from(["tick", "tick", "tick", "later", "tomorrow", "blind", "wake", "reload"]),
    min_size=3,
    max_size=14,
)
made_so = st.lists(
    st.tuples(st.sampled_from(ANSWERS), st.sampled_from(["as ordered", *PLACES])), min_size=1, max_size=6
)


def _play(
    drawn: list[dict[str, Any]], known: list[Mapping[str, Mapping[str, str]]], answers: Any, what: list[str]
) -> list[tuple[str, str, str]]:
    """Live through these steps; returns each order for the strict pool: account, place, and its country."""
    accounts = {name: Recording(name=name, answers=answers) for name in ACCOUNTS}
    ground = Ground(accounts)
    found: list[tuple[str, str, str]] = []
    configured, given_by, knows = 0, None, known[0]

    def reload() -> None:
        nonlocal configured, given_by, knows
        number = configured % len(drawn)
        configured += 1
        loaded = _settings(drawn[number])
        facts = known[number % len(known)]
        traits = {
            ProviderName(name): replace(account.traits, countries=facts[name])
            for name, account in accounts.items()
        }
        if loaded is None:
            return
        try:
            rulebook = wiring.rulebook(loaded, traits)
        except whereabouts.ResidencyRefused:
            return
        given_by, knows = loaded, facts
        ground.configure(rulebook)

    def note() -> None:
        for account in accounts.values():
            for spec in account.orders[seen[account.name] :]:
                if spec.pool == STRICT and given_by is not None:
                    country = really_in(account.name, spec.location, knows, given_by)
                    found.append((account.name, spec.location, country))
            seen[account.name] = len(account.orders)

    seen = dict.fromkeys(accounts, 0)
    reload()
    for step in what:
        ground.blind = step == "blind"
        if step == "reload":
            reload()
        if step == "wake":
            ground.orders = (
                Order(number=1, kind=OrderKind.WAKE, target="*", given_at=ground.clock.at, given_by="kari"),
            )
        ground.tick({"later": 700.0, "tomorrow": 90_000.0}.get(step, 10.0))
        note()
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.lists(documents(), min_size=1, max_size=3), st.lists(knowledge, min_size=1, max_size=3), made_so, steps
)
def test_a_pool_of_one_country_is_never_bought_elsewhere(
    drawn: list[dict[str, Any]],
    known: list[Mapping[str, Mapping[str, str]]],
    answers: list[tuple[str, str]],
    what: list[str],
) -> None:
    """By no configuration, reload, fallback or answer; and a country that nobody knows is another country."""
    ordered = _play(drawn, known, answers, what)

    event(f"orders: {min(len(ordered), 5)}")
    assert [] == [order for order in ordered if order[2] != "NO"]


NORDIC = {"north": {"osl": "NO", "sto": "SE"}, "south": {"osl": "NO"}}
TWO_PLACES = {
    "fleet": {"name": "shop"},
    "broker": {
        "management_url": "http://rabbit:15672",
        "amqp_url": "amqp://rabbit:5672",
        "username": "daemon",
        "password": {"env": "PASSWORD"},
    },
    "providers": {name: {"kind": "local"} for name in ACCOUNTS},
    "pools": {
        STRICT: _pool([("north", "sto", None), ("north", "osl", None)]) | {"residency": ["NO"]},
        FREE: _pool([("north", "sto", None)]),
    },
}


def test_the_law_is_about_orders_that_are_really_made() -> None:
    """The second offer is bought although the first one is refused for its place; and the other pool is free."""
    ordered = _play([TWO_PLACES], [NORDIC], [("made", "as ordered")], ["tick"] * 3)

    assert {("north", "osl", "NO")} == set(ordered)


def test_the_law_would_be_broken_without_its_two_keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown above is shown of something: without the rule the first offer is bought, where it may not be."""
    monkeypatch.setattr(residency, "why_refused", lambda *_: "")
    monkeypatch.setattr("autoscaler.core.invariants._residency_holds", lambda *_: None)

    ordered = _play([TWO_PLACES], [NORDIC], [("made", "as ordered")], ["tick"] * 3)

    assert ("north", "sto", "SE") in ordered


def test_execution_stops_what_the_plan_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate right before the provider stands by itself: no order goes out though the whole core was blind to it."""
    monkeypatch.setattr(residency, "buyable", lambda offers, *_: tuple(offers))
    monkeypatch.setattr("autoscaler.core.invariants._residency_holds", lambda *_: None)

    ordered = _play([TWO_PLACES], [NORDIC], [("made", "as ordered")], ["tick"] * 6)

    assert {("north", "osl", "NO")} == set(ordered)
