"""Rules about machines' own words, each broken as an honest programmer might break it: who is believed, and how far.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from typing import Any

from autoscaler.core import enrolment, invariants
from autoscaler.core.reports import Boot, Failure
from autoscaler.simulate.sabotage_parts import Parts
from autoscaler.tokens import Tokens


def takes_any_token(parts: Parts) -> None:
    """Whoever has a token is one of our machines, and they do not lie."""
    parts.put(Tokens, "prove", lambda _self, _node, token: bool(token))


def believes_a_machine_that_says_it_failed(parts: Parts) -> None:
    """It must know best: what would a worker do on a machine that failed?"""

    def failure(boot: Boot | None, *_: Any) -> Failure | None:
        return None if boot is None else boot.failed

    parts.put(enrolment, "failure", failure)
    parts.put(invariants, "_own_words_end_nobody_at_work", lambda *_: None)
