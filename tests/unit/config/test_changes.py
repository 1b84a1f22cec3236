"""Two configurations beside each other: what differs, in words; what needs a restart; what is a jump."""

from __future__ import annotations

import pytest

from autoscaler.config import Settings, changes
from autoscaler.config.changes import Standing
from tests.unit.config.documents import a_document, settings

PRICED = ('provider = "here"', 'provider = "here"\nprice_per_hour = 0.1')
"""Budgets want to know what an offer costs."""
NOBODY = Standing(of_pools={}, at_accounts={})
SECOND = """
[pools.thumbs]
queues = ["thumbs"]
slots = 4
[pools.thumbs.limits]
max_workers = 4
[[pools.thumbs.policies]]
kind = "backlog"
messages_per_worker = 10
[[pools.thumbs.offers]]
provider = "here"
[pools.thumbs.bootstrap]
app = "shop"
"""
ELSEWHERE = '\n[providers.there]\nkind = "elsewhere"\ntoken = { env = "TOKEN" }\nzone = "osl"\n'
ENVIRON = {"PASSWORD": "p@ss/w:rd%", "TOKEN": "t0ken-one", "OTHER": "t0ken-two"}


def said(after: Settings, before: Settings | None = None) -> list[str]:
    return [change.says() for change in changes.changes(before or settings(), after)]


def jumps(before: Settings, after: Settings, standing: Standing = NOBODY) -> str:
    return "; ".join(changes.jumps(before, after, standing))


def limits(text: str) -> Settings:
    return settings(("max_workers = 4", text), PRICED)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("max_workers = 4", "max_workers = 200", "images: max_workers 4 → 200"),
        ("slots = 4", "slots = 8", "images: slots 4 → 8"),
        ('queues = ["images"]', 'queues = ["images", "more"]', "images: queues images → images, more"),
        ("messages_per_worker = 10", "messages_per_worker = 2.5", "images: policies[1].messages_per_worker 10 → 2.5"),
        ("slots = 4", "slots = 4\npaused = true", "images: paused false → true"),
        ('provider = "here"', 'provider = "here"\nsize = "large"', "images: offers[1].size none → large"),
        ('app = "shop"', 'app = "other"', "images: bootstrap.app changed"),
        ('name = "shop"', 'name = "shop"\norphans = "report"', "fleet: orphans destroy → report"),
    ],
)  # fmt: skip
def test_a_change_is_told_by_whose_it_is_and_what_it_was(before: str, after: str, words: str) -> None:
    """As an operator would say it; limits are a pool's best known keys and need no more of a name."""
    assert [words] == said(settings((before, after)))


def test_times_are_told_as_they_are_written() -> None:
    """With their unit."""
    after = settings(more='\n[pools.images.stabilize]\nscale_in_window = "10m"\n[loop]\ntick = "10s"\n')

    assert {
        "loop: tick 5s → 10s",
        "images: stabilize.scale_in_window none → 10m",
    } == set(said(after))


def test_pools_and_accounts_that_come_and_go_are_told_as_such() -> None:
    """And nothing of what is in them."""
    more = settings(more=SECOND + ELSEWHERE, environ=ENVIRON)

    assert ["pool thumbs: added", "account there: added"] == said(more)
    assert ["pool thumbs: removed", "account there: removed"] == said(settings(), more)


def test_no_value_is_told_that_may_hold_a_secret() -> None:
    """Not of accounts, the broker, the journal, nor of what machines run: only which key it was."""
    secret = 'app = "shop"\nenvironment = { SHOP = { env = "TOKEN" }, PLAIN = "t0ken-one" }'
    before = settings(('app = "shop"', secret), more=ELSEWHERE, environ=ENVIRON)
    after = settings(
        ('app = "shop"', secret.replace("TOKEN", "OTHER").replace("t0ken-one", "t0ken-two")),
        ('username = "daemon"', 'username = "t0ken-two"'),
        more=ELSEWHERE.replace("TOKEN", "OTHER").replace("osl", "t0ken-two"),
        environ={**ENVIRON, "PASSWORD": "t0ken-two"},
    )
    words = said(after, before)

    assert {
        "broker: username changed",
        "broker: password changed",
        "providers.there: token changed",
        "providers.there: zone changed",
        "images: bootstrap.environment.SHOP changed",
        "images: bootstrap.environment.PLAIN changed",
    } == set(words)
    assert "t0ken" not in repr(changes.changes(before, after)[0].says())


def test_equal_files_differ_in_nothing_however_they_are_written() -> None:
    """A comment, another order, a default written out."""
    same = settings(more="\n# nothing\n[loop]\ntick = '5s'\n")

    assert [] == said(same)
    assert changes.digest(a_document()) != changes.digest(a_document(more="\n# nothing"))


@pytest.mark.parametrize(
    ("after", "needs"),
    [
        (settings(('name = "shop"', 'name = "other"')), "fleet.name"),
        (settings(more='\n[loop]\ntick = "7s"'), "loop.tick"),
        (settings(("http://rabbit:15672", "http://other:15672")), "broker.management_url"),
        (settings(more='\n[journal]\nurl = "sqlite:////elsewhere.db"'), "journal.url"),
        (settings(more='\n[log]\nlevel = "debug"'), "log.level"),
        (settings(environ={"PASSWORD": "another"}), "broker.password"),
    ],
)
def test_what_links_the_lease_and_the_pacemaker_are_made_of_needs_a_restart(
    after: Settings, needs: str
) -> None:
    """They are opened once in a process's life."""
    assert (needs,) == changes.needs_restart(changes.changes(settings(), after))


def test_everything_else_does_not() -> None:
    """How long the journal keeps things, too."""
    after = settings(
        ("max_workers = 4", "max_workers = 5"),
        more='\n[journal]\nretention = "2d"\n[loop]\nmax_calls_in_flight = 3\n' + SECOND,
    )

    assert () == changes.needs_restart(changes.changes(settings(), after))


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("max_workers = 20", "max_workers = 200", "max_workers 20 → 200 is more than 5 times as much"),
        ("max_workers = 1", "max_workers = 11", "max_workers 1 → 11 is more than 5 times as much"),
        ("max_workers = 50\nmin_workers = 1", "max_workers = 50\nmin_workers = 12", "min_workers 1 → 12"),
        ("max_workers = 200", "max_workers = 20", "max_workers 200 → 20 is less than a 5th"),
        ("max_workers = 4\nmax_cost_per_hour = 1", "max_workers = 4\nmax_cost_per_hour = 6", "max_cost_per_hour 1 → 6"),
        ("max_workers = 4\nmax_cost_per_month = 9", "max_workers = 4", "max_cost_per_month 9 → none takes a budget"),
    ],
)  # fmt: skip
def test_a_digit_too_many_or_too_few_is_a_jump(before: str, after: str, why: str) -> None:
    """Of what a pool may buy, and of what it may cost."""
    assert f"images: {why}" in jumps(limits(before), limits(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("max_workers = 20", "max_workers = 100"),
        ("max_workers = 1", "max_workers = 10"),
        ("max_workers = 10", "max_workers = 1"),
        ("max_workers = 4\nmax_cost_per_hour = 1", "max_workers = 4\nmax_cost_per_hour = 5"),
        ("max_workers = 4", "max_workers = 4\nmax_cost_per_hour = 0.01"),
    ],
)
def test_what_an_operator_does_every_day_is_none(before: str, after: str) -> None:
    """Who must confirm everything confirms anything."""
    assert "" == jumps(limits(before), limits(after))


def test_the_fleets_own_budget_counts_as_well() -> None:
    """Taken away, it binds nobody any more."""
    before = settings(('name = "shop"', 'name = "shop"\nmax_cost_per_hour = 2'), PRICED)
    after = settings(PRICED)

    assert "the fleet: max_cost_per_hour 2 → none takes a budget away" == jumps(before, after)
    assert ["fleet: max_cost_per_hour 2 → none"] == said(after, before)


def test_a_pool_that_goes_says_what_becomes_of_its_machines() -> None:
    """Even one that has none now: its queues are looked after no more."""
    before = settings(more=SECOND)
    machines = Standing(of_pools={"thumbs": 3}, at_accounts={})

    assert "the pool thumbs is removed: it has no machines" == jumps(before, settings())
    assert "its 3 machines will finish what they hold and go" in jumps(before, settings(), machines)


def test_a_renamed_pool_says_what_that_costs() -> None:
    """To the daemon it is one that went and one that came."""
    before, after = settings(more=SECOND), settings(more=SECOND.replace("pools.thumbs", "pools.previews"))
    why = jumps(before, after, Standing(of_pools={"thumbs": 1}, at_accounts={}))

    assert "the pool thumbs is renamed to previews: its one machine will finish" in why
    assert "previews buys machines of its own" in why


def test_an_account_with_machines_is_not_given_up_by_the_way() -> None:
    """Nothing could be asked of it any more, and they would be paid on."""
    before = settings(more=ELSEWHERE, environ=ENVIRON)
    machines = Standing(of_pools={}, at_accounts={"there": 2})

    assert "" == jumps(before, settings())
    assert "the account there is removed while 2 machines stand there" in jumps(before, settings(), machines)


def test_an_account_that_may_become_another_one_is_said_twice_while_machines_stand_there() -> None:
    """Its listings would lack them, and what a complete listing lacks is gone; a pace makes no other account."""
    before = settings(more=ELSEWHERE, environ=ENVIRON)
    rotated = settings(more=ELSEWHERE.replace("TOKEN", "OTHER"), environ=ENVIRON)
    slower = settings(more=ELSEWHERE + "calls_per_minute = 30\n", environ=ENVIRON)
    machines = Standing(of_pools={}, at_accounts={"there": 2})

    assert "" == jumps(before, rotated)
    assert "" == jumps(before, slower, machines)
    assert "the account there changes (token) while 2 machines stand there" in jumps(
        before, rotated, machines
    )
