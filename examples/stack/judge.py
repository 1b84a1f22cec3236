"""What a load showed: a record of figures, and what of it is not as promised.

In go the client's answers, what workers did and left, nginx's own lines and how the pool stood each second; out come
figures and sentences. Pure. What never happens here: a figure that was not measured, or a promise taken as kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_P99_MS = 100.0
Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The pool at one second of the run, by the daemon's journal. None is "not seen"."""

    at_s: float
    waiting: int | None
    in_progress: int | None
    serving: int
    arriving: int
    leaving: int
    lost: int

    @property
    def machines(self) -> int:
        """All that would be paid for."""
        return self.serving + self.arriving + self.leaving + self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """All that was seen of one load."""

    rate_per_s: float
    seconds: float
    answers: Sequence[Mapping[str, object]]
    results: Mapping[str, str]
    """SHA-256 of what was processed, by upload."""
    acts: Sequence[tuple[str, str]]
    """(upload, what a worker did with it), as often as it did."""
    handed_on: int
    """Uploads that nginx gave to a second node."""
    samples: Sequence[Sample]
    ceiling: int
    kills: Sequence[Mapping[str, object]]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share of them does not pass; None where there are none."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)] if values else None


def record(load: Load) -> Record:
    """The figures."""
    took = [float(str(answer["seconds"])) for answer in load.answers if "status" in answer]
    late = [float(str(answer["late_s"])) for answer in load.answers]
    taken = [answer for answer in load.answers if answer.get("status") == 202]
    names = Counter(str(answer.get("upload")) for answer in taken)
    recorded = Counter(upload for upload, what in load.acts if what == "recorded")
    contents = Counter(load.results.values())  # no two uploads of a load are the same
    return {
        "rate_per_s": load.rate_per_s,
        "seconds": load.seconds,
        "uploads_due": round(load.rate_per_s * load.seconds),
        "uploads_sent": len(load.answers),
        "answers": dict(sorted(Counter(str(a["status"]) for a in load.answers if "status" in a).items())),
        "errors": sum("error" in answer for answer in load.answers),
        "p50_ms": _ms(percentile(took, 0.5)),
        "p99_ms": _ms(percentile(took, 0.99)),
        "max_ms": _ms(max(took, default=None)),
        "sent_late_p99_ms": _ms(percentile(late, 0.99)),
        "handed_on": load.handed_on,
        "processed": len(load.results),
        "processed_twice": sum(times > 1 for times in recorded.values())
        + sum(times - 1 for times in contents.values()),
        "delivered_again": sum(what == "again" for _, what in load.acts),
        "lost": sum(upload not in load.results for upload in names)
        + sum(times - 1 for times in names.values()),
        "spoiled": sum(_spoiled(answer, load.results) for answer in taken),
        "pool": course(load),
        "longest_queue": max((s.waiting for s in load.samples if s.waiting is not None), default=None),
        "kills": [dict(kill) for kill in load.kills],
    }


def failures(load: Load, *, most_p99_ms: float = MOST_P99_MS) -> list[str]:
    """What is not as promised, a sentence each."""
    figures, pool = record(load), course(load)
    p99_ms, serving, sent = figures["p99_ms"], pool["highest_serving"], figures["uploads_sent"]
    other = sum(answer.get("status") != 202 for answer in load.answers)
    checks: Iterable[tuple[bool, str]] = (
        (sent != figures["uploads_due"], f"{sent} of {figures['uploads_due']} uploads were sent"),
        (other > 0, f"{other} uploads were answered with something else than 202, or not at all"),
        (
            not isinstance(p99_ms, float) or p99_ms >= most_p99_ms,
            f"the 99th percentile of answers is {p99_ms} ms; expected less than {most_p99_ms:g}",
        ),
        (figures["lost"] != 0, f"{figures['lost']} uploads were answered with 202 and not processed"),
        (figures["processed_twice"] != 0, f"{figures['processed_twice']} uploads were processed twice"),
        (figures["spoiled"] != 0, f"{figures['spoiled']} uploads were not processed as they were sent"),
        (pool["first"] != 0, f"the pool began with {pool['first']} machines; expected none"),
        (serving != load.ceiling, f"{serving} workers served at most; expected the ceiling, {load.ceiling}"),
        (pool["last"] != 0, f"the pool ended with {pool['last']} machines; expected none"),
        (not load.kills, "no application process was killed"),
    )
    return [says for failed, says in checks if failed]


def course(load: Load) -> dict[str, int | None]:
    """The pool's way: how many machines at first, at most and at last."""
    machines = [sample.machines for sample in load.samples]
    return {
        "first": machines[0] if machines else None,
        "highest_serving": max((sample.serving for sample in load.samples), default=None),
        "highest": max(machines, default=None),
        "last": machines[-1] if machines else None,
        "ceiling": load.ceiling,
    }


def _spoiled(answer: Mapping[str, object], results: Mapping[str, str]) -> bool:
    found = results.get(str(answer.get("upload")))
    return found is not None and found != answer["sha256"]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
