"""Looks at a broker one after the other, against the plain way: all that was ever seen gone through anew on each look.

What the gateway keeps between looks is kept for speed. So whatever a broker says, and whenever, the demand is that of
somebody who keeps nothing but the answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.facts import Missing
from autoscaler.core.model import PoolName
from autoscaler.gateways.rabbitmq import RabbitMQ
from policies.contract import Demand, Flow, QueueDemand, Reading, Trust

ALL, TWO = PoolName("all"), PoolName("two")
QUEUES = {ALL: ("q.*",), TWO: ("q.b", "soon")}
NAMES = ("q.a", "q.b", "soon")
OF = {ALL: ("q.a", "q.b"), TWO: ("q.b", "soon")}
INTERVAL_S, WINDOW_S = 5.0, 60.0
FIGURES = ("messages_ready", "messages_unacknowledged", "consumers")
COUNTED = ("ack", "deliver_no_ack", "get_no_ack", "publish", "redeliver", "deliver_get")

Row = dict[str, Any]
Said = Mapping[str, Row]
"""The rows of one listing, by name."""


class Counts(NamedTuple):
    at: float
    published: int
    completed: int
    redelivered: int
    delivered: int


class Played:
    """A broker that lists what it is told to, by a clock that is moved."""

    def __init__(self) -> None:
        self.at, self.rows = 1_000.0, list[Row]()

    def get(self, *path: str, until: float | None = None, **query: str) -> Any:
        del path, until, query
        return self.rows

    def close(self) -> None: ...

    def now(self) -> float:
        return 1.7e9 + self.at

    def monotonic(self) -> float:
        return self.at


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**12


def is_sound(row: Row) -> bool:
    stats = row.get("message_stats") or {}
    return all(is_count(row.get(key)) for key in FIGURES) and all(
        is_count(stats[key]) for key in COUNTED if key in stats
    )


def counts_in(row: Row, at: float) -> Counts | None:
    stats = row.get("message_stats")
    if not stats:
        return None
    ack, unasked, got, publish, redeliver, deliver = (stats.get(key, 0) for key in COUNTED)
    return Counts(at, publish, ack + unasked + got, redeliver, deliver)


class Past(NamedTuple):
    """What is known of a queue's counters: looks since its beginning, when they fell last, and the last two looks."""

    seen: tuple[Counts, ...] = ()
    fell_at: float | None = None
    step: tuple[Counts, Counts] | None = None


def past(name: str, looks: Sequence[tuple[float, Said]]) -> Past:
    known = Past()
    for at, said in looks:
        row = said.get(name)
        if row is None:
            known = Past() if name == "q.a" else Past((Counts(at, 0, 0, 0, 0),))
        elif is_sound(row):
            known = after(known, counts_in(row, at))
    return known


def after(known: Past, counts: Counts | None) -> Past:
    seen, fell_at, _ = known
    if counts is None:
        at_its_beginning = bool(seen) and seen[-1].published == seen[-1].completed == 0
        return Past(seen, fell_at) if at_its_beginning else Past()
    if seen and any(now < before for now, before in zip(counts[1:], seen[-1][1:], strict=True)):
        return Past((counts,), counts.at)
    step = (seen[-1], counts) if seen else None
    still = len(seen) >= 2 and counts[1:4] == seen[-1][1:4] == seen[-2][1:4]
    return Past((*(seen[:-1] if still else seen), counts), fell_at, step)


def reading(value: float | None, why: str = "") -> Reading:
    trust = Trust.ABSENT if value is None else Trust.ROUGH if why else Trust.SOLID
    return Reading(value=value, trust=trust, why=why)


def rate(known: Past, which: int) -> Reading:
    if not known.seen:
        return reading(None, "the broker gives no counters for a queue yet")
    times, counts = [each.at for each in known.seen], [each[which] for each in known.seen]
    begin = max(times[0], times[-1] - WINDOW_S)
    span_s = times[-1] - begin
    if span_s <= 0 or span_s < INTERVAL_S:
        return reading(None, "a rate needs two looks at least 5 s apart")
    index = next(i for i, at in enumerate(times) if at >= begin)
    then = float(counts[index])
    if index:
        share = (begin - times[index - 1]) / (times[index] - times[index - 1])
        then = counts[index - 1] + share * (counts[index] - counts[index - 1])
    why = f"over {span_s:.0f} s only" if span_s < 3 * INTERVAL_S else ""
    if known.fell_at is not None and times[-1] - known.fell_at < WINDOW_S:
        why = "the broker's counters began anew"
    return reading((counts[-1] - then) / span_s, why)


def wait(known: Past, row: Row) -> Reading:
    backlog, seen = row["messages_ready"], known.seen
    if backlog == 0:
        return reading(0.0)
    if not seen:
        return reading(None, "the broker gives no counters for a queue yet")
    head = seen[-1].published - backlog
    if head < seen[0].published:
        if seen[-1].at - seen[0].at < INTERVAL_S:
            return reading(None, "what waits was published before our first look")
        why = "older than our first look" if known.fell_at is None else "the broker's counters began anew"
        return reading(seen[-1].at - seen[0].at, f"{why}; it is at least this")
    since = seen[-1].at
    for one, other in itertools.pairwise(seen):
        if one.published <= head < other.published:
            share = (head - one.published) / (other.published - one.published)
            since = one.at + share * (other.at - one.at)
    start = max([i for i, each in enumerate(seen) if each.at < since], default=0)
    why = "messages were delivered again and may be older" if seen[-1][3] > seen[start][3] else ""
    why = "a priority queue does not serve in order" if "x-max-priority" in row["arguments"] else why
    return reading(max(0.0, seen[-1].at - since), why)


def added(readings: Sequence[Reading]) -> Reading:
    unknown = [each for each in readings if each.value is None]
    why = next((each.why for each in readings if each.why), "")
    return unknown[0] if unknown else reading(float(sum(each.value or 0.0 for each in readings)), why)


def longest(readings: Sequence[Reading]) -> Reading:
    worst = max(
        (each for each in readings if each.value is not None), key=lambda r: r.value or 0.0, default=None
    )
    unknown = next((each for each in readings if each.value is None), None)
    if unknown is not None:
        least = worst.value if worst else None
        return reading(least, f"at least this; {unknown.why}") if least else unknown
    if worst is None:
        return reading(0.0)
    return reading(worst.value, worst.why or next((each.why for each in readings if each.why), ""))


def flow(steps: Sequence[tuple[Counts, Counts] | None]) -> Flow | None:
    known = [step for step in steps if step is not None]
    if not known or len(known) < len(steps):
        return None
    _, published, completed, redelivered, delivered = (
        sum(now[which] - before[which] for before, now in known) for which in range(5)
    )
    return Flow(
        arrived=int(published),
        completed=int(completed),
        redelivered=int(redelivered),
        delivered=int(delivered),
        over_s=max(now.at - before.at for before, now in known),
    )


def plain(pool: PoolName, looks: Sequence[tuple[float, Said]]) -> Demand | None:
    """The demand of one pool after the last of these looks; None where a row is no use."""
    at, said = looks[-1]
    there = {name: said[name] for name in OF[pool] if name in said}
    if not all(map(is_sound, there.values())):
        return None
    soon = [name for name in OF[pool] if name not in said and pool == TWO]
    pasts = {name: past(name, looks) for name in there}
    queues = [
        QueueDemand(
            name=name,
            **dict(zip(("backlog", "in_progress", "consumers"), map(row.get, FIGURES), strict=True)),
        )
        for name, row in there.items()
    ] + [QueueDemand(name=name, backlog=0, in_progress=0, consumers=0, missing=True) for name in soon]
    return Demand(
        backlog=sum(queue.backlog for queue in queues),
        in_progress=sum(queue.in_progress for queue in queues),
        arrivals_per_s=added([rate(each, 1) for each in pasts.values()]),
        completions_per_s=added([rate(each, 2) for each in pasts.values()]),
        wait_s=longest([wait(pasts[name], row) for name, row in there.items()]),
        measured_at=1.7e9 + at,
        queues=tuple(sorted(queues, key=lambda queue: queue.name)),
        warnings=tuple(f"queue {name!r} does not exist yet" for name in soon)
        if queues
        else ("no queue matches q.*",),
        flow=flow([each.step for each in pasts.values()]),
    )


SMALL = st.integers(0, 3)
MOVES = st.one_of(
    st.just("still"),
    st.tuples(SMALL, SMALL, st.sampled_from([0, 0, 1])).map(lambda moved: ("moves", *moved)),
    st.sampled_from(["gone", "reset", "uncounted", "priority"]),
    st.tuples(st.just("falls"), st.sampled_from(COUNTED)),
    st.tuples(st.sampled_from([*FIGURES, *COUNTED]), st.sampled_from([True, 1.0, -1, None, "1", 10**12 + 1])),
)
"""What becomes of a queue until the next look; the last: a figure that is none."""
LOOKS = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 5.0, 10.0, 10.3, 75.0]), st.tuples(MOVES, MOVES, MOVES)),
    min_size=1,
    max_size=25,
)


def said_next(name: str, before: Row | None, move: Any) -> Row | None:
    """A row after another; a figure that was none is one again."""
    if move == "gone":
        return None
    row: Row = {"name": name, **dict.fromkeys(FIGURES, 0), "arguments": {}, "message_stats": {"publish": 0}}
    if before is not None and is_sound(before) and move != "reset":
        row = before | {"message_stats": dict(before.get("message_stats") or {"publish": 0})}
    stats = row["message_stats"]
    match move:
        case "uncounted":
            del row["message_stats"]
        case "priority":
            row["arguments"] = {"x-max-priority": 3}
        case "moves", came, went, again:
            stats |= {"publish": stats["publish"] + came, "ack": stats.get("ack", 0) + went}
            stats |= {"deliver_get": stats.get("deliver_get", 0) + went + again}
            stats |= (
                {"redeliver": stats["redeliver"] + again} if "redeliver" in stats else {"redeliver": again}
            )
            row["messages_ready"] = max(0, row["messages_ready"] + came - went)
            row |= {"messages_unacknowledged": again, "consumers": went}
        case "falls", key:
            stats |= {key: max(0, stats.get(key, 0) - 1)}
        case key, nonsense:
            (row if key in FIGURES else stats)[key] = nonsense
    return row


@given(LOOKS)
def test_what_is_kept_between_looks_changes_no_demand(looks: list[tuple[float, tuple[Any, ...]]]) -> None:
    """Figures, rates, waits, flow, their trust and its reasons, to the last digit."""
    played = Played()
    broker = RabbitMQ(
        management_url="http://x", username="u", password="p", vhost="/", clock=played, api=played
    )
    rows: dict[str, Row | None] = {}
    taken: list[tuple[float, Said]] = []
    for gap_s, moves in looks:
        played.at += gap_s
        rows = {name: said_next(name, rows.get(name), move) for name, move in zip(NAMES, moves, strict=True)}
        said = {name: row for name, row in rows.items() if row is not None}
        played.rows = list(said.values())
        taken.append((played.at, said))

        found = broker.demand(QUEUES)

        for pool in QUEUES:
            expected = plain(pool, taken)
            assert isinstance(found[pool], Missing) if expected is None else expected == found[pool]
