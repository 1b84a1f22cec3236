"""The policy `steps`: "when it fills up, spin up two more". Thresholds on the waiting messages, each with its step.

    out  backlog > above   max(standing, serving + add)              the highest threshold passed wins
    in   backlog < below   min(standing, workers) − remove           the lowest threshold passed wins
    else                   standing, or no opinion without `in`

`standing` is the number wanted last, as a cloud's "desired capacity": a machine that died is replaced. The rules are
those of AWS step scaling. A step out counts from the *serving* workers: machines that still boot already answer the
wish, and it is not asked for again on every tick until they serve. A step in waits until nothing is arriving; its pace
is set by the scale-in window and cooldown.

With `in` this policy owns both directions: between the thresholds it asks for the number that stands, and another
policy can only ask for more. Without `in` it only ever adds and is silent below its thresholds: the other policies then
decide, and when there are none the number stays. (Silence between the thresholds *and* a wish below them would not do:
a rising backlog would silence the wish and so lower the number.) What never happens here: proportion, or memory of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from policies.contract import Demand, History, Policy, Recommendation, Supply
from policies.options import Options
from policies.phrases import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """More than `above` messages waiting: `add` workers to those that serve."""

    above: int
    add: int


@dataclass(frozen=True, slots=True, kw_only=True)
class In:
    """Fewer than `below` messages waiting: `remove` workers from those there are."""

    below: int
    remove: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Both tuples in order of their thresholds, with steps that grow the further the threshold."""

    out: tuple[Out, ...]
    into: tuple[In, ...] = ()

    @property
    def name(self) -> str:
        return "steps"

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """Never falls when messages are added."""
        standing = history.standing(supply)
        rise = next((step for step in reversed(self.out) if demand.backlog > step.above), None)
        if rise is not None:
            return self._rise(rise, demand, supply, standing)
        fall = next((step for step in self.into if demand.backlog < step.below), None)
        if fall is not None:
            return self._fall(fall, demand, supply, standing)
        return Recommendation(
            policy=self.name,
            workers=standing if self.into else None,
            why=f"{demand.backlog} waiting passes no threshold"
            + (f": {standing} stays" if self.into else ""),
            would_change=self._next_out(demand.backlog),
        )

    def _rise(self, step: Out, demand: Demand, supply: Supply, standing: int) -> Recommendation:
        wanted = max(standing, supply.serving + step.add)
        why = f"more than {step.above} waiting adds {step.add} to {supply.serving} serving"
        if wanted > supply.serving + step.add:
            why = f"more than {step.above} waiting, and {standing} already stand against it"
        return Recommendation(
            policy=self.name,
            workers=wanted,
            why=why,
            would_change=self._next_out(demand.backlog)
            or f"{step.above} waiting or fewer would end the step",
        )

    def _fall(self, step: In, demand: Demand, supply: Supply, standing: int) -> Recommendation:
        if supply.arriving:
            coming = count(supply.arriving, "worker")
            return Recommendation(
                policy=self.name,
                workers=standing,
                why=f"fewer than {step.below} waiting, but {coming} still arriving: {standing} stays",
                would_change=f"nothing arriving any more would remove {step.remove}",
            )
        return Recommendation(
            policy=self.name,
            workers=max(min(standing, supply.workers) - step.remove, 0),
            why=f"fewer than {step.below} waiting removes {step.remove} from {supply.workers}",
            would_change=f"{count(step.below - demand.backlog, 'more message')} would stop the removing",
        )

    def _next_out(self, backlog: int) -> str:
        step = next((step for step in self.out if backlog <= step.above), None)
        if step is None:
            return ""
        more = step.above + 1 - backlog
        return f"{count(more, 'more message')} would add {step.add}"


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `out = [{above, add}, …]` and, optionally, `in = [{below, remove}, …]`, in any order.

    Refused besides wrong types: a threshold given twice, a further threshold with a smaller step, and an `in` that
    begins above an `out`: slips, of which some would let more messages mean fewer workers. Raises `PolicyOptionsWrong`.
    """
    read = Options(options)
    out: list[Out] = []
    for row in read.rows("out", required=True):
        out.append(Out(above=row.whole("above", least=0), add=row.whole("add", least=1)))
        row.close()
    into: list[In] = []
    for row in read.rows("in", required=False):
        into.append(In(below=row.whole("below", least=1), remove=row.whole("remove", least=1)))
        row.close()
    out.sort(key=lambda step: step.above)
    into.sort(key=lambda step: step.below)
    if read.sound:
        _check_order(read, out, into)
    read.finish()
    return Steps(out=tuple(out), into=tuple(into))


def _check_order(read: Options, out: list[Out], into: list[In]) -> None:
    for near, far in pairwise(out):
        if near.above == far.above:
            read.wrong("out", f"gives above = {near.above} twice; expected each threshold once")
        elif far.add < near.add:
            read.wrong(
                "out",
                f"adds {far.add} above {far.above} but {near.add} above {near.above}; expected no smaller step",
            )
    for far_in, near_in in pairwise(into):
        if near_in.below == far_in.below:
            read.wrong("in", f"gives below = {near_in.below} twice; expected each threshold once")
        elif far_in.remove < near_in.remove:
            read.wrong(
                "in",
                f"removes {far_in.remove} below {far_in.below} but {near_in.remove} below {near_in.below}; "
                "expected no smaller step",
            )
    if into and into[-1].below > out[0].above:
        read.wrong(
            "in",
            f"begins below {into[-1].below}, over the out step above {out[0].above}; expected a gap or the same number",
        )
