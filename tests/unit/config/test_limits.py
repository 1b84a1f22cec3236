"""How old a machine may be, as written."""

from __future__ import annotations

import pytest

from autoscaler import config, pool_rules
from autoscaler.config import ConfigError
from tests.unit.config.documents import ENVIRON, a_document, settings


def aged(age: str) -> tuple[str, str]:
    return ("[pools.images.limits]", f'[pools.images.limits]\nmax_age = "{age}"')


@pytest.mark.parametrize(
    ("age", "seconds"), [("0s", 0.0), ("1h", 3_600.0), ("90m", 5_400.0), ("30d", 2_592_000.0)]
)
def test_an_age_is_obeyed_and_none_is_no_limit(age: str, seconds: float) -> None:
    """`0s` says that machines may be as old as they like."""
    assert seconds == pool_rules.of("images", settings(aged(age)).pools["images"]).max_age_s


@pytest.mark.parametrize("age", ["1ms", "1s", "59m", "3599s"])
def test_an_age_at_which_machines_would_come_and_go_all_day_is_refused(age: str) -> None:
    """Each would be paid, replaced by one beside it, and never do an hour's work."""
    with pytest.raises(ConfigError) as refused:
        config.parse(a_document(aged(age)), ENVIRON)

    assert f'"{age}"' in str(refused.value)
    assert "1h at least, or 0s for no limit" in str(refused.value)
