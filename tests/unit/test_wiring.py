"""What the composition root hands to the core: the configuration in its words, and what machines are to become."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from autoscaler import becoming, wiring
from autoscaler.clock import SystemClock
from autoscaler.config import Settings
from autoscaler.core.model import CreateNode, OfferName, PoolName
from policies import PolicyOptionsWrong
from providers.contract import NodeName, ProviderName, ProviderTraits, always
from tests.unit.config.documents import settings

HERE = ProviderName("here")
TRAITS = {HERE: ProviderTraits(settle_s=1.0)}
TOKEN = 'app = "shop"\nenvironment = { TOKEN = { env = "TOKEN" } }'


def becomes(*changes: tuple[str, str], token: str = "t0ken") -> Mapping[OfferName, str]:
    loaded = settings(*changes, environ={"PASSWORD": "secret", "TOKEN": token})
    return wiring.rulebook(loaded, TRAITS).pools[PoolName("images")].becomes


def test_what_machines_become_changes_with_image_size_and_bootstrap() -> None:
    """Each of these may be what keeps a new machine from becoming a worker."""
    changed = [
        becomes(),
        becomes(('app = "shop"', 'app = "shop.v2"')),
        becomes(("slots = 4", "slots = 8")),
        becomes(('provider = "here"', 'provider = "here"\nimage = "debian-13"')),
        becomes(('provider = "here"', 'provider = "here"\nsize = "large"')),
    ]

    assert len({value for offers in changed for value in offers.values()}) == len(changed)


def test_place_limits_and_secrets_change_nothing_about_what_machines_become() -> None:
    """A fingerprint stands in the journal: no secret may be guessed from it."""
    alike = [
        becomes(),
        becomes(("max_workers = 4", "max_workers = 9")),
        becomes(('provider = "here"', 'provider = "here"\nlocation = "osl"\nprice_per_hour = 0.2')),
    ]

    assert len({value for offers in alike for value in offers.values()}) == 1
    assert becomes(('app = "shop"', TOKEN)) == becomes(('app = "shop"', TOKEN), token="another")


def test_what_cannot_be_rendered_stops_no_daemon() -> None:
    """The order itself is rejected with the reason; the other pools go on."""
    tight = {HERE: ProviderTraits(settle_s=1.0, user_data_limit_bytes=10)}

    assert len(wiring.rulebook(settings(), tight).pools[PoolName("images")].becomes) == 1


def test_an_accounts_pace_is_the_daemons_and_not_its_providers_option() -> None:
    """Other people's providers know nothing of it and would refuse it."""
    paced = settings(('kind = "local"', 'kind = "elsewhere"\ncalls_per_minute = 30\nflavour = "sour"'))

    assert {"flavour": "sour"} == paced.providers["here"].options()
    assert {HERE: 30.0} == wiring.rulebook(paced, TRAITS).fleet.calls_per_minute


def test_the_scale_in_window_goes_by_the_billing_where_none_is_configured() -> None:
    """What is paid by the hour stays anyway; what is paid by the minute costs while it idles."""

    def window_s(*changes: tuple[str, str]) -> float:
        return (
            wiring.rulebook(settings(*changes), TRAITS)
            .pools[PoolName("images")]
            .stabilization.scale_in_window_s
        )

    by_the_hour = ('provider = "here"', 'provider = "here"\nbilling_quantum = "1h"')

    assert (300.0, 90.0) == (window_s(by_the_hour), window_s())


LARGE = '\n[[pools.images.offers]]\nprovider = "here"\nsize = "l"\nslots = 8\n'
MIXED = ('provider = "here"', f'provider = "here"\nsize = "s"{LARGE}')


def test_an_offers_own_slots_reach_the_core_and_its_workers_concurrency() -> None:
    """The large machine's worker runs as many tasks as it counts for."""
    loaded = settings(MIXED)
    rules = wiring.rulebook(loaded, TRAITS).pools[PoolName("images")]
    small, large = rules.offers

    def made(slots: int) -> str:
        return becoming.user_data(loaded, "images", NodeName("n1"), TRAITS[HERE], slots=slots).masked

    assert [4, 8] == [rules.slots_of(small.name), rules.slots_of(large.name)]
    assert [1, 2] == [rules.weight_of(small.name), rules.weight_of(large.name)]
    assert "--concurrency=8" in made(rules.slots_of(large.name))
    assert "--concurrency=4" in becoming.user_data(loaded, "images", NodeName("n1"), TRAITS[HERE]).masked


def test_an_offers_own_slots_change_what_its_machines_become() -> None:
    """And nothing about the others."""
    before, after = becomes(MIXED), becomes(MIXED, ("slots = 8", "slots = 12"))

    assert 1 == sum(before[name] != after[name] for name in before)


def test_the_order_for_a_large_machine_is_written_with_its_slots() -> None:
    """What really goes to the provider, by the renderer that the execution is opened with."""
    loaded = settings(MIXED)
    works = wiring.open_works(loaded, clock=SystemClock())
    try:
        render = works.executor._ways.render
        small, large = works.rulebook.pools[PoolName("images")].offers
        told = [
            render(CreateNode(node=NodeName("n1"), pool=PoolName("images"), offer=offer, timeout_s=1.0))
            for offer in (small, large)
        ]
    finally:
        works.close()

    assert [False, True] == [b"--concurrency=8" in order.user_data for order in told]


def played(*changes: tuple[str, str]) -> Settings:
    """Two accounts whose machines exist in memory only."""
    more = '\n[providers.there]\nkind = "simulated"\nboot = "5s"\n'
    return settings(('kind = "local"', 'kind = "simulated"'), *changes, more=more)


def test_what_is_configured_as_before_stays_open_and_the_rest_is_opened_anew() -> None:
    """Links to the broker are never cut, and an account keeps what it knows; one that changed is another."""
    before = wiring.open_works(played(), clock=SystemClock(), ticks=True)
    after = wiring.renew(
        before,
        played(('kind = "simulated"', 'kind = "simulated"\nseed = 3')),
        clock=SystemClock(),
        may_act=always,
    )
    there = ProviderName("there")
    same = {name: after.providers[name] is before.providers[name] for name in (HERE, there)}
    links = (after.broker, after.workers, after.machines)
    before.look_no_more()
    after.close()

    assert {HERE: False, there: True} == same
    assert (before.broker, before.workers, before.machines) == links
    assert before.executor is not after.executor


def test_parts_that_are_replaced_let_go_of_what_nobody_uses_any_more() -> None:
    """And of nothing else: the next ones stand on the accounts that stayed."""
    before = wiring.open_works(played(), clock=SystemClock(), ticks=True)
    after = wiring.renew(
        before,
        played(('kind = "simulated"', 'kind = "simulated"\nseed = 3')),
        clock=SystemClock(),
        may_act=always,
    )
    closed: list[str] = []
    for name, provider in before.providers.items():
        provider.close = partial(closed.append, name)  # type: ignore[method-assign]
    before.retire(after)
    told = list(closed)
    after.close()
    before.look_no_more()

    assert [HERE] == told


def test_settings_that_cannot_be_opened_leave_what_is_open_as_it_was() -> None:
    """The daemon goes on by it."""
    before = wiring.open_works(played(), clock=SystemClock(), ticks=True)
    wrong = played(('kind = "backlog"\nmessages_per_worker = 10', 'kind = "unheard-of"'))
    with pytest.raises(PolicyOptionsWrong):
        wiring.renew(before, wrong, clock=SystemClock(), may_act=always)
    open_still = not before.closing.is_set()
    before.close()

    assert open_still
