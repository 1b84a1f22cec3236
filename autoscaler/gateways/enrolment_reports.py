"""One message of a machine that becomes a worker, read with suspicion: bytes in, a report or a reason to drop it out.

A machine may be anybody's by now. Sizes, types, names and numbers are held to bounds, what could steer a terminal or is
a credential in an address is taken out, and the token must be that of the node it names. What never happens here: a
belief in what it says, a token in a reason.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from autoscaler.core.reports import OURS, DiskFigures, Failure, Phase, PhaseTime, Report, Wants
from autoscaler.tokens import TOKEN_CHARACTERS, Tokens
from providers.contract import NodeName

LARGEST_BYTES = 65_536
LOG_LINES = 100
LOG_BYTES = 16_384
_LONGEST_LINE = 1_000
_LONGEST_NAME = 255
_LONGEST_SAYS = 300
_LONGEST_S = 1e7
"""Four months: no machine takes longer to boot, and no sum of such times is without an end."""
_LONGEST_MS = 1e6
_MOST_REQUESTS = 10**9
_VERSION = 1
_ROUNDING_S = 1.0
"""A machine reads its clocks one after the other."""
_REPORTED = {phase.value: phase for phase in Phase if phase not in OURS}
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
"""No choice in it: a machine that writes to hurt makes this take no longer than its message is."""
_MASK = "********@"


class Refused(ValueError):
    """A message that is no report of a machine of this fleet, and why, in words of ours."""


def read(body: bytes, tokens: Tokens, at: float) -> Report:
    """The report, proven to come from who knows that node's token. Raises `Refused`."""
    if len(body) > LARGEST_BYTES:
        raise Refused("it is too long")
    try:
        said = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused("it is no JSON") from None
    if not isinstance(said, dict):
        raise Refused("it is no object")
    if said.get("v") != _VERSION or isinstance(said.get("v"), bool):
        raise Refused("it is of another version")
    # Before anything else of it is looked at: what a stranger writes costs no more than this.
    node = _proven(said, tokens)
    uptime_s = _number(said.get("uptime_s"), "uptime_s", _LONGEST_S)
    failed, log = _failure(said.get("failed"))
    return Report(
        node=node,
        heard_at=at,
        uptime_s=uptime_s,
        phases=_phases(said.get("phases", []), uptime_s),
        failed=failed,
        log=log,
        disk=_disk(said.get("disk")),
        wants=_wants(said.get("wants")),
    )


def clean(text: str) -> str:
    """The text without what a terminal would obey, and without passwords in addresses."""
    text = _CREDENTIALS.sub(_MASK, _ESCAPES.sub("", text).expandtabs(4))
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _no_number(_constant: str) -> float:
    raise ValueError("neither infinite nor undefined numbers are reported")


def _proven(said: Mapping[str, Any], tokens: Tokens) -> NodeName:
    node, token = said.get("node"), said.get("token")
    if not isinstance(node, str) or not 0 < len(node) <= _LONGEST_NAME or not node.isprintable():
        raise Refused("it names no node")
    if not isinstance(token, str) or len(token) != TOKEN_CHARACTERS or not tokens.prove(node, token):
        raise Refused("its token is not that of the node it names")
    return NodeName(node)


def _number(value: object, name: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} is no number")
    try:
        number = float(value)
    except OverflowError:
        raise Refused(f"{name} is no number that can be") from None
    if not math.isfinite(number) or not 0.0 <= number <= most:
        raise Refused(f"{name} is no number that can be")
    return number


def _phase(value: object) -> Phase:
    phase = _REPORTED.get(value) if isinstance(value, str) else None
    if phase is None:
        raise Refused("it names a phase that no machine has")
    return phase


def _phases(value: object, uptime_s: float) -> tuple[PhaseTime, ...]:
    if not isinstance(value, list) or len(value) > len(_REPORTED):
        raise Refused("its phases are no list of them")
    times = [_phase_time(each, uptime_s) for each in value]
    if len({time.phase for time in times}) < len(times):
        raise Refused("it names a phase twice")
    order = list(Phase)
    return tuple(sorted(times, key=lambda time: order.index(time.phase)))


def _phase_time(value: object, uptime_s: float) -> PhaseTime:
    if not isinstance(value, dict) or not isinstance(value.get("ok"), bool):
        raise Refused("one of its phases is none")
    from_s = _number(value.get("from_s"), "from_s", uptime_s + _ROUNDING_S)
    to_s = _number(value.get("to_s"), "to_s", uptime_s + _ROUNDING_S)
    if to_s < from_s:
        raise Refused("one of its phases ends before it begins")
    return PhaseTime(phase=_phase(value.get("phase")), from_s=from_s, to_s=to_s, ok=value["ok"])


def _failure(value: object) -> tuple[Failure | None, tuple[str, ...]]:
    if value is None:
        return None, ()
    if not isinstance(value, dict) or not isinstance(value.get("says", ""), str):
        raise Refused("its failure is none")
    says = " ".join(clean(value.get("says", "").replace("\n", " ")).split())
    return Failure(phase=_phase(value.get("phase")), says=says[:_LONGEST_SAYS]), _log(value.get("log", []))


def _log(value: object) -> tuple[str, ...]:
    """The last lines, as many as are kept of any log."""
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise Refused("its log is no list of lines")
    kept: list[str] = []
    room = LOG_BYTES
    for line in reversed(value[-LOG_LINES:]):
        # Cut only after it is cleaned: half an address may hold a whole password.
        shown = clean(line)[:_LONGEST_LINE]
        room -= len(shown.encode()) + 1
        if room < 0:
            break
        kept.append(shown)
    return tuple(reversed(kept))


def _disk(value: object) -> DiskFigures | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Refused("its disk has no figures")
    requests = _number(value.get("requests"), "requests", _MOST_REQUESTS)
    return DiskFigures(
        mean_ms=_number(value.get("mean_ms"), "mean_ms", _LONGEST_MS),
        worst_ms=_number(value.get("worst_ms"), "worst_ms", _LONGEST_MS),
        requests=int(requests),
    )


def _wants(value: object) -> Wants | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in {want.value for want in Wants}:
        raise Refused("it wants what nobody gives")
    return Wants(value)
