"""Opens what machines are given beside their orders, from settings: users at the broker, and the fleet's voice.

Users are for pools that say `credentials = "node"`, the voice for those with a `lease`; else nothing is opened at all.

What never happens here: a request before somebody asks for one, a word about a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autoscaler import enrolling, meters
from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.core.model import PoolName
from autoscaler.gateways import broker_rights
from autoscaler.gateways.broker_rights import Celery
from autoscaler.gateways.broker_users import BrokerUsers
from autoscaler.gateways.fleet_voice import FleetVoice
from autoscaler.gateways.management_api import ManagementAPI
from autoscaler.meters import Meters
from autoscaler.node_users import Access, Journal, NodeUsers, Sweep
from autoscaler.telemetry import Log
from bootstrap import worker
from providers.contract import MayAct, NodeName, ProviderName, always

NODE = "node"
"""As `credentials` says it."""
_NOT_MADE = "made-with-the-order"
"""Stands for the password in user data that is only shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granting:
    """Users at the broker, and what machines are given."""

    broker: BrokerUsers
    nodes: NodeUsers


def accesses(settings: Settings) -> Mapping[PoolName, Access]:
    """What the machines of each such pool are given when they become workers; secrets revealed."""
    broker = settings.broker
    found = {}
    for name, pool in settings.pools.items():
        start = pool.bootstrap
        if start.credentials != NODE:
            continue
        broker_url = start.broker_url.reveal() if start.broker_url else broker.amqp_url
        environment = start.plain_environment()
        if broker.ca_file is not None and broker_url.startswith("amqps://"):
            # What is granted comes last: an operator's own path would hide the module that holds the broker's name.
            environment = {**environment, **worker.broker_tls(environment)}
        found[PoolName(name)] = Access(
            celery=Celery(
                queues=pool.consumed,
                control_exchange=broker.control_exchange,
                event_exchange=broker.event_exchange,
                publishes=start.broker_rights == "publish",
            ),
            broker_url=broker_url,
            vhost=broker.vhost,
            environment=environment,
        )
    return found


def sample_url(settings: Settings, pool_name: str, node: NodeName) -> str:
    """As user data of that machine would hold it, for people: there is no such user."""
    user = broker_rights.user_of(settings.fleet.name, node)
    return accesses(settings)[PoolName(pool_name)].url(user, _NOT_MADE)


def open_users(
    settings: Settings, *, clock: Clock, may_act: MayAct = always, counted: Meters = meters.NOBODY
) -> Granting | None:
    """For a daemon whose machines have users of their own; None where no pool wants them."""
    pools = accesses(settings)
    if not pools:
        return None
    broker, fleet = settings.broker, settings.fleet.name
    api = ManagementAPI(
        url=broker.management_url,
        username=broker.username,
        password=broker.password.reveal(),
        ca_file=broker.ca_file,
        timeout_s=broker.timeout_s,
        clock=clock,
        counted=counted,
    )
    users = BrokerUsers(api=api, vhost=broker.vhost, fleet=fleet, may_act=may_act)
    tokens = enrolling.tokens(settings)
    nodes = NodeUsers(
        fleet=fleet, users=users, pools=pools, password_of=tokens.password_of, token_of=tokens.of
    )
    return Granting(broker=users, nodes=nodes)


def open_sweep(
    settings: Settings, granting: Granting, journal: Journal, *, clock: Clock, log: Log, may_act: MayAct
) -> Sweep:
    """Ends users of machines that are gone, once it is started."""
    return Sweep(
        users=granting.broker,
        journal=journal,
        accounts=frozenset(map(ProviderName, settings.providers)),
        clock=clock,
        log=log,
        may_act=may_act,
    )


def open_voice(settings: Settings, *, clock: Clock, may_speak: Callable[[], bool]) -> FleetVoice | None:
    """Tells machines that they are looked after, once it is started; None where no pool has a lease."""
    if not any(pool.bootstrap.lease_s for pool in settings.pools.values()):
        return None
    broker = settings.broker
    return FleetVoice(
        amqp_url=broker.amqp_url,
        username=broker.username,
        password=broker.password.reveal(),
        vhost=broker.vhost,
        ca_file=broker.ca_file,
        fleet=settings.fleet.name,
        may_speak=may_speak,
        clock=clock,
    )
