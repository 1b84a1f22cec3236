"""What keeps a pool from growing although its policies ask: more workers would not help, or only fail more often.

Neither takes anybody in. What is wanted already may be replaced; the floors of limits and calendar and an operator's
word go before. The facts and the number so far go in, the `Step` that changes it comes out, as with the rules of
`stabilize`. What never happens here: a measurement (`growth` and `redelivery` make them), memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies import redelivery
from policies.contract import DecisionInput, Recommendation, Rule, Step
from policies.phrases import count, duration, plain
from policies.stabilize import RuleFunction


def guards(proposals: Sequence[Recommendation]) -> tuple[RuleFunction, ...]:
    """The rules, where these are the policies' wishes."""
    firm = max((p.workers or 0 for p in proposals if p.firm), default=0)

    def not_helping(given: DecisionInput, workers: int) -> Step | None:
        """No more than there are, or than the fewer that completed as much."""
        brake = given.history.traffic.growth.brake
        if brake is None:
            return None
        most = max(_kept(given), brake.few, brake.tried or 0, firm)
        if workers <= most:
            return None
        seen = (
            f"{count(brake.few, 'worker')} completed {_rate(brake.few_per_s)} tasks a second, {brake.many} complete"
            f" {_rate(brake.many_per_s)}"
        )
        then = (
            f"more would not help; a few more are tried in {duration(brake.left_s)}"
            if brake.tried is None
            else f"{most} are tried for {duration(brake.left_s)}"
        )
        return Step(rule=Rule.NOT_HELPING, before=workers, after=most, why=f"{seen}: {then}")

    def redelivered(given: DecisionInput, workers: int) -> Step | None:
        """No more than there are while much of what is delivered was delivered before."""
        seen = given.history.traffic.redeliveries
        most = max(_kept(given), seen.tried or 0, 1, firm)
        if not seen.high or workers <= most:
            return None
        now = redelivery.lately(seen.minutes)
        why = (
            f"{now.redelivered:.0f} of {now.delivered:.0f} deliveries in {duration(now.seconds)} were not the first:"
            " tasks end their workers or are held for too long, and more workers would fail more often;"
        )
        then = (
            f"a few more are tried in {duration(seen.left_s)}"
            if seen.tried is None
            else f"{most} are tried for {duration(seen.left_s)}"
        )
        return Step(rule=Rule.REDELIVERED, before=workers, after=most, why=f"{why} {then}")

    return (not_helping, redelivered)


def _kept(given: DecisionInput) -> int:
    """The number that stands, so that whoever died is replaced; what is there, where that is more."""
    return max(given.history.standing(given.supply), given.supply.workers)


def _rate(per_s: float) -> str:
    return plain(float(f"{per_s:.2g}"))
