"""`status`: the fleet on one page, from the journal alone; with `--watch` again and again.

What never happens here: a look at the broker or at a provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autoscaler.cli import exits, opened, options, output, watching
from autoscaler.config import Settings
from autoscaler.core import residency
from autoscaler.core.held_back import HeldBack
from autoscaler.core.projection import Projection
from autoscaler.core.published import Published
from autoscaler.journal import Journal
from autoscaler.views import documents, heartbeat, standing
from autoscaler.views.standing import AccountStanding, PoolStanding, Standing
from policies.phrases import ago, count, duration

_NUMBERS = (
    "WAITING",
    "OLDEST",
    "IN PROGRESS",
    "SERVING",
    "ARRIVING",
    "LEAVING",
    "LOST",
    "WANTED",
    "PER HOUR",
)


def status(
    config: options.Config = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Renew the page until Ctrl-C.")] = False,
    as_json: options.AsJson = False,
    alive: Annotated[
        bool, typer.Option("--alive", help="Only say whether a daemon ticks; ends with 1 where none does.")
    ] = False,
) -> None:
    """Show each pool: what waits, what serves, what it costs, and why."""
    if watch + as_json + alive > 1:
        raise exits.CommandFailed(
            "--watch is for people, --json for programs and --alive for probes: take one.", code=exits.USAGE
        )
    settings = opened.settings(config, secrets=False)
    with opened.journal(settings) as journal:
        if alive:
            now = opened.CLOCK.now()
            heard = heartbeat.listen(journal, settings, now)
            output.say(heard.says(now))
            raise typer.Exit(exits.DONE if heard.running else exits.FAILED)
        if as_json:
            output.say_json(documents.status(standing.look(journal, settings, opened.CLOCK.now())))
        elif not watch:
            output.say(_now(journal, settings))
        else:
            watching.watch(lambda: _watched_now(journal, settings))


def _now(journal: Journal, settings: Settings) -> RenderableType:
    now = opened.CLOCK.now()
    return page(standing.look(journal, settings, now), now)


def _watched_now(journal: Journal, settings: Settings) -> RenderableType:
    now = opened.CLOCK.now()
    return watched(standing.look(journal, settings, now), now)


def page(now: Standing, asked_at: float) -> RenderableType:
    """All of it for people, who asked at that instant."""
    return output.together(_head(now, asked_at), _body(now))


def watched(now: Standing, asked_at: float) -> RenderableType:
    """The same while it is renewed: with the time of day, and told when it is no news."""
    line = Table.grid(expand=True, padding=(0, 2, 0, 0))
    line.add_column()
    line.add_column(justify="right", no_wrap=True)
    clock = output.local(asked_at).partition(" ")[2][: len("23:59:59")]
    line.add_row(_head(now, asked_at), output.words(f"{clock}  Ctrl-C ends", output.DIM))
    stale = None
    if not now.daemon.running:
        stale = output.words(
            "Nothing below is renewed while no daemon ticks: `autoscaler run` starts one, its log says why it ended.",
            output.BAD,
        )
    return output.together(line, stale, _body(now))


def _head(now: Standing, asked_at: float) -> Text:
    return Text.assemble(
        ("fleet ", output.DIM),
        (now.fleet, output.STRONG),
        ("  ·  ", output.DIM),
        output.words(now.daemon.says(asked_at), output.OK if now.daemon.running else output.BAD),
    )


def _body(now: Standing) -> RenderableType:
    table = output.columns(
        ("POOL", *_NUMBERS[:-1], f"{now.currency} PER HOUR"),
        [_row(pool) for pool in now.pools],
        right={*_NUMBERS, f"{now.currency} PER HOUR"},
    )
    remarks = [*_sentences(now), *_too_much(now), *_notes(now)]
    return output.together(table, _bills(now), _accounts(now), Text("\n").join(remarks) if remarks else None)


def _row(pool: PoolStanding) -> tuple[str | Text, ...]:
    return (
        pool.pool,
        output.or_nothing(pool.waiting),
        duration(pool.oldest_s) if pool.oldest_s is not None and pool.waiting else output.NOTHING,
        output.or_nothing(pool.in_progress),
        str(pool.serving),
        str(pool.arriving),
        str(pool.leaving),
        output.words(str(pool.lost), output.BAD if pool.lost else ""),
        output.or_nothing(pool.wanted),
        output.amount(pool.cost_per_h),
    )


def _bills(now: Standing) -> RenderableType:
    """What the month has cost and comes to."""
    headers = (f"{now.bill.month}, {now.currency}", "SPENT", "BY ITS END", "AT MOST")
    rows = [(pool.pool, *_bill(pool.bill)) for pool in now.pools]
    return output.columns(headers, [*rows, ("all pools", *_bill(now.bill))], right=headers[1:])


def _bill(bill: Projection) -> tuple[str | Text, ...]:
    return (
        output.amount(bill.spent),
        output.words(output.amount(bill.projected), output.BAD if bill.is_too_much else ""),
        output.NOTHING if bill.most is None else output.amount(bill.most),
    )


def _accounts(now: Standing) -> RenderableType | None:
    """Where machines come from: whether they are seen there, and how often it may still be asked."""
    told = [each for each in now.accounts if each.trouble or each.requests_left is not None]
    if not told:
        return None
    rows = [_account(each, now.at) for each in now.accounts if each.configured or each.trouble]
    return output.columns(("ACCOUNT", "REQUESTS LEFT", "ITS MACHINES"), rows, right=("REQUESTS LEFT",))


def _account(standing: AccountStanding, at: float) -> tuple[str | Text, ...]:
    left: str | Text = output.NOTHING
    if standing.requests_left is not None and standing.renewed_at is not None:
        left = f"{standing.requests_left:,} for {duration(standing.renewed_at - at)}"
    if standing.unseen_since_at is not None:
        seen = output.words(
            f"not seen for {duration(at - standing.unseen_since_at)}: {standing.trouble}", output.BAD
        )
    else:
        seen = output.words(f"seen; {standing.trouble}", output.NOTE) if standing.trouble else Text("seen")
    return standing.account, left, seen


def _too_much(now: Standing) -> Iterator[Text]:
    """Where the month comes to more than is allowed: what waits then, waits for money."""
    for name, bill in (*((pool.pool, pool.bill) for pool in now.pools), ("all pools", now.bill)):
        if bill.is_too_much and bill.most is not None:
            comes_to = output.amount(max(bill.spent, bill.projected), now.currency)
            most = output.amount(bill.most)
            yield output.words(
                f"{name}: {bill.month} comes to {comes_to}, allowed are {most} (max_cost_per_month)",
                output.BAD,
            )
    if now.bill.since_at is not None:
        since = output.local(now.bill.since_at)
        yield output.words(f"what {now.bill.month} cost is counted since {since}", output.NOTE)


def _sentences(now: Standing) -> Iterator[Text]:
    """What was decided last, in the daemon's own words; and what binds it."""
    for pool in now.pools:
        yield output.words(pool.sentence or f"{pool.pool}: nothing was decided yet")
        if pool.paused:
            yield output.words(f"  paused: `autoscaler resume {pool.pool}` lets it scale again", output.NOTE)
        if pool.hold_workers is not None and pool.hold_until_at is not None:
            until = output.local(pool.hold_until_at)
            yield output.words(f"  held at {count(pool.hold_workers, 'worker')} until {until}", output.NOTE)
        if pool.published is not None:
            yield from _published(pool.published, now.at)
        for why in pool.unseen:
            yield output.words(f"  could not be seen: {why}", output.BAD)
        if not pool.configured:
            yield output.words(
                "  no longer in the configuration: its nodes are drained and given back", output.NOTE
            )


def _published(upstream: Published, at: float) -> Iterator[Text]:
    """What the reader of its upstream file goes by, and why that is not what it should be."""
    parts = [f"{count(len(upstream.servers), 'machine')} published"]
    if upstream.awaited:
        parts.append(f"{len(upstream.awaited)} more serving that cannot be reached yet")
    if upstream.exposed:
        parts.append(f"{len(upstream.exposed)} leaving until requests to it have ended")
    yield output.words(f"  {', '.join(parts)}: {upstream.file}", output.NOTE)
    if upstream.trouble:
        since = duration(max(0.0, at - upstream.since_at))
        yield output.words(f"  not taken in for {since}: {upstream.trouble}", output.BAD)


def _notes(now: Standing) -> Iterator[Text]:
    """What stands out besides the pools."""
    for order in now.orders:
        given = f"given by {order.given_by} {ago(order.given_at, now.at)}"
        yield output.words(f"order waiting: {order.kind.value} {order.target}, {given}", output.NOTE)
    for one in now.misplaced:
        since = duration(max(0.0, now.at - one.since_at))
        says = (
            f"{residency.why_misplaced(one)}\n  since {since}; it serves on, and no other is bought there; "
        )
        yield output.words(f"{says}`autoscaler drain {one.machine}` lets it finish and go", output.BAD)
    for held in now.held_back:
        yield output.words(_held(held, now.at), output.NOTE)
    if now.strangers:
        machines = count(len(now.strangers), "machine")
        yield output.words(
            f"{machines} of ours without a record: `autoscaler orphans` shows them", output.BAD
        )


def _held(held: HeldBack, at: float) -> str:
    """What is held back and why; below it since when, what ends it by itself, and how to end it at once."""
    named = held.subject.partition(" for ")[0] in held.why
    since = f", since {duration(at - held.since_at)}" if held.since_at is not None else ""
    if held.until_at is None:
        until = f"held back{since}; {held.ends}"
    else:
        until = f"resting for {duration(held.until_at - at)}{since}; then {held.ends}"
    by_hand = f"; at once: `{held.by_hand}`" if held.by_hand else ""
    return f"{held.why if named else f'{held.subject}: {held.why}'}\n  {until}{by_hand}"
