"""The kinds of policies there are: ours by table, other people's by the entry-point group `autoscaler.policies`.

`PolicySpec`s go in, opened policies come out. An entry point names a kind and a factory that takes the options (a
mapping of plain values) and returns a `Policy`; it raises `ValueError` for wrong options. What never happens here: a
policy kept open between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import cast

from policies import backlog, forecast, rate, schedule, steps, wait
from policies.contract import Policy, PolicySpec
from policies.options import OptionProblem, PolicyOptionsWrong

ENTRY_POINT_GROUP = "autoscaler.policies"

PolicyFactory = Callable[[Mapping[str, object]], Policy]

BUILT_IN: Mapping[str, PolicyFactory] = {
    "backlog": backlog.open_policy,
    "forecast": forecast.open_policy,
    "rate": rate.open_policy,
    "schedule": schedule.open_policy,
    "steps": steps.open_policy,
    "wait": wait.open_policy,
}


def open_policies(specs: Sequence[PolicySpec]) -> tuple[Policy, ...]:
    """Open each spec, in order.

    Raises `PolicyOptionsWrong` for the first that is wrong; it names `policies[i]`, its kind and every option at fault.
    """
    return tuple(_open(at, spec) for at, spec in enumerate(specs))


def _open(at: int, spec: PolicySpec) -> Policy:
    where = f"policies[{at}] ({spec.kind})"
    try:
        return _factory(spec.kind)(spec.options)
    except PolicyOptionsWrong as wrong:
        raise PolicyOptionsWrong(wrong.problems, where=where) from wrong
    except ValueError as wrong:
        raise PolicyOptionsWrong([OptionProblem(option="", says=str(wrong))], where=where) from wrong


def _factory(kind: str) -> PolicyFactory:
    factory = BUILT_IN.get(kind) or _plugin(kind)
    if factory is None:
        known = ", ".join(sorted(BUILT_IN))
        says = (
            f"is not known; expected {known}, or one that an installed package offers as {ENTRY_POINT_GROUP}"
        )
        raise PolicyOptionsWrong([OptionProblem(option="kind", says=says)])
    return factory


@cache
def _plugin(kind: str) -> PolicyFactory | None:
    """Looked up once per kind: every decision opens its policies anew, and the search reads installed files."""
    for entry in metadata.entry_points(group=ENTRY_POINT_GROUP, name=kind):
        try:
            return cast("PolicyFactory", entry.load())
        except (ImportError, AttributeError) as failure:
            says = f"is offered by {entry.value}, which cannot be loaded: {failure}"
            raise PolicyOptionsWrong([OptionProblem(option="kind", says=says)]) from failure
    return None
