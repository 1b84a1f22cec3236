"""Laws of what is learned of boots: always within what the operator wrote, and never a lock that none gets out of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import learned
from autoscaler.core.learned import Learned

lengths = st.floats(0.0, 10_000.0)
anything = st.floats() | lengths
kinds = st.sampled_from(["", "old", "new"])


@st.composite
def known(draw: st.DrawFn) -> Learned:
    """Whatever a row of the journal may hold."""
    return Learned(
        took_s=tuple(draw(st.lists(lengths, max_size=20))),
        becomes=draw(kinds),
        at_least_s=draw(lengths),
        changed=draw(st.booleans()),
    )


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, float]:
    """As an operator may write them, however they fit."""
    most_s = draw(st.floats(1.0, 5_000.0))
    return {
        "first_s": draw(st.floats(1.0, most_s)),
        "least_s": draw(st.floats(1.0, 5_000.0)),
        "most_s": most_s,
    }


@given(known(), bounds(), st.booleans())
def test_it_is_never_below_the_floor_nor_above_what_is_written(
    of: Learned, within: dict[str, float], alike: bool
) -> None:
    """What is written wins where the two do not agree."""
    late_s = learned.late_after_s(of, alike=alike, **within)

    assert min(within["least_s"], within["most_s"]) <= late_s <= within["most_s"]


@given(known(), bounds())
def test_another_kind_is_never_given_less(of: Learned, within: dict[str, float]) -> None:
    """Doubt lengthens the time."""
    alike, other = (learned.late_after_s(of, alike=known, **within) for known in (True, False))

    assert other >= alike


@given(known(), bounds(), st.booleans())
def test_after_one_that_was_late_the_next_has_twice_the_time_or_all_of_it(
    of: Learned, within: dict[str, float], alike: bool
) -> None:
    """So as many as fit between floor and ceiling by doubling are cut off in a row, and no more."""
    before_s = learned.late_after_s(of, alike=alike, **within)
    after = learned.with_late(of, before_s, most_s=within["most_s"])

    assert learned.late_after_s(after, alike=alike, **within) >= min(within["most_s"], 2 * before_s)


@given(known(), st.lists(anything, max_size=30), kinds, bounds())
def test_whatever_is_learned_stays_within_bounds_of_its_own(
    of: Learned, took_s: list[float], kind: str, within: dict[str, float]
) -> None:
    """At most twenty lengths, each a number that can be; what is of another kind is not among them."""
    after = learned.with_boots(of, took_s, becomes=kind, most_s=within["most_s"])

    assert len(after.took_s) <= 20
    assert all(0.0 <= s for s in after.took_s)
    if after.becomes != of.becomes:
        assert all(s <= within["most_s"] + 0.01 for s in after.took_s)
    assert learned.late_after_s(after, alike=True, **within) <= within["most_s"]


@given(st.lists(lengths, min_size=1, max_size=20), st.floats(0.1, 10.0))
def test_boots_of_another_scale_give_a_time_of_that_scale(took_s: list[float], factor: float) -> None:
    """Nothing in it is of a certain length but its bounds."""
    one, other = learned.estimate_s(took_s), learned.estimate_s([s * factor for s in took_s])

    assert one is not None
    assert other is not None
    assert abs(other - one * factor) <= 1e-6 * (1.0 + other)


@given(st.lists(lengths, min_size=1, max_size=20))
def test_whatever_comes_next_like_nearly_all_before_is_in_time(took_s: list[float]) -> None:
    """Twice over; and so is the average."""
    estimate_s = learned.estimate_s(took_s)

    assert estimate_s is not None
    assert estimate_s + 1e-9 >= 2 * sorted(took_s)[int(0.95 * (len(took_s) - 1))]
