"""The composition root: the only module that opens concrete classes, and the dull mapping from settings to rules.

Settings go in, a `Works` of opened parts comes out. What never happens here: a decision, a default, a call to a cloud.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from autoscaler import becoming, enrolling, granting, leftovers, meters, pool_rules, whereabouts
from autoscaler import loop as loops
from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.core.model import (
    FleetRules,
    OrphanRule,
    PoolName,
)
from autoscaler.execute import Executor
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.enrolment import EnrolmentLink
from autoscaler.gateways.rabbitmq import RabbitMQ
from autoscaler.looks import Pace
from autoscaler.loop import Journal, Loop, Rulebook
from autoscaler.meters import Meters
from autoscaler.observe import Observer
from autoscaler.telemetry import Log
from policies import open_policies
from providers import open_provider
from providers.contract import (
    MayAct,
    Provider,
    ProviderName,
    ProviderTraits,
    always,
)

TICKS_OF_A_DRAIN = 4
"""Told to stop, confirmed, proven idle, told to shut down, gone: each is seen on the tick after."""
_PROOF_MARGIN_S = 6.0
"""Beyond the broker's statistics interval: its management plugin samples what it was told in steps of 5 s by default
(`sample_retention_policies`), and a second more because clocks and emission are not exact."""


class _Closing(Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Everything opened from one configuration. `close` lets go of it; machines and workers stay as they are."""

    settings: Settings
    rulebook: Rulebook
    broker: RabbitMQ
    workers: CeleryLink
    machines: EnrolmentLink | None
    """Hears those that are no workers yet; a daemon alone does."""
    granting: granting.Granting | None
    """The broker's users of machines, where these have their own."""
    providers: Mapping[ProviderName, Provider]
    observer: Observer
    executor: Executor
    counted: Meters = meters.NOBODY
    """Where all of them count what they do."""
    closing: threading.Event = field(default_factory=threading.Event)

    def loop(
        self,
        journal: Journal,
        *,
        clock: Clock,
        log: Log,
        executor: loops.Executor | None = None,
        upstreams: loops.Upstreams | None = None,
    ) -> Loop:
        """A loop over these parts and that journal. `executor`: in place of ours, and to end in it."""
        return Loop(
            rulebook=self.rulebook,
            journal=journal,
            observer=self.observer,
            executor=executor or self.executor,
            machines=self.machines,
            clock=clock,
            log=log,
            left_overs=leftovers.watch(self.providers, clock=clock, log=log, stopped=self.closing.is_set),
            upstreams=upstreams,
            counted=self.counted,
        )

    def look_no_more(self) -> None:
        """For parts that others have replaced: nothing is looked for any more, and calls under way go on."""
        self.closing.set()
        self.observer.close()

    def retire(self, successor: Works) -> None:
        """Let go of what the successor does not use, once no call of ours is under way."""
        for name, provider in self.providers.items():
            if successor.providers.get(name) is not provider:
                provider.close()
        if self.granting is not None:
            self.granting.broker.close()

    def close(self) -> None:
        """Let go of connections and threads, whichever of them still exist."""
        self.closing.set()
        self.observer.close()
        self.workers.stop(timeout_s=5.0)
        if self.machines is not None:
            self.machines.stop(timeout_s=5.0)
        closing: list[_Closing] = [self.broker, *self.providers.values()]
        if self.granting is not None:
            closing.append(self.granting.broker)
        for part in closing:
            part.close()


def open_works(
    settings: Settings,
    *,
    clock: Clock,
    may_act: MayAct = always,
    ticks: bool = False,
    buys: bool = True,
    counted: Meters = meters.NOBODY,
) -> Works:
    """Open every part; connects to nothing yet. Each order to a provider or worker asks `may_act` before each send.

    `ticks`: looks will follow each other at the loop's pace, so none waits long for an account that is slow to answer.
    Raises `ProviderOptionsWrong` or `PolicyOptionsWrong` for settings that a provider or a policy cannot use, and
    `ResidencyRefused` for offers that may not be bought where they are: better now than on the first tick. Who only
    looks and never `buys` is told nothing of the latter.
    """
    providers = open_providers(settings, clock=clock, may_act=may_act)
    links = _Links(
        broker=open_broker(settings, clock=clock, counted=counted),
        workers=open_workers(settings, clock=clock, may_act=may_act, counted=counted),
        machines=enrolling.open_link(settings, clock=clock, may_act=may_act) if ticks else None,
        counted=counted,
    )
    return _over(links, providers, settings, clock=clock, may_act=may_act, ticks=ticks, buys=buys)


def renew(before: Works, settings: Settings, *, clock: Clock, may_act: MayAct) -> Works:
    """Parts for a daemon's changed settings, on the same links to the broker, and on the same accounts where these are
    configured as before. Raises as `open_works` does; the parts before are as they were, then.

    Duty of the caller: neither the broker nor the fleet's name has changed.
    """
    kept = {
        ProviderName(name): before.providers[ProviderName(name)]
        for name, account in settings.providers.items()
        if before.settings.providers.get(name) == account
    }
    opened = {
        ProviderName(name): kept.get(ProviderName(name))
        or open_account(settings, name, fleet=settings.fleet.name, clock=clock, may_act=may_act)
        for name in settings.providers
    }
    links = _Links(
        broker=before.broker, workers=before.workers, machines=before.machines, counted=before.counted
    )
    return _over(links, opened, settings, clock=clock, may_act=may_act, ticks=True, buys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Links:
    """What is linked to the broker for as long as a process lives."""

    broker: RabbitMQ
    workers: CeleryLink
    machines: EnrolmentLink | None
    counted: Meters


def _over(
    links: _Links,
    providers: Mapping[ProviderName, Provider],
    settings: Settings,
    *,
    clock: Clock,
    may_act: MayAct,
    ticks: bool,
    buys: bool,
) -> Works:
    rules = rulebook(settings, {name: provider.traits for name, provider in providers.items()})
    if buys:
        whereabouts.require(rules.pools, rules.fleet)
    for name, pool in settings.pools.items():
        open_policies(pool_rules.of(name, pool).policies)
    users = granting.open_users(settings, clock=clock, may_act=may_act, counted=links.counted)
    return Works(
        settings=settings,
        rulebook=rules,
        broker=links.broker,
        workers=links.workers,
        machines=links.machines,
        granting=users,
        providers=providers,
        observer=Observer(
            broker=links.broker,
            workers=links.workers,
            providers=providers,
            queues={PoolName(name): pool.queues for name, pool in settings.pools.items()},
            clock=clock,
            pace=Pace(
                timeout_s=settings.loop.observe_timeout_s, tick_s=settings.loop.tick_s if ticks else None
            ),
            # One thread for each thing that can be asked: none waits for another.
            pool=ThreadPoolExecutor(max_workers=len(providers) + 4, thread_name_prefix="look"),
            counted=links.counted,
        ),
        executor=Executor(
            providers=providers,
            workers=links.workers,
            render=becoming.render_with(settings, rules, providers, users.nodes if users else None),
            clock=clock,
            max_calls=settings.loop.max_calls_in_flight,
            may_act=may_act,
            why_not_there=whereabouts.gate(rules.pools, rules.fleet),
            counted=links.counted,
        ),
        counted=links.counted,
    )


def open_broker(settings: Settings, *, clock: Clock, counted: Meters = meters.NOBODY) -> RabbitMQ:
    """The broker's numbers."""
    broker = settings.broker
    return RabbitMQ(
        management_url=broker.management_url,
        username=broker.username,
        password=broker.password.reveal(),
        vhost=broker.vhost,
        ca_file=broker.ca_file,
        control_exchange=broker.control_exchange,
        timeout_s=broker.timeout_s,
        statistics_interval_s=broker.statistics_interval_s,
        clock=clock,
        counted=counted,
    )


def open_workers(
    settings: Settings, *, clock: Clock, may_act: MayAct = always, counted: Meters = meters.NOBODY
) -> CeleryLink:
    """The link to the workers; it begins to listen once it is started."""
    broker = settings.broker
    return CeleryLink(
        amqp_url=broker.amqp_url,
        username=broker.username,
        password=broker.password.reveal(),
        vhost=broker.vhost,
        ca_file=broker.ca_file,
        control_exchange=broker.control_exchange,
        event_exchange=broker.event_exchange,
        may_act=may_act,
        clock=clock,
        counted=counted,
    )


def open_providers(
    settings: Settings, *, clock: Clock, may_act: MayAct = always
) -> Mapping[ProviderName, Provider]:
    """Every configured account."""
    return {
        ProviderName(name): open_account(
            settings, name, fleet=settings.fleet.name, clock=clock, may_act=may_act
        )
        for name in settings.providers
    }


def open_account(
    settings: Settings, name: str, *, fleet: str, clock: Clock, may_act: MayAct = always
) -> Provider:
    """One configured account, for the machines of that mark."""
    provider = settings.providers[name]
    return open_provider(
        provider.kind, name=name, fleet=fleet, options=provider.options(), clock=clock, may_act=may_act
    )


def rulebook(settings: Settings, traits: Mapping[ProviderName, ProviderTraits]) -> Rulebook:
    """The configuration in the words of the core."""
    return Rulebook(
        fleet=FleetRules(
            name=settings.fleet.name,
            currency=settings.fleet.currency,
            orphans=OrphanRule(settings.fleet.orphans),
            orphan_share=settings.fleet.orphan_share,
            orphan_every_s=settings.fleet.orphan_every_s,
            proof_lag_s=settings.broker.statistics_interval_s + _PROOF_MARGIN_S,
            drain_s=settings.broker.statistics_interval_s
            + _PROOF_MARGIN_S
            + TICKS_OF_A_DRAIN * settings.loop.tick_s,
            max_calls=settings.loop.max_calls_in_flight,
            calls_per_minute={
                ProviderName(name): provider.calls_per_minute for name, provider in settings.providers.items()
            },
            tick_s=settings.loop.tick_s,
            max_cost_per_hour=settings.fleet.max_cost_per_hour,
            max_cost_per_month=settings.fleet.max_cost_per_month,
            residency=settings.fleet.residency,
            places=whereabouts.places(settings, traits),
        ),
        pools=MappingProxyType(
            {
                PoolName(name): replace(rules, becomes=becoming.fingerprints(settings, rules, traits))
                for name, pool in settings.pools.items()
                for rules in (pool_rules.of(name, pool),)
            }
        ),
        settle_s={name: of.settle_s for name, of in traits.items()},
        tick_s=settings.loop.tick_s,
    )
