"""What may be called absent: what every provider says of a machine that it did not find where it could not look."""

from __future__ import annotations

import pytest

from providers.contract import OutcomeUnknown
from tests.contract.test_provider_contract import TIMEOUT_S, create, lists, meet
from tests.contract.worlds import Trouble, World


def test_what_an_incomplete_look_does_not_show_is_not_called_absent(world: World, fleet: str) -> None:
    """An end by name looks first; what that look does not show, and says that it may not, is unknown, and stands."""
    provider = world.open(fleet)
    create(world, provider, fleet, "images-1")
    assert lists(world, provider, "images-1")
    meet(world, Trouble.LISTING_CUT)

    with pytest.raises(OutcomeUnknown, match="images-1"):
        provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert ("images-1",) == world.machines_of(fleet=fleet)
