"""Leave to be late: a program in which some share of the tasks need not start in time.

Each task j gets a variable v between 0 and 1, of which all together may be no more than the share that is forgiven.
The work that must be done by each instant is then L(t) - Σ v min(r, (t - a - D)⁺). A forgiven task still has to run, at
any time: all that is asked for it is that all machines together serve as long as all the work takes, after the end of
the piece if need be. That leaves out that it cannot run before it is sent, and so errs to the side of a lower bound.

What never happens here: a choice of which tasks are late; the solver's cheapest fractions are not a schedule.
"""

from __future__ import annotations

from typing import Any

from autoscaler.study.contract import Terms
from autoscaler.study.envelopes import Envelopes, Piece
from autoscaler.study.solver import Program, numeric


def forgive(
    program: Program, piece: Piece, line: Envelopes, terms: Terms, *, work: Any, late_share: float
) -> None:
    """Rows in place of `L ≤ W`, where `work` are the variables W at the n + 1 borders (whose lower bound is then 0)."""
    np = numeric().np
    count = len(line)
    late = program.block(len(piece.tasks), upper=1.0)
    forgiven = program.block(count + 1, upper=np.append(0.0, np.full(count, np.inf)))
    program.row(late, 1.0, late_share * len(piece.tasks))
    program.at_most([(work, -1.0), (forgiven, -1.0)], -np.asarray(line.latest), count + 1)
    slots, tasks, seconds = _ramps(piece, line, terms)
    program.at_most([(forgiven[1:], 1.0), (forgiven[:-1], -1.0)], 0.0, count)
    program.add_to_last(count, slots, late[tasks], -seconds)


def _ramps(piece: Piece, line: Envelopes, terms: Terms) -> tuple[Any, Any, Any]:
    """(slot, task of the piece, seconds) wherever a task that starts as late as it may is running within a slot."""
    np = numeric().np
    slots, tasks, seconds = [], [], []
    for place, n in enumerate(piece.tasks):
        since = piece.workload.submit_s[n] + terms.target_wait_s - line.from_s
        until = since + piece.workload.runtime_s[n]
        for slot in range(
            max(0, int(since // line.slot_s)), min(len(line) - 1, int(until // line.slot_s)) + 1
        ):
            begins = slot * line.slot_s
            share = min(until, begins + line.slot_s) - max(since, begins)
            if share > 0.0:
                slots.append(slot)
                tasks.append(place)
                seconds.append(share)
    return np.asarray(slots, dtype=int), np.asarray(tasks, dtype=int), np.asarray(seconds, dtype=float)
