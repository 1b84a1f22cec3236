"""The API as its own description tells it: whatever is asked by it, or against it, no answer is our failure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.stage import Stage
from tests.integration.web.served import TOKEN, get, serving, url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
SETTINGS = """
[checks]
# 413, which it does not know as a refusal: what is too long is refused before anybody reads it.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 422]
# A what-if that is stopped is on record like any other that ended.
use_after_free.enabled = false
"""


def test_nothing_that_the_description_allows_or_forbids_is_answered_by_a_failure(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """Checked besides: each answer is one that the description tells, in its shape, and orders need the token."""
    stage = serving(set_stage)
    stage.send(dict.fromkeys(range(4), 2.0))
    stage.wait_until_serving(1)

    (tmp_path / "schemathesis.toml").write_text(SETTINGS)

    done = subprocess.run(
        [
            SCHEMATHESIS, "run", url(stage, "/api/v1/openapi.json"),
            "--header", f"Authorization: Bearer {TOKEN}",
            "--exclude-path", "/api/v1/live",  # it does not end
            "--max-examples", "25", "--seed", "7", "--request-timeout", "10", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=270, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout[-6000:]
    assert get(stage, "/healthz").ok
    assert [] == stage.said("tick.failed")
