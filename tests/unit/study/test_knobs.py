"""What may be turned at a pool: the knobs of its kinds, today's values among those to try, and what a point writes."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.study.knobs import OF_KIND, Knob, Scale, changes, of_pool, today, turned
from policies.kinds import BUILT_IN

SCALE = Scale(slots=2, target_wait_s=120.0, task_s=20.0, peak=9)


def _pool(*policies: dict[str, Any], **tables: Any) -> dict[str, Any]:
    return {"queues": ["images"], "limits": {"max_workers": 20}, "policies": list(policies), **tables}


def _named(knobs: tuple[Knob, ...], *place: str | int) -> Knob:
    return next(knob for knob in knobs if knob.place == place)


WAIT = {"kind": "wait", "target_wait": "120s"}
STEPS = {
    "kind": "steps",
    "out": [{"above": 8, "add": 2}, {"above": 40, "add": 4}],
    "in": [{"below": 2, "remove": 1}],
}


@pytest.mark.parametrize("kind", sorted(set(BUILT_IN) - {"forecast"}))
def test_every_kind_of_ours_says_which_knobs_it_has(kind: str) -> None:
    """A calendar says that it has none."""
    assert kind in OF_KIND


def test_todays_values_are_among_those_to_try() -> None:
    """As they are written, and in their place among the others."""
    knobs = of_pool(_pool(WAIT, stabilize={"scale_in_window": "7m"}), SCALE)

    assert ("0s", "1m", "2m", "5m", "7m", "10m", "20m", "40m") == _named(
        knobs, "stabilize", "scale_in_window"
    ).values
    assert "120s" == _named(knobs, "policies", 0, "target_wait").values[today(knobs)[0]]
    assert (0, 1, 2, 3, 5, 8) == _named(knobs, "limits", "min_workers").values


def test_messages_per_worker_reach_from_none_waiting_to_all_the_promise_allows() -> None:
    """By the size of the pool's own tasks."""
    table = _pool({"kind": "backlog", "messages_per_worker": 6})
    values = _named(of_pool(table, SCALE), "policies", 0, "messages_per_worker").values

    assert (1.0, 28.0) == (values[0], values[-1])
    assert 6 in values
    assert list(values) == sorted(values)


def test_a_point_writes_the_tables_whole() -> None:
    """What is not turned stays as it is written, and what was not written stays unwritten."""
    table = _pool(WAIT, {"kind": "schedule", "time_zone": "UTC", "windows": []})
    knobs = of_pool(table, SCALE)
    assert {"limits": table["limits"], "policies": table["policies"]} == turned(table, knobs, today(knobs))

    point = list(today(knobs))
    place = next(number for number, knob in enumerate(knobs) if knob.place == ("limits", "min_workers"))
    point[place] = 2
    said = turned(table, knobs, tuple(point))
    assert {"max_workers": 20, "min_workers": 2} == said["limits"]
    assert {"limits.min_workers": 2} == changes(knobs, tuple(point))
    assert {"max_workers": 20} == table["limits"]


def test_steps_are_scaled_as_a_whole() -> None:
    """Begun earlier or later, smaller or larger; none of them adds nobody."""
    knobs = of_pool(_pool(STEPS), SCALE)
    tried = _named(knobs, "policies", 0, "out").values

    assert STEPS["out"] in tried
    assert [{"above": 2, "add": 1}, {"above": 10, "add": 2}] in tried
    assert all(step["add"] >= 1 for steps in tried for step in steps)
    assert all(step["below"] >= 1 for steps in _named(knobs, "policies", 0, "in").values for step in steps)


def test_a_limit_that_is_written_is_never_taken_out() -> None:
    """A fragment laid over a configuration cannot say that a key is to go."""
    free = _named(of_pool(_pool(WAIT), SCALE), "stabilize", "max_step_in")
    bound = _named(of_pool(_pool(WAIT, stabilize={"max_step_in": 3}), SCALE), "stabilize", "max_step_in")

    assert (1, 2, 4, None) == free.values
    assert (1, 2, 3, 4, 9) == bound.values


@pytest.mark.parametrize(("quantum", "now"), [("1h", "300s"), ("1m", "90s")])
def test_a_window_that_is_not_written_is_what_the_billing_makes_it(quantum: str, now: str) -> None:
    """The search begins at what the daemon does, not at what it would do with other machines."""
    knobs = of_pool(_pool(WAIT, offers=[{"billing_quantum": quantum}]), SCALE)
    window = _named(knobs, "stabilize", "scale_in_window")

    assert now == window.values[window.now]
