"""docs/deciding.md tells the truth: its example is replayed, and its chain names every rule."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from policies.contract import Decision, History, Limits, Past, Rule, Stabilization
from policies.decide import decide
from tests.unit.policies.builders import NOW, a_demand, a_supply, an_input

PAGE = (Path(__file__).parents[3] / "docs" / "deciding.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) s \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| `(\w+)`", re.MULTILINE)
TICK_S = 10


def test_the_example_is_what_happens() -> None:
    """Each row stands until the next; every tick of ten seconds is decided with the default stabilization."""
    rows = [(int(at), int(waiting), int(hand), row) for *row, at, waiting, hand in _rows()]
    told = {at: row for at, _, _, row in rows}
    seen: dict[int, list[str]] = {}
    past: tuple[Past, ...] = ()
    wanted = 0
    for at in range(0, rows[-1][0] + TICK_S, TICK_S):
        _, waiting, in_hand, _ = [row for row in rows if row[0] <= at][-1]
        decision = _decided(at, waiting, in_hand, wanted, past)
        wanted = decision.wanted
        past = (
            *past,
            Past(at=NOW + at, recommended=decision.recommended, wanted=wanted, workers=wanted),
        )
        seen[at] = [str(decision.recommended), str(wanted), decision.binding]

    assert told
    assert told == {at: seen[at] for at in told}


def test_every_rule_is_on_the_page() -> None:
    """The words of `why` can be looked up."""
    assert [] == [rule for rule in Rule if rule is not Rule.PROPOSALS and f"`{rule}`" not in PAGE]


def _rows() -> list[tuple[str, ...]]:
    return [
        (asked, number, rule, at, waiting, hand)
        for at, waiting, hand, asked, number, rule in ROW.findall(PAGE)
    ]


def _decided(at: float, waiting: int, in_hand: int, workers: int, past: tuple[Past, ...]) -> Decision:
    given = an_input(
        at=NOW + at,
        demand=a_demand(waiting, in_hand),
        supply=a_supply(workers),
        history=History(past=past, good_looks=100),
        limits=Limits(max_workers=4),
    )
    return decide(replace(given, stabilization=Stabilization()))
