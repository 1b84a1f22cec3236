"""What an account bears: each of the six ways to ask too much is told of, and nothing that is less."""

from __future__ import annotations

import pytest

from autoscaler.simulate.checks_of_accounts import Manners
from autoscaler.simulate.clock import SteppedClock, WorldClock
from providers.contract import NodeName

NODE = NodeName("images-1")


@pytest.fixture
def world() -> WorldClock:
    return WorldClock()


@pytest.fixture
def wall(world: WorldClock) -> SteppedClock:
    return SteppedClock(world)


@pytest.fixture
def account(wall: SteppedClock) -> Manners:
    return Manners(wall, per_minute=3.0)


def test_two_buckets_within_a_minute_are_borne_and_more_are_not(account: Manners) -> None:
    """A full one may be spent at once, and what flows in besides."""
    for _ in range(7):
        account.called()
    assert account.broken == ""

    account.called()

    assert "8 calls came in a minute" in account.broken


def test_an_order_before_the_peace_is_over_is_told_of(world: WorldClock, account: Manners) -> None:
    """Unless an operator said that it may be asked, after it answered or on the same tick."""
    account.told_to_wait(world.monotonic() + 20.0)
    account.woken()
    account.told_to_wait(world.monotonic() + 20.0)
    account.order_leaves(NODE)
    assert account.broken == ""

    world.run_to(10.0)
    account.told_to_wait(world.monotonic() + 20.0)
    account.order_leaves(NODE)

    assert "20 s before the account wanted to be asked" in account.broken


@pytest.mark.parametrize(("after_s", "borne"), [(20.0, True), (19.0, False)])
def test_a_look_before_the_peace_is_over_is_told_of(
    world: WorldClock, account: Manners, after_s: float, borne: bool
) -> None:
    """To ask for its machines is to ask."""
    account.told_to_wait(world.monotonic() + 20.0)
    world.run_to(after_s)
    account.looked()

    assert borne == (account.broken == "")


@pytest.mark.parametrize(("after_s", "borne"), [(20.0, True), (19.0, False)])
def test_an_end_before_the_peace_is_over_is_told_of(
    world: WorldClock, account: Manners, after_s: float, borne: bool
) -> None:
    """Whoever wants peace wants it from ends, too."""
    account.told_to_wait(world.monotonic() + 20.0)
    world.run_to(after_s)
    account.end_leaves(NODE)

    assert borne == (account.broken == "")


@pytest.mark.parametrize("set_by_s", [-900.0, 900.0])
@pytest.mark.parametrize(("after_s", "borne"), [(20.0, True), (19.0, False)])
def test_a_wall_clock_that_is_set_is_no_matter_of_the_account(
    world: WorldClock, wall: SteppedClock, account: Manners, set_by_s: float, after_s: float, borne: bool
) -> None:
    """It counts its own seconds, and so does a daemon whose tick was written down."""
    account.written()
    account.told_to_wait(world.monotonic() + 20.0)
    wall.off_by_s = set_by_s
    world.run_to(after_s)
    account.looked()

    assert borne == (account.broken == "")


@pytest.mark.parametrize(
    ("set_by_s", "after_s", "borne"), [(15.0, 5.0, True), (15.0, 4.0, False), (-900.0, 19.0, False)]
)
def test_a_daemon_that_begins_is_excused_by_a_clock_that_was_set_forward(
    world: WorldClock, wall: SteppedClock, account: Manners, set_by_s: float, after_s: float, borne: bool
) -> None:
    """Of what another wrote it knows no other age; what it writes itself changes nothing of that."""
    account.written()
    account.told_to_wait(world.monotonic() + 20.0)
    account.begins()
    wall.off_by_s = set_by_s
    world.run_to(after_s)
    account.written()
    account.looked()

    assert borne == (account.broken == "")


@pytest.mark.parametrize(("after_s", "borne"), [(5.0, True), (4.0, False)])
def test_an_end_is_asked_again_only_after_its_pause(
    world: WorldClock, account: Manners, after_s: float, borne: bool
) -> None:
    """The first pause is five seconds."""
    account.end_leaves(NODE)
    world.run_to(after_s)
    account.end_leaves(NODE)

    assert borne == (account.broken == "")


def test_a_silent_account_is_asked_for_one_machine_at_a_time(world: WorldClock, account: Manners) -> None:
    """After three ticks that brought no clear answer; one order is enough to see."""
    for _ in range(3):
        account.answered(clearly=False)
    account.order_leaves(NODE)
    world.run_to(10.0)
    account.order_leaves(NODE)
    assert account.broken == ""

    account.order_leaves(NODE)

    assert "was ordered with others" in account.broken
