"""Numbers as people say them, so that every reason in this room reads alike.

Plain numbers go in, words come out. What never happens here: a decision.
"""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 worker`, `2 workers`, `no workers`."""
    if number == 0:
        return f"no {noun}s"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """The two largest units that matter: `38 s`, `4 min 10 s`, `1 h 52 min`, `3 d 4 h`. Negative counts as zero.

    Parts of a second are dropped, except that a wait which is not over never reads `0 s`.
    """
    if seconds <= 0:
        return "0 s"
    whole = max(int(seconds), 1)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
        if len(parts) == 2 or (parts and not amount):
            break
    return " ".join(parts)


def ago(at: float, now: float) -> str:
    """`3 s ago`."""
    return f"{duration(now - at)} ago"


def plain(number: float) -> str:
    """A number without idle digits: `10`, `2.5`, `0.125`."""
    return f"{number:.6g}"
