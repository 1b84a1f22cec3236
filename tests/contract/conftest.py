"""Gives every contract test each world in turn, calm, and a fleet that no other test has used."""

import contextlib
import importlib
import itertools
from collections.abc import Iterator

import pytest

from providers.contract import InstanceAbsent
from tests.contract import worlds
from tests.contract.loopback import LoopbackWorld

_FLEETS = itertools.count(1)


@pytest.fixture(scope="session", params=worlds.kinds())
def lasting_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[worlds.World]:
    """One world for the whole session: starting somebody else's server takes seconds."""
    module = importlib.import_module(f"tests.contract.{request.param}")
    with module.open_world(tmp_path_factory.mktemp(request.param)) as world:
        yield world


@pytest.fixture
def world(lasting_world: worlds.World) -> Iterator[worlds.World]:
    """The world, without what an earlier test left in it to be met. Where it is one on loopback, all that was asked and
    answered in it is held against the provider's published description, if one is at hand."""
    lasting_world.calm()
    yield lasting_world
    lasting_world.calm()
    if isinstance(lasting_world, LoopbackWorld):
        lasting_world.hold_against_descriptions()


@pytest.fixture
def fleet(world: worlds.World) -> Iterator[str]:
    """A mark of this test's own; what bears it is ended afterwards."""
    mark = f"fleet-{next(_FLEETS)}"
    yield mark
    world.calm()
    provider = world.open(mark)

    def ended() -> bool:
        for name in world.machines_of(fleet=mark):
            # A machine that no listing shows yet cannot be ended by its name.
            with contextlib.suppress(InstanceAbsent):
                provider.destroy(name, None, timeout_s=20.0)
        return not world.machines_of(fleet=mark)

    assert worlds.eventually(world, ended), f"left behind: {world.machines_of(fleet=mark)}"
