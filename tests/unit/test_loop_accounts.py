"""What one tick tells the next of accounts: which were seen, and which are to be left in peace."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core.facts import Memory, Missing, Rest, RestKind, SlowDown
from providers.contract import ProviderName, RateLimit
from tests.unit.core.builders import CLOCKS, CLOUD
from tests.unit.test_loop import SEEN, Stage

OTHER = ProviderName("other")


def test_a_daemon_that_begins_has_seen_no_account() -> None:
    """Its journal may be an older copy, whatever that says of who was seen."""
    stage = Stage()
    stage.journal.kept = Memory(clocks=CLOCKS, seen=(OTHER,))

    stage.tick()
    assert (CLOUD,) == stage.journal.kept.seen

    stage.seen = replace(SEEN, listings={CLOUD: Missing(why="502")})
    stage.tick()
    assert (CLOUD,) == stage.journal.kept.seen


def test_an_account_that_asked_for_peace_is_not_looked_at_until_it_is_over() -> None:
    """What a listing was answered on one tick binds the looks of the next."""
    stage = Stage()
    stage.seen = replace(SEEN, listings={CLOUD: SlowDown(why="429", retry_after_s=15.0)})

    quiet = []
    for _ in range(3):
        stage.tick()
        quiet.append(list(stage.asked[3]))
        stage.seen = SEEN

    assert [[], [CLOUD], []] == quiet


def test_a_rest_of_orders_alone_leaves_looks_as_they_are() -> None:
    """It names no time for them."""
    stage = Stage()
    rest = Rest(until_at=stage.clock.at + 100, refusals=1, why="429", kind=RestKind.THROTTLED)
    stage.journal.kept = Memory(clocks=CLOCKS, account_rests={CLOUD: rest})

    stage.tick()

    assert {} == stage.asked[3]


def test_what_an_account_said_of_its_limit_is_written_down() -> None:
    """For the next tick's purchases, and for `status`."""
    stage = Stage()
    limit = RateLimit(remaining=7, resets_at=stage.clock.at + 500, told_at=stage.clock.at)
    stage.seen = replace(SEEN, rate_limits={CLOUD: limit})

    stage.tick()

    assert {CLOUD: limit} == stage.journal.kept.rate_limits
