"""Arbitrary words of machines on their way to become workers, true or not: reports, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from autoscaler.core.facts import Missing
from autoscaler.core.reports import OURS, Boot, Failure, Phase, PhaseTime, Report, Wants
from providers.contract import NodeName
from tests.unit.core.builders import AT

_THEIRS = [phase for phase in Phase if phase not in OURS]

failures = st.builds(Failure, phase=st.sampled_from(_THEIRS), says=st.sampled_from(["", "it broke"]))


@st.composite
def phase_times(draw: st.DrawFn) -> tuple[PhaseTime, ...]:
    """Some phases in their order, each with any times."""
    named = [phase for phase in _THEIRS if draw(st.booleans())]
    seconds = st.sampled_from([0.0, 3.5, 40.0])
    return tuple(
        PhaseTime(phase=phase, from_s=from_s, to_s=from_s + draw(seconds), ok=draw(st.booleans()))
        for phase in named
        for from_s in [draw(seconds)]
    )


@st.composite
def reports(draw: st.DrawFn, node: NodeName) -> Report:
    """What that machine says."""
    return Report(
        node=node,
        heard_at=AT - draw(st.sampled_from([0.0, 5.0, 900.0])),
        uptime_s=draw(st.sampled_from([0.0, 45.0, 1e7])),
        phases=draw(phase_times()),
        failed=draw(st.none() | failures),
        log=("gave up",),
        wants=draw(st.none() | st.sampled_from(Wants)),
    )


@st.composite
def heard_reports(draw: st.DrawFn, names: Sequence[NodeName]) -> Mapping[NodeName, Report] | Missing:
    """Of some of them; or nobody can be heard."""
    if draw(st.sampled_from([True, False, False, False])):
        return Missing(why="drawn so")
    return {name: draw(reports(name)) for name in names if draw(st.booleans())}


@st.composite
def boots(draw: st.DrawFn, names: Sequence[NodeName]) -> Mapping[NodeName, Boot]:
    """What was known of some of them before."""
    return {
        name: Boot(
            power_at=draw(st.sampled_from([None, AT - 60.0])),
            phases=draw(phase_times()),
            failed=draw(st.none() | failures),
            worker_started=draw(st.booleans()),
            task_at=draw(st.sampled_from([None, AT - 1.0])),
            learned=draw(st.booleans()),
        )
        for name in names
        if draw(st.booleans())
    }
