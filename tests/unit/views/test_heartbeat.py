"""What commands say about the daemon, by its journal: nothing that the journal alone cannot know."""

from __future__ import annotations

from autoscaler.journal import LeaseHolder
from autoscaler.views.heartbeat import Heartbeat

HOLDER = LeaseHolder(owner="pid 7 on here", epoch=3, since_at=100.0)


def test_a_lease_that_was_given_back_means_that_no_daemon_runs() -> None:
    """It ended in order."""
    assert "no daemon runs: the last tick was 30 s ago" == Heartbeat(
        running=False, holder=None, last_tick_at=970.0
    ).says(1000.0)


def test_a_silent_holder_was_killed_or_cannot_write() -> None:
    """Under a full disk the daemon lives: to say that none runs would send the operator to start a second."""
    assert (
        "no daemon ticks: the last tick was 30 s ago; pid 7 on here was killed, or cannot write its journal"
        == Heartbeat(running=False, holder=HOLDER, last_tick_at=970.0).says(1000.0)
    )
