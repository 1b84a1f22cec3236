"""A pool's history: thinned, with its gaps, what changed the number, and what it all cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.config import Settings, load
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName
from autoscaler.journal import Journal, Sample, TickRecord, open_journal, thinning
from autoscaler.views import documents, drawing, history
from tests.unit.cli.office import SECRETS, Office, a_decision
from tests.unit.journal.records import OFFER, a_node

IMAGES = PoolName("images")
T0 = 1_790_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    office = Office(tmp_path)
    office.rewrite('tick = "100ms"', 'tick = "5s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "2s"')
    return load(office.config, SECRETS)


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = open_journal("sqlite://")
    yield opened
    opened.close()


def a_sample(at: float, **changes: object) -> Sample:
    values: dict[str, object] = {
        "pool": IMAGES, "at": at, "backlog": 0, "in_progress": 0, "arrivals_per_s": 1.0, "completions_per_s": 1.0,
        "wait_s": 0.0, "serving": 1, "arriving": 0, "leaving": 0, "wanted": 1, "cost_per_h": 0.1, "completed": 5,
    }  # fmt: skip
    return Sample(**{**values, **changes})  # type: ignore[arg-type]  # fields of the right kinds, by name


def ticked(journal: Journal, *samples: Sample, nodes: tuple[Node, ...] = ()) -> None:
    journal.commit(TickRecord(at=T0, samples=samples, new_nodes=nodes, memory=Memory()))


def a_time(journal: Journal, settings: Settings, **changes: float) -> history.History:
    given: dict[str, float] = {"since_at": T0, "until_at": T0 + 3600.0, **changes}
    return history.look(
        journal, settings, IMAGES, since_at=given["since_at"], until_at=given["until_at"],
        paas_price_per_month=given.get("paas"), points=int(given.get("points", history.POINTS)),
    )  # fmt: skip


def test_bins_keep_the_most_that_waited_and_the_mean_of_the_rest(
    journal: Journal, settings: Settings
) -> None:
    """A burst of one tick is not averaged away; a worker that served half of the time is half a worker."""
    ticked(
        journal,
        *(
            a_sample(
                T0 + 5 * tick,
                backlog=90 if tick == 3 else 0,
                wait_s=40.0 if tick == 3 else 0.0,
                serving=tick % 2,
            )
            for tick in range(720)
        ),
    )

    past = a_time(journal, settings, points=6.0)

    assert 6 == len(past.points)
    assert [120] * 6 == [point.samples for point in past.points]
    assert [90, 0, 0, 0, 0, 0] == [point.backlog for point in past.points]
    assert 40.0 == past.points[0].wait_s
    assert 0.5 == past.points[0].serving
    assert 3600 == past.totals.tasks_done
    assert () == past.gaps


def test_few_looks_are_their_own_points(journal: Journal, settings: Settings) -> None:
    """Each as it was written, at its own instant: what `status` said then."""
    ticked(journal, *(a_sample(T0 + 5.2 * tick, backlog=tick) for tick in range(20)))

    past = a_time(journal, settings, until_at=T0 + 300.0)

    assert [T0 + 5.2 * tick for tick in range(20)] == [point.at for point in past.points]
    assert list(range(20)) == [point.backlog for point in past.points]
    assert () == past.gaps


def test_a_time_without_looks_stays_a_gap(journal: Journal, settings: Settings) -> None:
    """The daemon was away, and later it was blind: neither is drawn across, and they are told apart."""
    early = [a_sample(T0 + 5 * tick) for tick in range(10)]
    blind = [
        a_sample(T0 + 1000 + 5 * tick, backlog=None, in_progress=None, wait_s=None) for tick in range(10)
    ]
    late = [a_sample(T0 + 1050 + 5 * tick) for tick in range(10)]
    ticked(journal, *early, *blind, *late)

    past = a_time(journal, settings)

    assert [(T0 + 45, T0 + 1000, False), (T0 + 1000, T0 + 1050, True)] == [
        (gap.from_at, gap.until_at, gap.blind) for gap in past.gaps
    ]
    demand = drawing.picture(past).panels[0].series[0].points
    workers = drawing.picture(past).panels[3].series[2].points
    unseen = sum(point.backlog is None for point in past.points)
    assert 5 < unseen
    assert unseen + 1 == sum(value is None for _, value in demand)
    assert 1 == sum(value is None for _, value in workers)


def test_decisions_that_changed_the_number_are_marked(journal: Journal, settings: Settings) -> None:
    """With the sentence of the decision; one that only repeated it is none."""
    decision = a_decision(at=T0 + 10, backlog=50)
    samples = [a_sample(T0 + 5 * tick, wanted=2 if tick < 2 else 5 if tick < 6 else 4) for tick in range(10)]
    journal.commit(TickRecord(at=T0, samples=tuple(samples), decisions=(decision,), memory=Memory()))

    past = a_time(journal, settings)

    assert [(T0 + 10, 2, 5, decision.sentence), (T0 + 30, 5, 4, "")] == [
        (change.at, change.before, change.after, change.sentence) for change in past.changes
    ]
    assert ["2 → 5", "5 → 4"] == [moment.label for moment in drawing.picture(past).moments]


def test_there_are_never_more_marks_than_can_be_read(journal: Journal, settings: Settings) -> None:
    """A number that moves all the time: the greatest moves stand, and equal ones from all over the time."""
    numbers = [9 if tick == 100 else tick % 2 for tick in range(700)]
    ticked(journal, *(a_sample(T0 + 5 * tick, wanted=number) for tick, number in enumerate(numbers)))

    past = a_time(journal, settings)

    assert history.CHANGES >= len(past.changes) > history.CHANGES / 2
    assert 9 in [abs(change.after - change.before) for change in past.changes] or any(
        change.after == 9 for change in past.changes
    )
    assert past.changes[0].at < T0 + 600
    assert past.changes[-1].at > T0 + 3000


def test_the_time_is_compared_with_a_fleet_for_its_peak(journal: Journal, settings: Settings) -> None:
    """Quanta that began in it; the most that served all the time; the same at a price by the month."""
    bought = a_node(
        "shop-images-1", pool=IMAGES, ordered_at=T0 - 100.0, instance_id="1", state=NodeState.READY
    )
    gone = a_node(
        "shop-images-2", pool=IMAGES, ordered_at=T0 + 600.0, instance_id="2", state=NodeState.GONE,
        entered_at=T0 + 1200.0,
    )  # fmt: skip
    refused = a_node(
        "shop-images-3", pool=IMAGES, ordered_at=T0 + 600.0, state=NodeState.GONE, entered_at=T0 + 601.0
    )
    samples = [a_sample(T0 + 5 * tick, serving=2 if tick == 200 else 1) for tick in range(721)]
    ticked(journal, *samples, nodes=(bought, gone, refused))

    past = a_time(journal, settings, paas=73.0)

    # Of the first its second hour began, and the first hour of the second.
    assert 2 * OFFER.price_per_h == pytest.approx(past.totals.cost)
    assert 2 == past.totals.machines
    assert 1.0 + 600 / 3600 == pytest.approx(past.totals.machine_hours)
    assert past.fixed
    assert (2, 0.1, pytest.approx(0.2)) == (past.fixed.workers, past.fixed.price_per_h, past.fixed.cost)
    assert past.paas
    assert (2, pytest.approx(0.2)) == (past.paas.workers, past.paas.cost)


def test_waits_are_told_by_the_looks(journal: Journal, settings: Settings) -> None:
    """Half of them saw the oldest wait no longer than the first, 95 % no longer than the second."""
    ticked(journal, *(a_sample(T0 + 5 * tick, wait_s=float(tick)) for tick in range(100)))

    past = a_time(journal, settings)

    assert past.totals.wait_p50_s == pytest.approx(49.0, abs=1.0)
    assert past.totals.wait_p95_s == pytest.approx(99.0, abs=10.0)


def test_a_time_with_nothing_on_record_is_empty(journal: Journal, settings: Settings) -> None:
    """And is compared with nothing."""
    past = a_time(journal, settings, paas=25.0)

    assert ((), (), None, None) == (past.points, past.changes, past.fixed, past.paas)
    assert "nothing is on record of that time" == drawing.summary(past)
    json.dumps(documents.history(past), allow_nan=False)


def test_a_time_that_is_on_record_by_minutes_says_so_and_has_no_gaps(
    journal: Journal, settings: Settings
) -> None:
    """Since when, in words and in the document; what it came to is what it came to before."""
    ticked(journal, *(a_sample(T0 + 5.0 * tick, serving=tick % 7) for tick in range(720)))
    before = a_time(journal, settings)
    terms = thinning.Terms(
        ticks_since_at=T0 + 1_800.0, minutes_since_at=0.0, decisions_since_at=0.0, apart_s=17.0
    )
    while thinning.thin(journal, terms):
        pass

    found = a_time(journal, settings)

    assert ((), ()) == (before.gaps, found.gaps)
    assert before.totals == found.totals
    assert () == before.coarse
    (coarse,) = found.coarse
    assert 60.0 == coarse.over_s
    assert 1_700.0 < coarse.until_at - T0 < 1_800.0
    assert "what is older than 30 min 25 s is on record by the minute" in drawing.summary(found)
    assert ({"over_s": 60.0, "until_at": coarse.until_at},) == documents.history(found)["coarse"]
