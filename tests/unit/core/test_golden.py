"""What a golden image saves: the part of packages and application in which nothing else was waited for."""

from __future__ import annotations

import pytest

from autoscaler.core.golden import saving
from autoscaler.core.reports import Phase, PhaseTime


def a_boot(
    *, broker_to_s: float = 21.0, packages_s: float = 41.0, application_s: float = 63.0
) -> tuple[PhaseTime, ...]:
    """Ordered 20 s before its power; packages from second 20 on; heard five seconds after application and broker."""
    after_s = 20.0 + packages_s
    ready_s = max(after_s + application_s, broker_to_s)
    spans = {
        Phase.MACHINE: (-20.0, 0.0),
        Phase.BOOTED: (0.0, 19.0),
        Phase.NETWORK: (19.0, 19.5),
        Phase.DISK: (19.0, 20.0),
        Phase.PACKAGES: (20.0, after_s),
        Phase.APPLICATION: (after_s, after_s + application_s),
        Phase.BROKER: (20.0, broker_to_s),
        Phase.WORKER: (ready_s, ready_s + 5.0),
        Phase.HEARTBEAT: (ready_s + 5.0, ready_s + 7.0),
    }
    return tuple(PhaseTime(phase=phase, from_s=from_s, to_s=to_s) for phase, (from_s, to_s) in spans.items())


@pytest.mark.parametrize(
    ("broker_to_s", "saved_s"),
    [
        (20.0, 104.0),
        (21.0, 103.0),
        (61.0, 63.0),
        (100.0, 24.0),
        (124.0, 0.0),
        (300.0, 0.0),
    ],
)
def test_what_ran_beside_the_broker_is_not_saved(broker_to_s: float, saved_s: float) -> None:
    """The worker would have waited for the broker anyway."""
    found = saving([a_boot(broker_to_s=broker_to_s)])

    assert found is not None
    assert (saved_s, saved_s) == found.saved_s
    assert found.whole_s[0] - saved_s == found.then_s[0]
    assert (41.0, 63.0) == (found.packages_s[0], found.application_s[0])


def test_a_boot_that_saved_nothing_is_as_long_as_it_was() -> None:
    """Each boot is compared with itself, and only then the middle is taken."""
    found = saving([a_boot(broker_to_s=300.0), a_boot(), a_boot(broker_to_s=20.0)])

    assert found is not None
    assert (3, 151.0, 103.0, 48.0) == (found.boots, found.whole_s[0], found.saved_s[0], found.then_s[0])
    assert found.then_s[1] > 270.0


def test_an_image_that_has_everything_is_known_by_its_boots() -> None:
    """Where packages and application take no time there is nothing to save."""
    golden, plain = saving([a_boot(packages_s=0.1, application_s=0.0)]), saving([a_boot(application_s=0.0)])

    assert golden is not None
    assert plain is not None
    assert (True, False) == (golden.is_golden, plain.is_golden)


@pytest.mark.parametrize("missing", [Phase.MACHINE, Phase.PACKAGES, Phase.BROKER, Phase.HEARTBEAT])
def test_of_boots_that_are_not_known_whole_nothing_is_guessed(missing: Phase) -> None:
    """A machine that never became a worker says nothing of how long it would have taken."""
    assert saving([tuple(time for time in a_boot() if time.phase is not missing)]) is None
    assert saving([]) is None
