"""Headers say how often an account may still be asked, each cloud in its own way, and are never believed too far."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.contract import RateLimit as Names
from providers.rate_limits import LONGEST_S, read, rest_s

NOW = 1_700_000_000.0
WINDOW = Names(remaining="x-ratelimit-remaining", reset="x-ratelimit-reset")
REFILLING = Names(
    limit="ratelimit-limit", remaining="ratelimit-remaining", reset="ratelimit-reset", refills=True
)


def windowed(remaining: str, reset: str, **more: str):  # type: ignore[no-untyped-def]
    return read({"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset, **more}, WINDOW, NOW)


@pytest.mark.parametrize("reset", [f"{NOW + 90:.0f}", "90"])
def test_a_window_ends_at_an_instant_or_in_so_many_seconds(reset: str) -> None:
    """Both are in use, and no window is as long as an epoch."""
    told = windowed("12", reset)

    assert (12, NOW + 90, NOW, 0.0) == (told.remaining, told.resets_at, told.told_at, told.per_s)
    assert 90.0 == rest_s(told, NOW)


def test_an_instant_is_read_by_the_clock_that_wrote_it() -> None:
    """Ours may be five minutes fast, and would see no window at all."""
    told = windowed("12", f"{NOW - 300 + 90:.0f}", date="Tue, 14 Nov 2023 22:08:20 GMT")

    assert NOW + 90 == told.resets_at


def test_one_that_refills_says_how_fast() -> None:
    """3,600 an hour come back one a second: after a refusal ten seconds are enough to ask again."""
    headers = {
        "ratelimit-limit": "3600",
        "ratelimit-remaining": "0",
        "ratelimit-reset": f"{NOW + 3600:.0f}",
    }

    told = read(headers, REFILLING, NOW)

    assert told is not None
    assert (1.0, 10.0) == (told.per_s, rest_s(told, NOW))


@pytest.mark.parametrize(
    ("remaining", "reset"),
    [
        ("", "90"),
        ("12", ""),
        ("-1", "90"),
        ("nan", "90"),
        ("12", "inf"),
        ("12", "tomorrow"),
        ("12", "-5"),
        ("1e999", "9"),
    ],
)
def test_what_is_no_number_says_nothing(remaining: str, reset: str) -> None:
    """Nothing is held back on a word that nobody can read."""
    assert windowed(remaining, reset) is None


def test_a_cloud_without_such_headers_says_nothing() -> None:
    """Names are empty where a dialect has none, whatever else its answers hold."""
    assert read({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "7"}, Names(), NOW) is None


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_written_the_word_is_bounded(limit: str, remaining: str, reset: str, date: str) -> None:
    """No header ends a call, and none binds for longer than an hour."""
    headers = {
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": reset,
        "date": date,
    }
    told = read(headers, REFILLING, NOW)

    assert told is None or (
        told.remaining >= 0
        and NOW <= told.resets_at <= NOW + LONGEST_S
        and 0.0 <= told.per_s < math.inf
        and 0.0 <= rest_s(told, NOW) <= LONGEST_S
    )


@given(st.floats(0, 1e300), st.floats(0, 1e300), st.floats(0, 1e300))
def test_no_number_is_too_large(limit: float, remaining: float, reset: float) -> None:
    """Far futures and full accounts are bounded, too."""
    headers = {
        "ratelimit-limit": repr(limit),
        "ratelimit-remaining": repr(remaining),
        "ratelimit-reset": repr(reset),
    }
    told = read(headers, REFILLING, NOW)

    assert told is not None
    assert told.remaining <= 1_000_000
    assert NOW <= told.resets_at <= NOW + LONGEST_S
