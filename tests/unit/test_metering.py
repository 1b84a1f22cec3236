"""What is counted where it happens: ticks, their parts, the work they saw, calls and requests, and what is said."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from autoscaler import meters, telemetry
from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.execute import Executor
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.management_api import ManagementAPI
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.metering import Metered
from autoscaler.meters import Meter, Tally
from policies.contract import Flow
from providers.contract import CapacityRefused, ListingUnavailable
from testbed import ports
from tests.unit import test_observe
from tests.unit.core.builders import CLOUD, POOL, a_demand, a_listing, a_node, a_sighting, heard
from tests.unit.gateways.management_server import Answer, says, serving
from tests.unit.stand_ins import FixedClock, Scripted, ScriptedWorkers, raising, wait_for
from tests.unit.test_execute import a_create, a_drain, rendered
from tests.unit.test_loop import SEEN, Stage


def total(tally: Tally, meter: Meter, *labels: str) -> float:
    return sum(each.total for each in tally.read()[meter.name] if each.labels == labels)


def times(tally: Tally, meter: Meter, *labels: str) -> int:
    return sum(sum(each.times) for each in tally.read()[meter.name] if each.labels == labels)


class Counted(Stage):
    """A loop whose ticks are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally(self.clock)
        self.loop._meters = self.tally
        self.metered = Metered(self.loop, self.tally)

    def tick(self, after_s: float = 10.0) -> None:
        self.clock.at += after_s
        self.clock.lasted += after_s
        self.metered.tick()


def test_a_tick_is_timed_whole_and_in_its_parts() -> None:
    """Each part once a tick."""
    stage = Counted()
    stage.tick()
    stage.tick()

    assert 2 == times(stage.tally, meters.TICK, meters.DONE)
    parts = (meters.OBSERVE, meters.THINK, meters.COMMIT, meters.DISPATCH)
    assert [2, 2, 2, 2] == [times(stage.tally, meters.STAGE, part) for part in parts]


def test_a_tick_that_is_not_written_down_failed_and_no_work_is_counted_of_it() -> None:
    """The next one sees that work again."""
    stage = Counted()
    stage.seen = replace(SEEN, demand={POOL: a_demand(3, flow=Flow(arrived=7, completed=4, over_s=9.0))})
    stage.journal.broken = True
    with pytest.raises(JournalUnavailable):
        stage.tick()

    assert 1 == times(stage.tally, meters.TICK, meters.FAILED)
    assert 0.0 == total(stage.tally, meters.ARRIVED, POOL)


def test_machines_that_run_nothing_are_idle_for_as_long_as_was_looked_away() -> None:
    """Two serve, one of them with a task in hand: each second is two of machines, and one of an idle one."""
    stage = Counted()
    stage.journal.nodes = (a_node("n1"), a_node("n2"))
    stage.seen = replace(
        SEEN,
        listings={CLOUD: a_listing("n1", "n2")},
        demand={POOL: a_demand(30, 1, flow=Flow(arrived=7, completed=4, over_s=9.0))},
        sightings=heard(a_sighting("n1", active=1), a_sighting("n2", active=0)),
    )
    stage.tick()
    stage.tick(10.0)

    assert 20.0 == total(stage.tally, meters.SERVING, POOL)
    assert 10.0 == total(stage.tally, meters.IDLE, POOL)
    assert (14.0, 8.0) == (
        total(stage.tally, meters.ARRIVED, POOL),
        total(stage.tally, meters.COMPLETED, POOL),
    )


def test_nobody_is_idle_who_is_not_heard() -> None:
    """Silence is not idleness."""
    stage = Counted()
    stage.journal.nodes = (a_node("n1", state=NodeState.READY),)
    stage.seen = replace(SEEN, sightings=Missing(why="deaf"))
    stage.tick()
    stage.tick(10.0)

    assert 0.0 == total(stage.tally, meters.IDLE, POOL)


def test_calls_are_counted_by_account_kind_and_outcome() -> None:
    """Orders to workers apart: no account is asked for them."""
    tally = Tally(FixedClock())
    provider = Scripted(create=raising(CapacityRefused("none left")))
    calls = Executor(
        providers={CLOUD: provider},
        workers=ScriptedWorkers(),
        render=rendered,
        clock=FixedClock(),
        max_calls=2,
        counted=tally,
    )
    calls.dispatch((a_create("n1"), a_drain("n2")))
    wait_for(lambda: not calls.in_flight(), "calls to end")
    calls.stop(1.0)

    assert 1 == times(tally, meters.PROVIDER_CALL, CLOUD, "create", "capacity_refused")
    assert 1 == times(tally, meters.WORKER_CALL, "drain", "done")


@pytest.mark.parametrize("fails", [True, False])
def test_listings_are_counted_with_the_calls(*, fails: bool) -> None:
    """They are most of what an account is asked."""
    tally = Tally(FixedClock())
    provider = Scripted(listing=raising(ListingUnavailable("no answer"))) if fails else Scripted()
    with test_observe.observer(providers={CLOUD: provider}) as observer:
        observer._meters = tally
        observer.look((), ())

    assert 1 == times(tally, meters.PROVIDER_CALL, CLOUD, "list", meters.FAILED if fails else meters.DONE)


def test_what_is_said_is_counted_where_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Log and metric cannot disagree: also of what is too quiet to be written, and never of what was refused."""
    tally = Tally(FixedClock())
    log = telemetry.open_log(level="error", form="json", counted=tally)
    log.say("journal.recovered")
    with pytest.raises(ValueError, match="carries"):
        log.say("journal.failed")

    assert "" == capsys.readouterr().err
    assert 1.0 == total(tally, meters.EVENT, "journal.recovered")
    assert 0.0 == total(tally, meters.EVENT, "journal.failed")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(says({}), "done"), (says({}, 404), "absent"), (says({}, 500), "refused"), (None, "unreachable")],
)
def test_requests_to_the_broker_are_counted_by_what_became_of_them(
    answer: Answer | None, outcome: str
) -> None:
    """So that a broker that says no is told from one that is away."""
    tally = Tally(SystemClock())
    with serving(lambda _path, _query: answer or says({})) as server:
        url = server.url if answer is not None else f"http://127.0.0.1:{ports.free_port()}"
        api = ManagementAPI(
            url=url,
            username="u",
            password="p",
            ca_file=None,
            timeout_s=2.0,
            clock=SystemClock(),
            counted=tally,
        )
        with contextlib.suppress(FactUnavailable):
            api.get("whoami")
        api.close()

    assert 1 == times(tally, meters.BROKER_REQUEST, "GET", outcome)
