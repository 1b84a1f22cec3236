"""Laws of machines' own words, however odd: they move nobody but who spoke, and nobody who may be at work."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, find, given, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st

from autoscaler.core.facts import Idleness, Missing, Sightings, Snapshot, Unconnected
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Transition
from autoscaler.core.reconcile import reconcile
from autoscaler.core.reports import Phase, Report
from autoscaler.gateways import enrolment_reports
from providers.contract import NodeName
from tests.fuzz import odd
from tests.property.core_strategies import Rulings, rulings, snapshots
from tests.property.said_strategies import reports
from tests.unit.gateways.said_by_machines import TOKENS, failed, said

much = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


unheard = Sightings(listening_s=1_000.0, workers={})
words = st.sampled_from([Unconnected(why="nobody"), Unconnected(why="nobody"), Missing(why="down"), 0, 1])


@st.composite
def ticks(draw: st.DrawFn) -> tuple[Snapshot, Rulings]:
    """Any picture in which many machines boot, and many of them say that they failed."""
    drawn = draw(snapshots())
    nodes = tuple(
        replace(node, state=NodeState.BOOTING, confirmed_on=None, stop_due=False, stopped_at=None)
        if draw(st.booleans())
        else node
        for node in drawn.nodes
    )
    booting = [node.name for node in nodes if node.state is NodeState.BOOTING]
    heard = {} if isinstance(drawn.reports, Missing) else drawn.reports
    failing = {name: draw(reports(name)) for name in booting if draw(st.booleans())}
    snapshot = replace(
        drawn,
        nodes=nodes,
        idleness={
            **drawn.idleness,
            **{
                n: Idleness(age_s=0.0, hands=Missing(why="no answer"), unacknowledged=draw(words))
                for n in booting
            },
        },
        sightings=draw(st.sampled_from([unheard, unheard, drawn.sightings])),
        reports=draw(st.sampled_from([{**heard, **failing}, {**heard, **failing}, drawn.reports])),
    )
    return snapshot, draw(rulings(snapshot))


def ends_by_own_word(tick: tuple[Snapshot, Rulings]) -> list[Transition]:
    """The moves that machines' own words made."""
    snapshot, ruled = tick
    told = reconcile(snapshot, ruled.pools, ruled.fleet).transitions
    return [move for move in told if move.event is Event.ENROL_FAILED]


def test_pictures_are_drawn_in_which_words_end_somebody() -> None:
    """Else the laws below would say nothing."""
    # The first will do: the smallest of such pictures takes minutes to find.
    any_one = settings(much, max_examples=2_000, database=None, phases=(Step.generate,))
    found = find(ticks(), ends_by_own_word, settings=any_one)

    assert ends_by_own_word(found)


def unsaid(snapshot: Snapshot, keep: NodeName | None = None) -> Snapshot:
    """The same tick on which nobody, or nobody but that one, said anything; not before it either."""
    heard = {} if isinstance(snapshot.reports, Missing) else snapshot.reports
    memory = snapshot.memory
    return replace(
        snapshot,
        reports={name: report for name, report in heard.items() if name == keep},
        memory=replace(memory, booting={n: boot for n, boot in memory.booting.items() if n == keep}),
    )


@much
@given(ticks())
def test_words_change_nothing_but_the_end_of_who_said_them(tick: tuple[Snapshot, Rulings]) -> None:
    """Every record that was not ended as failed is as if nobody had said anything."""
    snapshot, ruled = tick
    after = reconcile(snapshot, ruled.pools, ruled.fleet)
    silent = {n.name: n for n in reconcile(unsaid(snapshot), ruled.pools, ruled.fleet).nodes}
    ended = {told.node for told in after.transitions if told.event is Event.ENROL_FAILED}

    for node in after.nodes:
        assert node.name in ended or node == silent[node.name]


@much
@given(ticks())
def test_nobody_ends_by_anothers_word(tick: tuple[Snapshot, Rulings]) -> None:
    """What becomes of a machine rests on its own word alone."""
    snapshot, ruled = tick
    after = {n.name: n for n in reconcile(snapshot, ruled.pools, ruled.fleet).nodes}

    for node in snapshot.nodes:
        alone = reconcile(unsaid(snapshot, node.name), ruled.pools, ruled.fleet)
        assert after[node.name] == next(n for n in alone.nodes if n.name == node.name)


@much
@given(ticks())
def test_who_ends_by_its_own_word_cannot_be_at_work(tick: tuple[Snapshot, Rulings]) -> None:
    """It boots, said that it failed and never that it started a worker, none was heard, and none is connected."""
    snapshot, ruled = tick
    nodes = {node.name: node for node in snapshot.nodes}
    heard = {} if isinstance(snapshot.reports, Missing) else snapshot.reports
    for told in ends_by_own_word((snapshot, ruled)):
        node, last = nodes[told.node], heard.get(told.node) or snapshot.memory.booting[told.node]
        before = snapshot.memory.booting.get(told.node)
        assert told.before is NodeState.BOOTING
        assert last.failed is not None
        assert not last.worker_started
        assert before is None or not before.worker_started
        assert not isinstance(snapshot.sightings, Missing)
        assert node.worker not in snapshot.sightings.workers
        assert isinstance(snapshot.idleness[node.name].unacknowledged, Unconnected)


def taken(body: bytes) -> Report | None:
    """The report, or None where the message is dropped; nothing else may come of it."""
    why = ""
    try:
        return enrolment_reports.read(body, TOKENS, 1.0)
    except enrolment_reports.Refused as refused:
        why = str(refused)
    assert TOKENS.of("node-1") not in why
    return None


good = st.sampled_from(
    [said(wants="grant"), said(**failed()), said("node-2", **failed("disk", log=["a"] * 9))]
)


@given(good.flatmap(odd.bodies))
def test_whatever_is_published_is_one_nodes_own_word_or_nothing(body: bytes) -> None:
    """However it is spoiled: what is taken is within bounds, and bears the token of the node that it names."""
    report = taken(body)
    if report is None:
        return
    assert TOKENS.of(report.node) in body.decode()
    assert len(report.phases) <= len(Phase)
    assert all(0.0 <= time.from_s <= time.to_s <= report.uptime_s + 1.0 for time in report.phases)
    assert len(report.log) <= enrolment_reports.LOG_LINES
    assert sum(len(line.encode()) + 1 for line in report.log) <= enrolment_reports.LOG_BYTES
    shown = "".join((*report.log, report.failed.says if report.failed else "", report.node))
    assert shown == "" or shown.isprintable()


@given(st.text(max_size=12), st.text(max_size=12))
def test_one_nodes_token_is_no_others(one: str, other: str) -> None:
    """Whatever both are called."""
    assert (one == other) == TOKENS.prove(other, TOKENS.of(one))
