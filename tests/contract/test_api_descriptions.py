"""What our adapters ask, and what the servers on loopback answer, fits the providers' published API descriptions.

Every test of the contract suite holds its own exchanges (`conftest.py`). This one makes sure that something was held,
in a life from order to end with every refusal on the way, and says by name where no description is at hand.
"""

from __future__ import annotations

import contextlib

import pytest

from providers.contract import ProviderError
from testbed.clouds import descriptions
from testbed.clouds.exchange import Kind
from tests.contract.loopback import LoopbackWorld
from tests.contract.worlds import Trouble, World, eventually

TIMEOUT_S = 20.0
REFUSALS = (Trouble.CAPACITY, Trouble.QUOTA, Trouble.REJECTED, Trouble.THROTTLED)


def test_every_request_and_answer_is_as_described(world: World, fleet: str) -> None:
    """An order, its refusals, listings, a check and an end: each was held, and each fits."""
    if not isinstance(world, LoopbackWorld) or not world.cloud.descriptions:
        pytest.skip("this world follows no published description")
    wanted = world.cloud.descriptions.values()
    missing = [name for name in wanted if descriptions.load(name, world.cloud.deviations) is None]
    if missing:
        where = f"set {descriptions.VARIABLE} to a folder that holds them"
        pytest.skip(f"no API description of {', '.join(missing)} is at hand; {where}")
    world.hold_against_descriptions()
    before = [world.cloud.server.count(kind) for kind in (Kind.CREATE, Kind.LIST, Kind.END)]

    provider = world.open(fleet)
    refusals = [trouble for trouble in REFUSALS if trouble in world.troubles]
    for trouble in refusals:
        world.meet(trouble)
        with contextlib.suppress(ProviderError):
            provider.create(world.spec(name="images-1", fleet=fleet, pool="images"), timeout_s=TIMEOUT_S)
    made = provider.create(world.spec(name="images-2", fleet=fleet, pool="images"), timeout_s=TIMEOUT_S)
    assert eventually(world, lambda: bool(provider.list_instances(timeout_s=TIMEOUT_S).instances))
    provider.check(world.purchase(), timeout_s=TIMEOUT_S)
    provider.destroy("images-2", made.instance_id, timeout_s=TIMEOUT_S)

    after = [world.cloud.server.count(kind) for kind in (Kind.CREATE, Kind.LIST, Kind.END)]
    assert [True, True, True] == [now > then for now, then in zip(after, before, strict=True)]
    assert len(refusals) + 4 <= world.hold_against_descriptions()
