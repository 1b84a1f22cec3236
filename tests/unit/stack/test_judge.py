"""The judge of the example's load: what went well is told so, and each thing that did not is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from judge import Load, Sample, failures, percentile, record

IDS = [f"{number:032x}" for number in range(10)]


def _answer(number: int, **other: Any) -> Mapping[str, object]:
    fine = {"status": 202, "upload": IDS[number], "sha256": f"sha {number}", "seconds": 0.01, "late_s": 0.001}
    return {**fine, **other}


def _sample(at_s: float, serving: int, arriving: int = 0) -> Sample:
    return Sample(at_s=at_s, waiting=7, in_progress=0, serving=serving, arriving=arriving, leaving=0, lost=0)


GOOD = Load(
    rate_per_s=5.0,
    seconds=2.0,
    answers=[_answer(number) for number in range(10)],
    results={upload: f"sha {number}" for number, upload in enumerate(IDS)},
    acts=[(upload, "recorded") for upload in IDS],
    handed_on=1,
    samples=[_sample(0, 0), _sample(1, 0, 2), _sample(2, 2), _sample(3, 0)],
    ceiling=2,
    kills=[{"node": 1, "at_s": 1.0}],
)


def test_a_load_that_kept_every_promise_has_no_failure() -> None:
    """All answers are 202, all is processed once, and the pool went to its ceiling and back."""
    assert [] == failures(GOOD)
    assert {"first": 0, "highest_serving": 2, "highest": 2, "last": 0, "ceiling": 2} == record(GOOD)["pool"]
    assert {"202": 10} == record(GOOD)["answers"]


def test_a_task_that_was_delivered_twice_and_left_one_result_is_no_failure() -> None:
    """At least once is what the broker promises; what counts is what stays."""
    twice = replace(GOOD, acts=[*GOOD.acts, (IDS[3], "again")])

    assert [] == failures(twice)
    assert 1 == record(twice)["delivered_again"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"answers": GOOD.answers[:9]}, "9 of 10 uploads were sent"),
        ({"answers": [*GOOD.answers[:9], _answer(9, status=502)]}, "1 uploads were answered with something else"),
        (
            {"answers": [*GOOD.answers[:9], {"sha256": "sha 9", "error": "reset", "seconds": 1.0, "late_s": 0.0}]},
            "1 uploads were answered with something else",
        ),
        ({"answers": [*GOOD.answers[:9], _answer(9, seconds=0.1)]}, "is 100.0 ms"),
        ({"answers": []}, "is None ms"),
        ({"results": dict(list(GOOD.results.items())[:8])}, "2 uploads were answered with 202 and not processed"),
        ({"answers": [*GOOD.answers[:9], _answer(9, upload=IDS[0])]}, "1 uploads were answered with 202 and not"),
        ({"acts": [*GOOD.acts, (IDS[3], "recorded")]}, "1 uploads were processed twice"),
        ({"results": {**GOOD.results, "f" * 32: "sha 4"}}, "1 uploads were processed twice"),
        ({"results": {**GOOD.results, IDS[0]: "other"}}, "1 uploads were not processed as they were sent"),
        ({"samples": GOOD.samples[1:]}, "began with 2"),
        ({"samples": []}, "began with None"),
        ({"samples": [_sample(0, 0), _sample(2, 1), _sample(3, 0)]}, "1 workers served at most"),
        ({"samples": GOOD.samples[:3]}, "ended with 2"),
        ({"kills": []}, "no application process was killed"),
    ],
)  # fmt: skip
def test_each_broken_promise_is_found(changed: dict[str, Any], says: str) -> None:
    """One thing is otherwise than it should be, and a sentence tells it."""
    assert any(says in failure for failure in failures(replace(GOOD, **changed)))


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The smallest one that so large a share does not pass."""
    values = [float(number) for number in range(1, 101)]

    assert (50.0, 99.0, 100.0) == tuple(percentile(values, share) for share in (0.5, 0.99, 1.0))
    assert 7.0 == percentile([7.0], 0.99)
    assert percentile([], 0.5) is None
