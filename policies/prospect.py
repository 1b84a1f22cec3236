"""A pool's past in slices, and what it says of the time to come: values, as parts of a decision's history.

Slices are counted tick by tick and kept; `policies.seasons` makes a `Prospect` of them, and the policy `forecast`
reads it. What never happens here: a judgement.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What came to a pool in one slice of its past, of `policies.seasons.SLICE_S` seconds."""

    since_at: float
    arrived: float
    looked_s: float
    """Seconds of it in which arrivals were counted: what nobody looked at is unknown, not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the past says of the time to come, by the one of its methods that is believed."""

    says: str
    """The method in words: `as yesterday at this time`."""
    per_s: tuple[float, ...]
    """Arrivals a second in each slice, the present one first; 0 where no more are foreseen than came lately."""
    error: float
    """Of the method, where it said more than the present did: the sum of its errors ÷ what came."""
    present_error: float
    """Of the present, over the same slices."""
    slices: int
    """How many these were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a pool's past says of its next hour. `policies.seasons` makes it, once a slice."""

    from_at: float
    """When the present slice began."""
    slice_s: float
    soon: Foreseen | None = None
    """For as long as a machine takes to boot; None where no method is believed."""
    later: Foreseen | None = None
    """For as long as a machine is paid; None where no method is believed, and where that is shorter."""
    why: str = ""
    """Why nothing is foreseen at all; else empty."""
