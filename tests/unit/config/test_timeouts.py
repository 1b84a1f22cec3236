"""How long a machine may take to become a worker: learned, or a number; and what becomes of either in the core."""

from __future__ import annotations

import pytest

from autoscaler import config, pool_rules
from autoscaler.config import ConfigError
from autoscaler.core.model import Timeouts
from tests.unit.config.documents import ENVIRON, a_document, settings


def written(lines: str) -> tuple[str, str]:
    return ("[pools.images.limits]", f"[pools.images.timeouts]\n{lines}\n\n[pools.images.limits]")


def times(lines: str) -> Timeouts:
    return pool_rules.of("images", settings(written(lines)).pools["images"]).timeouts


@pytest.mark.parametrize(
    ("lines", "first_s", "most_s"),
    [
        ("", 600.0, 1_800.0),
        ('enrol = "learned"', 600.0, 1_800.0),
        ('enrol_most = "1h"', 600.0, 3_600.0),
        ('enrol_most = "5m"', 300.0, 300.0),
        ('enrol = "10m"', None, 600.0),
        ('enrol = "45m"', None, 2_700.0),
    ],
)
def test_a_number_is_obeyed_and_else_it_is_learned_within_bounds(
    lines: str, first_s: float | None, most_s: float
) -> None:
    """Where nothing is known, ten minutes; where a number is written, nothing is learned."""
    found = times(lines)

    assert (first_s, most_s) == (found.enrol_first_s, found.enrol_s)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('enrol = "10m"\nenrol_most = "1h"', 'expected enrol = "learned", or no enrol_most'),
        ('enrol = "soon"', 'or "learned"'),
        ("enrol = 600", 'If seconds are meant, write "600s"'),
        ('enrol = "0s"', 'expected a duration from 1s to 4w, or "learned"'),
        ('enrol_most = "learned"', "expected a duration in quotes"),
    ],
)
def test_what_cannot_be_meant_is_refused(lines: str, says: str) -> None:
    """A bound of nothing, and a word that is none."""
    with pytest.raises(ConfigError) as refused:
        config.parse(a_document(written(lines)), ENVIRON)

    assert says in str(refused.value)
