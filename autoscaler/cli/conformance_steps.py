"""A provider held against its contract with one machine of its own: step by step, and cleaned up after, whatever came.

In goes an opened provider and what to buy, out come steps with a verdict, and the names of what may be left. It uses
the `Provider` contract alone, under a mark of its own, so that no daemon takes the machine for its own. What never
happens here: a create beyond the one, and the second of its name where the provider promises to refuse it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.cli import conformance_machines
from autoscaler.cli.conformance_machines import Machines, Patience
from autoscaler.clock import Clock
from policies.phrases import count, duration
from providers.contract import (
    Instance,
    InstanceAbsent,
    InstanceSpec,
    InstanceState,
    OutcomeUnknown,
    Provider,
    ProviderError,
    Purchase,
    RequestRejected,
)

_NEVER_MADE = "never-made"
_CLOCKS_AGREE_S = 900.0
"""A birth further from our own clock is told in another zone or unit."""


class Verdict(StrEnum):
    """What a step came to."""

    OK = "ok"
    BAD = "problem"
    SKIPPED = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One promise of the contract, and whether it was kept."""

    subject: str
    verdict: Verdict
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What is tried: a provider under the trial's mark, and `beside` it the same account under the daemon's."""

    provider: Provider
    beside: Provider
    beside_fleet: str
    spec: InstanceSpec
    purchase: Purchase
    patience: Patience


@dataclass(slots=True, kw_only=True)
class Result:
    """Steps in order; names of machines that may still stand; whether somebody broke it off."""

    steps: list[Step] = field(default_factory=list)
    left: tuple[str, ...] = ()
    interrupted: bool = False
    unseen: bool = False
    """The first listing could not be had, so nothing was begun."""

    @property
    def ok(self) -> bool:
        return not (self.left or self.interrupted) and all(s.verdict is not Verdict.BAD for s in self.steps)


class _Over(Exception):
    """Going on would show nothing more."""


class Trial:
    """One trial. `pause` lets time pass, `tell` is told each step, `narrate` what is waited for."""

    def __init__(
        self,
        tried: Tried,
        *,
        clock: Clock,
        pause: Callable[[float], None],
        tell: Callable[[Step], None],
        narrate: Callable[[str], None],
    ) -> None:
        self._tried = tried
        self._provider = tried.provider
        self._spec = tried.spec
        self._patience = tried.patience
        self._clock = clock
        self._pause = pause
        self._tell = tell
        self._narrate = narrate
        self._result = Result()
        self._owed = False
        """Whether a machine may stand that we ordered."""
        self._made: Instance | None = None
        self._unknown = False
        """Whether a create was sent of which we do not know what came."""
        self._machines = Machines(tried.provider, tried.patience, monotonic=clock.monotonic, pause=pause)

    def run(self) -> Result:
        """Go through it, and clean up whatever came; a second interruption ends the cleaning up too."""
        try:
            self._go()
        except _Over:
            pass
        except KeyboardInterrupt:
            self._result.interrupted = True
            self._unknown = self._owed and self._made is None
        except Exception as error:  # noqa: BLE001 - around one trial of other people's code: then it is cleaned up
            self._told("provider", Verdict.BAD, f"failed with what no contract knows: {type(error).__name__}")
        if self._owed:
            try:
                self._clean_up()
            except KeyboardInterrupt:
                self._result.interrupted = True
            except Exception as error:  # noqa: BLE001 - as above; what may be left is told
                self._told("cleaning up", Verdict.BAD, f"failed: {type(error).__name__}")
        if self._owed:
            self._result.left = tuple(
                sorted(f"{each.name} ({each.instance_id})" for each in self._machines.seen.values())
            ) or (self._spec.name,)
        return self._result

    def _go(self) -> None:
        self._offer()
        self._before()
        self._nobody()
        self._create()
        seen = self._listed()
        self._beside()
        seen = self._runs(seen)
        self._second_of_its_name()
        self._destroy(seen)
        self._gone()
        self._second_end(seen)

    # ---- the steps

    def _offer(self) -> None:
        findings = self._provider.check(self._tried.purchase, timeout_s=self._patience.call_s)
        bad = [f"{finding.subject}: {finding.says}" for finding in findings if not finding.ok]
        if bad:
            self._told("offer", Verdict.BAD, "; ".join(bad))
            raise _Over
        self._told("offer", Verdict.OK, f"{count(len(findings), 'look')} found nothing wrong")

    def _before(self) -> None:
        listing = self._machines.look()
        if listing is None:
            self._result.unseen = True
            self._told("listing", Verdict.BAD, self._machines.blind)
            raise _Over
        if listing.instances:
            self._owed = True
            left = ", ".join(each.name for each in listing.instances)
            self._waits(f"an earlier trial left {left}: ended first")
            if self._machines.empty(ask_after_s=0.0) is None:
                self._told("listing", Verdict.BAD, f"what an earlier trial left could not be ended: {left}")
                raise _Over
            self._owed = False
            self._told("listing", Verdict.OK, f"ended what an earlier trial left: {left}")
        elif listing.complete:
            self._told("listing", Verdict.OK, f"complete, with no machine of fleet {self._spec.fleet}")
        else:
            # What is bought now could not be proven gone.
            self._told("listing", Verdict.BAD, self._machines.blind)
            raise _Over

    def _nobody(self) -> None:
        name = f"{self._spec.fleet}-{_NEVER_MADE}"
        self._expect(
            "end of nobody",
            lambda: self._provider.destroy(name, None, timeout_s=self._patience.call_s),
            InstanceAbsent,
            "a name that was never given is absent",
        )

    def _create(self) -> None:
        began = self._clock.monotonic()
        self._owed = True
        try:
            made = self._provider.create(self._spec, timeout_s=self._patience.call_s)
        except OutcomeUnknown as error:
            # The listings settle what came of it, as they do for a daemon.
            self._unknown = True
            self._told("create", Verdict.BAD, f"unknown: {error}")
            return
        except ProviderError as error:
            self._told("create", Verdict.BAD, f"{type(error).__name__}: {error}")
            raise _Over from error
        self._made = made
        took = _after(self._clock.monotonic() - began)
        wrong = [
            words
            for words, is_wrong in (
                (f"its name is {made.name!r}", made.name != self._spec.name),
                (f"its pool is {made.pool!r}", made.pool not in {None, self._spec.pool}),
                (
                    f"its state is {made.state.value}",
                    made.state not in {InstanceState.PENDING, InstanceState.RUNNING},
                ),
            )
            if is_wrong
        ]
        verdict = Verdict.BAD if wrong else Verdict.OK
        self._told("create", verdict, "; ".join(wrong) or f"{made.instance_id}, {made.state.value}, {took}")

    def _listed(self) -> Instance:
        limit_s = max(self._patience.settle_s, 2 * self._patience.pause_s)
        self._waits(f"looking for it in the listings, for {duration(limit_s)} at most")
        began = self._clock.monotonic()
        while not (rows := self._machines.rows(self._spec.name)):
            if self._clock.monotonic() - began > limit_s:
                why = f"not listed within {duration(limit_s)}"
                advice = (
                    f"the last look failed: {self._machines.blind}"
                    if self._machines.blind
                    else "the settle time is too short"
                )
                self._told("listed", Verdict.BAD, f"{why}; {advice}")
                raise _Over
            self._pause(self._patience.pause_s)
        took = _after(self._clock.monotonic() - began)
        wrong = self._wrong_with(rows)
        self._told(
            "listed",
            Verdict.BAD if wrong else Verdict.OK,
            "; ".join(wrong) or f"{took}, by its name, id, pool and birth",
        )
        return rows[0]

    def _wrong_with(self, rows: list[Instance]) -> list[str]:
        row, made = rows[0], self._made
        born = row.created_at
        doubts = {
            f"{len(rows)} machines bear its name": len(rows) > 1,
            f"its id is {row.instance_id}, create gave {made and made.instance_id}": made is not None
            and made.instance_id != row.instance_id,
            f"its pool is {row.pool!r}, ordered was {self._spec.pool!r}": row.pool != self._spec.pool,
            f"its size is {row.size!r}, ordered was {self._spec.size!r}": bool(row.size)
            and row.size != self._spec.size,
            "its birth is not told: bills rest on our own clock": born is None,
            "its birth is far from now by our clock: a zone, or milliseconds?": born is not None
            and abs(born - self._clock.now()) > _CLOCKS_AGREE_S,
        }
        return [words for words, holds in doubts.items() if holds]

    def _beside(self) -> None:
        try:
            listing = self._tried.beside.list_instances(timeout_s=self._patience.call_s)
        except ProviderError as error:
            self._told("mark", Verdict.BAD, f"fleet {self._tried.beside_fleet} could not be listed: {error}")
            return
        taken = [each.name for each in listing.instances if each.name == self._spec.name]
        says = (
            f"fleet {self._tried.beside_fleet} takes it for its own: the mark is not told apart"
            if taken
            else f"fleet {self._tried.beside_fleet} does not see it"
        )
        self._told("mark", Verdict.BAD if taken else Verdict.OK, says)

    def _runs(self, first: Instance) -> Instance:
        self._waits(f"waiting until it runs, for {duration(self._patience.run_s)} at most")
        began = self._clock.monotonic()
        last = first
        while last.state is not InstanceState.RUNNING:
            if self._clock.monotonic() - began > self._patience.run_s:
                self._told(
                    "running", Verdict.BAD, f"{last.state.value} after {duration(self._patience.run_s)}"
                )
                return last
            self._pause(self._patience.pause_s)
            last = next(iter(self._machines.rows(self._spec.name)), last)
        self._told("running", Verdict.OK, _after(self._clock.monotonic() - began))
        moved = [
            key for key in ("instance_id", "pool", "created_at") if getattr(first, key) != getattr(last, key)
        ]
        says = (
            f"differs from look to look: {', '.join(moved)}"
            if moved
            else "id, pool and birth stay as they are"
        )
        self._told("steady", Verdict.BAD if moved else Verdict.OK, says)
        return last

    def _second_of_its_name(self) -> None:
        if not self._provider.traits.names_unique:
            self._told("second of name", Verdict.SKIPPED, "names are not promised to be unique here")
            return
        self._expect(
            "second of name",
            lambda: self._provider.create(self._spec, timeout_s=self._patience.call_s),
            RequestRejected,
            "a name that is taken is refused",
        )

    def _destroy(self, seen: Instance) -> None:
        try:
            self._provider.destroy(seen.name, seen.instance_id, timeout_s=self._patience.call_s)
        except ProviderError as error:
            self._told("destroy", Verdict.BAD, f"{type(error).__name__}: {error}")
        else:
            self._told("destroy", Verdict.OK, "the wish was taken")

    def _gone(self) -> None:
        settle = duration(self._patience.settle_s)
        self._waits(f"looking until it is absent, and stays so for the settle time of {settle}")
        began = self._clock.monotonic()
        absent_at = self._machines.empty(ask_after_s=conformance_machines.LONGEST_WAIT_S)
        if absent_at is None:
            why = self._machines.blind or "it is listed still"
            self._told("gone", Verdict.BAD, f"not absent for {settle} from complete listings: {why}")
            raise _Over
        self._owed = False
        took = _after(absent_at - began)
        self._told("gone", Verdict.OK, f"absent {took}, and for the settle time of {settle} on")

    def _second_end(self, seen: Instance) -> None:
        self._expect(
            "second end",
            lambda: self._provider.destroy(seen.name, seen.instance_id, timeout_s=self._patience.call_s),
            InstanceAbsent,
            "what is gone is absent",
        )

    # ---- what steps are made of

    def _expect(
        self, subject: str, deed: Callable[[], object], error_kind: type[ProviderError], says: str
    ) -> None:
        """Tell whether the deed met the error that the contract promises."""
        try:
            deed()
        except error_kind:
            self._told(subject, Verdict.OK, says)
        except ProviderError as error:
            expected = f"expected {error_kind.__name__}"
            self._told(subject, Verdict.BAD, f"{expected}, found {type(error).__name__}: {error}")
        else:
            self._told(subject, Verdict.BAD, f"expected {error_kind.__name__}, found no error")

    def _told(self, subject: str, verdict: Verdict, says: str) -> None:
        step = Step(subject=subject, verdict=verdict, says=says)
        self._result.steps.append(step)
        with contextlib.suppress(OSError):  # nobody listens any more; a machine costs money all the same
            self._tell(step)

    def _waits(self, says: str) -> None:
        with contextlib.suppress(OSError):  # as above
            self._narrate(says)

    def _clean_up(self) -> None:
        """End what may stand. Listings that never showed it do not prove that it is gone, unless its end was taken."""
        self._waits("cleaning up; a second Ctrl-C breaks this off, too")
        taken = self._end_what_was_made()
        if self._machines.empty(ask_after_s=0.0) is None:
            self._told("cleaning up", Verdict.BAD, self._machines.blind or "it is listed still")
            return
        if not taken and self._made is not None and self._made.instance_id not in self._machines.ever:
            self._told("cleaning up", Verdict.BAD, "no listing ever showed it, and its end was not taken")
            return
        self._owed = False
        late = (
            "; a create without an answer may still come late: run this again later" if self._unknown else ""
        )
        self._told("cleaning up", Verdict.OK, f"nothing of this trial is left{late}")

    def _end_what_was_made(self) -> bool:
        """Whether its end was taken. One that was made and is not listed may be listed later than was promised."""
        until = self._clock.monotonic() + self._patience.run_s
        while not self._machines.try_to_end(self._spec.name, self._made):
            unseen = self._made is not None and self._made.instance_id not in self._machines.ever
            if not unseen or self._clock.monotonic() >= until:
                return False
            self._pause(self._patience.pause_s)
            self._machines.look()
        return True


def _after(seconds: float) -> str:
    return "at once" if seconds < 1 else f"after {duration(seconds)}"
