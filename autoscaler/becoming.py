"""What a machine is to become, from settings: its `WorkerSpec`, its user data, and the whole order for it.

What never happens here: a default, a secret in a repr.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from autoscaler import enrolling, granting
from autoscaler.config import Settings
from autoscaler.config.bootstrap import Bootstrap, BootstrapFile
from autoscaler.core.model import CreateNode, OfferName, PoolRules
from autoscaler.execute import Render
from autoscaler.loop import Rulebook
from autoscaler.node_users import NodeUsers
from bootstrap import image
from bootstrap.contract import (
    Application,
    ApplicationSource,
    Credentials,
    Disk,
    DiskCheck,
    File,
    FileOwner,
    ImageScript,
    IpVersion,
    Keeper,
    Lease,
    LeaseEnd,
    System,
    UnusableSpec,
    UserData,
    WorkerPool,
    WorkerSpec,
)
from bootstrap.render import render
from providers.contract import (
    InstanceSpec,
    NodeName,
    Provider,
    ProviderName,
    ProviderTraits,
    UserDataFormat,
)

_LARGEST_CA_BYTES = 65_536
_ANY_NODE = NodeName("any")
_FINGERPRINT_DIGITS = 16
_NOBODY = NodeName("nobody")
"""An image is of no node."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def worker_spec(
    settings: Settings,
    pool_name: str,
    node: NodeName,
    *,
    slots: int | None = None,
    own_url: str | None = None,
) -> WorkerSpec:
    """What a machine of that pool, by that name, is to become; secrets revealed. `slots` are those of its offer, if
    they are not the pool's. `own_url` is the broker's address for the machine's own user; without it one is shown that
    lets nobody in, where machines have such users.

    Raises UnusableSpec for a broker's certificates that cannot be had.
    """
    pool = settings.pools[pool_name]
    start = pool.bootstrap
    broker_url = start.broker_url.reveal() if start.broker_url else settings.broker.worker_url()
    if start.credentials == granting.NODE:
        broker_url = own_url or granting.sample_url(settings, pool_name, node)
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
            sha256=start.sha256,
            revision=start.revision,
            index_url=start.index_url,
            require_hashes=start.require_hashes,
            directory=start.directory,
            python=start.python,
            extra_packages=start.extra_packages,
        ),
        prefetch_multiplier=start.prefetch_multiplier,
        worker_pool=WorkerPool(start.worker_pool) if start.worker_pool else None,
        time_limit_s=start.time_limit_s,
        soft_time_limit_s=start.soft_time_limit_s,
        max_tasks_per_child=start.max_tasks_per_child,
        max_memory_per_child_kib=start.max_memory_per_child_kib,
        user=start.user,
        keeper=Keeper(start.keeper),
        worker_args=start.worker_args,
        environment=start.plain_environment(),
        broker_url=broker_url,
        broker_ca=_broker_ca(settings.broker.ca_file, broker_url),
        credentials=Credentials(start.credentials),
        token=enrolling.tokens(settings).of(node),
        packages=start.packages,
        files=tuple(map(_file, start.files)),
        commands_before=start.commands_before,
        commands_after=start.commands_after,
        system=_system(start),
        disk=Disk(check=DiskCheck(start.disk_check), limit_ms=round(start.disk_limit_s * 1000, 3)),
        lease=Lease(after_s=start.lease_s, then=LeaseEnd(start.lease_then)),
    )


def _system(start: Bootstrap) -> System:
    return System(
        proxy=start.proxy.reveal() if start.proxy else "",
        apt_mirror=start.apt_mirror,
        apt_security_mirror=start.apt_security_mirror,
        ip_version=IpVersion(start.ip_version),
        time_zone=start.time_zone or "",
        upgrades_after_boot=start.unattended_upgrades == "after_boot",
    )


def _file(written: BootstrapFile) -> File:
    return File(
        path=written.path,
        content=written.content.reveal(),
        mode=written.mode,
        owner=FileOwner(written.owner),
        is_secret=not written.content.is_plain,
    )


def _broker_ca(ca_file: str | None, broker_url: str) -> str:
    """The certificates that workers are to hold the broker's against; none where nothing is encrypted."""
    if ca_file is None or not broker_url.startswith("amqps://"):
        return ""
    try:
        with Path(ca_file).open("rb") as file:
            content = file.read(_LARGEST_CA_BYTES + 1)
    except OSError as error:
        raise UnusableSpec(
            f"broker.ca_file: {ca_file} cannot be read ({error.strerror or 'no reason given'}), "
            "but machines are to be given its certificates"
        ) from None
    if len(content) > _LARGEST_CA_BYTES:
        raise UnusableSpec(
            f"broker.ca_file: {ca_file} is larger than {_LARGEST_CA_BYTES} bytes, and no machine could be given it; "
            "expected the certificate of the broker's own authority"
        )
    # What people write between certificates is of no use to a machine, and may be in any encoding.
    found = _CERTIFICATE.findall(content.decode("ascii", errors="ignore"))
    if not found:
        raise UnusableSpec(f"broker.ca_file: {ca_file} holds no certificate in PEM (BEGIN CERTIFICATE)")
    return "".join(f"{certificate}\n" for certificate in found)


def user_data(
    settings: Settings,
    pool_name: str,
    node: NodeName,
    traits: ProviderTraits,
    *,
    slots: int | None = None,
    own_url: str | None = None,
) -> UserData:
    """The user data of that machine, in the form that provider takes. Raises a `ValueError` that says what is wrong."""
    return render(
        worker_spec(settings, pool_name, node, slots=slots, own_url=own_url),
        user_data_format=UserDataFormat(traits.user_data_format).value,
        limit_bytes=traits.user_data_limit_bytes,
        gzip=traits.user_data_gzip,
    )


def image_script(settings: Settings, pool_name: str, *, with_commands: bool = False) -> ImageScript:
    """What makes a machine of that pool's plain image a golden one. Secrets need not be known. Raises UnusableSpec."""
    # An image holds no certificate: machines are given the broker's at boot, and who makes images may not read it.
    broker = settings.broker.model_copy(update={"ca_file": None})
    spec = worker_spec(settings.model_copy(update={"broker": broker}), pool_name, _NOBODY)
    return image.script(spec, with_commands=with_commands)


def render_with(
    settings: Settings,
    rules: Rulebook,
    providers: Mapping[ProviderName, Provider],
    users: NodeUsers | None,
) -> Render:
    """What makes the whole order for a machine, and its user at the broker before it, where it has one of its own."""

    def order(action: CreateNode) -> InstanceSpec:
        traits = providers[action.offer.provider].traits
        own = settings.pools[action.pool].bootstrap.credentials == granting.NODE
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
                own_url=users.enrol(action.node, action.pool) if own and users is not None else None,
            ).content,
        )

    return order


def fingerprints(
    settings: Settings, rules: PoolRules, traits: Mapping[ProviderName, ProviderTraits]
) -> Mapping[OfferName, str]:
    """What a new machine of each offer becomes: its image, its size and its user data, with secrets masked, and the
    names in its environment, which may come later than that.

    Changed assets of a new release of ours change it too; a new password does not.
    """
    found = {}
    variables = sorted(settings.pools[rules.name].bootstrap.environment)
    for offer in rules.offers:
        slots = rules.slots_of(offer.name)
        try:
            made = user_data(settings, rules.name, _ANY_NODE, traits[offer.provider], slots=slots).masked
        except ValueError as error:  # each order will be rejected with the same reason
            made = str(error)
        parts = json.dumps([offer.image, offer.size, made, variables])
        found[offer.name] = hashlib.sha256(parts.encode()).hexdigest()[:_FINGERPRINT_DIGITS]
    return MappingProxyType(found)
