"""`status` of accounts: whether their machines are seen, and how often they may still be asked, in words."""

from __future__ import annotations

import time

from autoscaler.core.facts import Memory, Rest, RestKind, Trouble
from providers.contract import ProviderName, RateLimit
from tests.unit.cli.office import Office
from tests.unit.core.builders import CLOUD, a_node

LEFT = ProviderName("left")


def test_accounts_without_trouble_that_say_nothing_take_no_room(office: Office) -> None:
    """Most clouds tell no limit, and most accounts answer."""
    office.on_record(a_node())

    assert "ACCOUNT" not in office.command("status").out
    assert [{"account", "configured", "unseen_since_at", "trouble", "requests_left", "renewed_at"}] == [
        set(each) for each in office.command("status", "--json").facts["accounts"]
    ]


def test_status_shows_what_an_account_still_takes(office: Office) -> None:
    """As it said itself, until it said."""
    limit = RateLimit(remaining=2841, resets_at=time.time() + 3500, told_at=time.time())
    office.on_record(a_node(), memory=Memory(rate_limits={CLOUD: limit}))

    row = next(line for line in office.command("status").out.splitlines() if line.strip().startswith("cloud"))

    assert row.split()[:5] == ["cloud", "2,841", "for", "58", "min"]
    assert row.endswith(" seen")
    (facts,) = office.command("status", "--json").facts["accounts"]
    assert (2841, limit.resets_at, "") == (facts["requests_left"], facts["renewed_at"], facts["trouble"])


def test_status_shows_where_machines_are_not_seen_and_why(office: Office) -> None:
    """From the first tick on, and of an account that is no longer configured, too."""
    now = time.time()
    office.on_record(
        a_node(),
        memory=Memory(
            troubles={
                CLOUD: Trouble(listings=1, unlisted_since_at=now - 40, why_unlisted="no answer within 5 s")
            },
            account_rests={
                LEFT: Rest(
                    until_at=now + 50, refusals=1, why="left asked us to slow down", kind=RestKind.THROTTLED
                )
            },
        ),
    )

    told = office.command("status").out

    assert "not seen for 40 s: no answer within 5 s" in told
    assert "seen; left asked us to slow down" in told


def test_a_limit_that_is_over_is_not_shown(office: Office) -> None:
    """What an account takes now, nobody knows before it says so."""
    limit = RateLimit(remaining=0, resets_at=time.time() - 1, told_at=time.time() - 60)
    office.on_record(a_node(), memory=Memory(rate_limits={CLOUD: limit}))

    (facts,) = office.command("status", "--json").facts["accounts"]

    assert (None, None) == (facts["requests_left"], facts["renewed_at"])
