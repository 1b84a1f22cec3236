"""What a machine is to become, from settings: its `WorkerSpec`, its user data, and the whole order for it.

What never happens here: a default, a secret in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.config import Settings
from autoscaler.core.model import CreateNode
from autoscaler.execute import Render
from autoscaler.loop import Rulebook
from bootstrap.contract import Application, ApplicationSource, UserData, WorkerSpec
from bootstrap.render import render
from providers.contract import (
    InstanceSpec,
    NodeName,
    Provider,
    ProviderName,
    ProviderTraits,
    UserDataFormat,
)


def worker_spec(
    settings: Settings, pool_name: str, node: NodeName, *, slots: int | None = None
) -> WorkerSpec:
    """What a machine of that pool, by that name, is to become; secrets revealed. `slots` are those of its offer, if
    they are not the pool's."""
    pool = settings.pools[pool_name]
    start = pool.bootstrap
    return WorkerSpec(
        node=node,
        pool=pool_name,
        fleet=settings.fleet.name,
        app=start.app,
        queues=pool.consumed,
        slots=slots or pool.slots,
        application=Application(
            source=ApplicationSource(start.source),
            reference=start.reference,
            revision=start.revision,
            index_url=start.index_url,
            directory=start.directory,
            python=start.python,
            extra_packages=start.extra_packages,
        ),
        prefetch_multiplier=start.prefetch_multiplier,
        user=start.user,
        worker_args=start.worker_args,
        environment=start.plain_environment(),
        broker_url=start.broker_url.reveal() if start.broker_url else settings.broker.worker_url(),
        packages=start.packages,
    )


def user_data(
    settings: Settings, pool_name: str, node: NodeName, traits: ProviderTraits, *, slots: int | None = None
) -> UserData:
    """The user data of that machine, in the form that provider takes. Raises a `ValueError` that says what is wrong."""
    return render(
        worker_spec(settings, pool_name, node, slots=slots),
        user_data_format=UserDataFormat(traits.user_data_format).value,
        limit_bytes=traits.user_data_limit_bytes,
        gzip=traits.user_data_gzip,
    )


def render_with(settings: Settings, rules: Rulebook, providers: Mapping[ProviderName, Provider]) -> Render:
    """What makes the whole order for a machine."""

    def order(action: CreateNode) -> InstanceSpec:
        traits = providers[action.offer.provider].traits
        return InstanceSpec(
            name=action.node,
            fleet=settings.fleet.name,
            pool=action.pool,
            size=action.offer.size,
            image=action.offer.image,
            location=action.offer.location,
            user_data=user_data(
                settings,
                action.pool,
                action.node,
                traits,
                slots=rules.pools[action.pool].slots_of(action.offer.name),
            ).content,
        )

    return order
