"""What is billed after a machine's end, read in each provider's books: nothing that we ordered."""

from __future__ import annotations

import pytest

from providers.contract import InstanceAbsent, InstanceState
from tests.contract.worlds import Books, World, eventually

TIMEOUT_S = 20.0


@pytest.mark.parametrize("boots", [True, False], ids=["of one that ran", "of one that was just ordered"])
def test_nothing_is_billed_once_a_machine_is_gone(world: World, fleet: str, boots: bool) -> None:
    """Volumes and addresses that came with it went with it, whatever its image says of them."""
    if not isinstance(world, Books):
        pytest.skip("nobody is billed here")
    before = world.billed()
    provider = world.open(fleet)
    provider.create(world.spec(name="images-1", fleet=fleet, pool="images"), timeout_s=TIMEOUT_S)

    def runs() -> bool:
        listing = provider.list_instances(timeout_s=TIMEOUT_S)
        return [InstanceState.RUNNING] == [each.state for each in listing.instances]

    def gone() -> bool:
        try:
            provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
        except InstanceAbsent:
            return not world.machines_of(fleet=fleet)
        except Exception:  # noqa: BLE001 - asked for again, as the daemon would
            return False
        return False

    assert not boots or eventually(world, runs)
    assert eventually(world, gone)
    assert before == world.billed()
