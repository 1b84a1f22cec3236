"""A seed is the same life wherever it is lived: else a failure could not be seen again."""

from __future__ import annotations

import os
import subprocess
import sys

from autoscaler.simulate.ledger import DURABLE_EVERY
from tests.tidy.repository import ROOT

DURABLE = DURABLE_EVERY - 1
"""A life that is lived with the real journal, whose rows must come back in one order, too."""
LIVES = f"""
from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.run import play
for seed in (1, {DURABLE}):
    life = play(Scenario(seed=seed))
    print(life.counts, life.harm, sorted(life.struck), *life.story, sep="\\n")
"""


def test_a_seed_is_the_same_life_in_every_process() -> None:
    """Python orders sets of strings otherwise in each process; nothing in a life may depend on that."""
    told = [
        subprocess.run(
            [sys.executable, "-c", LIVES],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for hash_seed in (1, 2)
    ]

    assert told[0].splitlines() == told[1].splitlines()
