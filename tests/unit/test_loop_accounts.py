"""What one tick tells the next of accounts: which were seen, and which are to be left in peace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing, Rest, RestKind, SlowDown
from autoscaler.core.model import CreateNode
from autoscaler.journal.contract import JournalUnavailable
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


STEPS = [-86_400.0, -900.0, 0.0, 900.0, 86_400.0]


@pytest.mark.parametrize("set_by_s", STEPS)
def test_a_clock_that_is_set_neither_shortens_nor_prolongs_an_account_s_peace(set_by_s: float) -> None:
    """It asked for 25 seconds: two ticks leave it alone, the third looks again."""
    stage = Stage()
    stage.seen = replace(SEEN, listings={CLOUD: SlowDown(why="429", retry_after_s=25.0)})
    stage.tick()
    stage.seen = SEEN
    stage.clock.at += set_by_s

    quiet = []
    for _ in range(3):
        stage.tick()
        quiet.append((list(stage.asked[3]), any(isinstance(a, CreateNode) for a in stage.calls.actions)))

    assert [([CLOUD], False), ([CLOUD], False), ([], True)] == quiet


@pytest.mark.parametrize("set_by_s", STEPS)
def test_a_peace_that_is_over_is_not_kept_again(set_by_s: float) -> None:
    """The account was asked since: a clock that shows a time before the end of its rest brings none back."""
    stage = Stage()
    stage.seen = replace(SEEN, listings={CLOUD: SlowDown(why="429", retry_after_s=5.0)})
    stage.tick()
    stage.seen = SEEN
    stage.tick()
    stage.clock.at += set_by_s
    stage.tick()

    assert {} == stage.asked[3]


def test_ticks_that_cannot_be_written_down_let_no_peace_end_early() -> None:
    """The clock is compared with the last tick that was, whose memory is the one that is read."""
    stage = Stage()
    stage.seen = replace(SEEN, listings={CLOUD: SlowDown(why="429", retry_after_s=35.0)})
    stage.tick()
    stage.seen, stage.journal.broken = SEEN, True
    stage.clock.at += 900

    quiet = []
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            stage.tick()
        quiet.append(list(stage.asked[3]))
    stage.journal.broken = False
    for _ in range(2):
        stage.tick()
        quiet.append(list(stage.asked[3]))

    assert [[CLOUD], [CLOUD], [CLOUD], []] == quiet


def test_a_new_daemon_on_a_clock_that_was_set_back_keeps_the_peace_once_more() -> None:
    """It cannot know how long ago its memory was written, only that this cannot be in the future."""
    before = Stage()
    before.seen = replace(SEEN, listings={CLOUD: SlowDown(why="429", retry_after_s=15.0)})
    before.tick()

    stage = Stage()
    stage.journal.kept = before.journal.kept
    stage.clock.at = before.clock.at - 900

    quiet = []
    for _ in range(3):
        stage.tick()
        quiet.append(list(stage.asked[3]))

    assert [[CLOUD], [CLOUD], []] == quiet


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
