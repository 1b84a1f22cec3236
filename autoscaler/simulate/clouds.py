"""The accounts of a simulated life: the `simulated` provider's own clouds, with the script's luck.

What never happens here: a machine's work, or a call on virtual time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autoscaler.simulate.clock import WorldClock
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.script import LIES_S, Script
from providers import open_provider
from providers.contract import InstanceSpec, Provider, ProviderName
from providers.simulated import Fault as Mishap
from providers.simulated import Habits, SimulatedCloud
from providers.simulated.cloud import OF_CREATES, OF_DESTROYS, Tenant

FLEET = "shop"
_SPANS: Mapping[Mishap, Fault] = MappingProxyType(
    {
        Mishap.CAPACITY: Fault.CAPACITY_REFUSED,
        Mishap.QUOTA: Fault.QUOTA_REFUSED,
        Mishap.THROTTLED: Fault.THROTTLED,
        Mishap.DESTROY_THROTTLED: Fault.THROTTLED,
        Mishap.LISTING_THROTTLED: Fault.LISTING_THROTTLED,
        Mishap.LISTING_FAILS: Fault.LISTING_FAILS,
        Mishap.LISTING_CUT: Fault.LISTING_INCOMPLETE,
        Mishap.LISTING_EMPTY: Fault.LISTING_EMPTY,
        Mishap.PAGE_SKIPPED: Fault.PAGE_SKIPPED,
    }
)
_STROKES: Mapping[Mishap, Fault] = MappingProxyType(
    {
        Mishap.REJECTED: Fault.REJECTED,
        Mishap.THROTTLED_MUTELY: Fault.THROTTLED_MUTELY,
        Mishap.REQUEST_LOST: Fault.REQUEST_LOST,
        Mishap.ANSWER_LOST: Fault.ANSWER_LOST,
        Mishap.CREATED_LATE: Fault.CREATED_LATE,
        Mishap.CREATED_TWICE: Fault.CREATED_TWICE,
        Mishap.DESTROY_IGNORED: Fault.DESTROY_HOLLOW,
        Mishap.DESTROY_LOST: Fault.DESTROY_IGNORED,
        Mishap.DESTROY_THROTTLED_MUTELY: Fault.THROTTLED_MUTELY,
        Mishap.DESTROY_UNANSWERED: Fault.DESTROY_UNANSWERED,
        Mishap.SLOW_BOOT: Fault.SLOW_BOOT,
        Mishap.NEVER_BOOTS: Fault.NEVER_ENROLS,
    }
)

_ANSWERS = frozenset((*OF_CREATES, *OF_DESTROYS))
_UNSENT = frozenset({Mishap.REQUEST_LOST, Mishap.DESTROY_LOST})
_UNHEARD = frozenset({Mishap.ANSWER_LOST, Mishap.DESTROY_UNANSWERED})


class ScriptedLuck:
    """The faults of one account, as the script has them."""

    def __init__(self, script: Script, clock: WorldClock, account: str) -> None:
        self._script = script
        self._clock = clock
        self._account = account
        self._down = script.dice(Fault.ACCOUNT_DOWN)

    def meets(self, fault: Mishap, spec: InstanceSpec | None) -> bool:
        """Whether the call under way meets this fault. Stock runs out by size, all else is the account's."""
        kind, at = _SPANS.get(fault), self._clock.elapsed
        if fault in _ANSWERS and self._script.lasts(Fault.ACCOUNT_DOWN, at, self._account):
            # Of those that a call can meet, half meet the first and arrive nowhere, the others are carried out.
            return fault in _UNHEARD or (fault in _UNSENT and self._down.random() < 0.5)
        if kind is None:
            return self._script.strikes(_STROKES[fault], at)
        where = f"{self._account} {spec.size}" if spec and kind is Fault.CAPACITY_REFUSED else self._account
        return self._script.lasts(kind, at, where)

    def uniform(self, least: float, most: float) -> float:
        """How late a late create is."""
        return self._script.dice(Fault.CREATED_LATE).uniform(least, most)


def open_cloud(
    script: Script,
    clock: WorldClock,
    account: ProviderName,
    tenant: Tenant,
    *,
    boot_s: float,
    create_s: float,
) -> SimulatedCloud:
    """One account. `create_s` is how long its callers wait for an ordered machine; a late one comes before that."""
    lag_s = 15.0 if script.has(Fault.LIST_LAG) else 0.0
    if lag_s:
        script.struck[Fault.LIST_LAG] += 1
    habits = Habits(
        boot_s=boot_s,
        slow_boot_s=240.0,
        list_lag_s=lag_s,
        lies_s=LIES_S,
        # An order that is carried out after `timeouts.create` is beyond what an operator promised for his provider, and
        # no daemon could ever end such a record. It arrives up to two seconds after it was written down.
        very_late_create_s=create_s - 5.0,
        retry_after_s=20.0,
    )
    luck = ScriptedLuck(script, clock, account)
    return SimulatedCloud(clock=clock, habits=habits, luck=luck, tenant=tenant)


def open_account(
    cloud: SimulatedCloud, account: ProviderName, clock: WorldClock, *, fleet: str = FLEET
) -> Provider:
    """One daemon's view of it, through the door of the room."""
    return open_provider("simulated", name=account, fleet=fleet, options={"cloud": cloud}, clock=clock)
