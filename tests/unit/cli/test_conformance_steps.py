"""A provider held against its contract with one machine: what is found, and that nothing is left, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.cli import conformance
from autoscaler.cli.conformance_machines import Patience
from autoscaler.cli.conformance_steps import Result, Step, Trial, Tried, Verdict
from providers import open_provider
from providers.contract import InstanceSpec, NodeName, Provider, Purchase, UserDataFormat
from providers.simulated import Fault, SimulatedCloud
from providers.simulated.cloud import Habits

FLEET = "conformance-shop"
NAME = f"{FLEET}-1"


class Stage:
    """A cloud on a clock that passes when somebody waits, and a trial of it that may be interrupted."""

    def __init__(self, **habits: Any) -> None:
        self.at = 1_700_000_000.0
        self.cloud = SimulatedCloud(clock=self, habits=Habits(boot_s=30.0, list_lag_s=5.0, **habits))
        self.steps: list[Step] = []
        self.calls = 0
        self.interrupt_at: set[int] = set()
        self.nobody_listens = False

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.count()
        self.at += seconds

    def count(self) -> None:
        """One more thing was done; perhaps that is when Ctrl-C is pressed."""
        self.calls += 1
        if self.calls in self.interrupt_at:
            raise KeyboardInterrupt

    def open(self, fleet: str) -> Provider:
        options = {"cloud": self.cloud}
        return open_provider("simulated", name="pretend", fleet=fleet, options=options, clock=self)

    def run(self, provider: Any = None, beside: Provider | None = None) -> Result:
        tried = Tried(
            provider=Counted(provider or self.open(FLEET), self.count),
            beside=beside or self.open("shop"),
            beside_fleet="shop",
            spec=a_spec(),
            purchase=Purchase(size="small", image="debian-12", location="no-1"),
            patience=Patience(call_s=10.0, run_s=300.0, settle_s=11.0, pause_s=2.0),
        )
        return Trial(tried, clock=self, pause=self.pause, tell=self.tell, narrate=self.narrate).run()

    def tell(self, step: Step) -> None:
        self.steps.append(step)
        if self.nobody_listens:
            raise BrokenPipeError

    def narrate(self, _says: str) -> None:
        if self.nobody_listens:
            raise BrokenPipeError

    @property
    def bad(self) -> list[str]:
        return [step.subject for step in self.steps if step.verdict is Verdict.BAD]

    @property
    def standing(self) -> list[str]:
        return [machine.name for machine in self.cloud.standing(FLEET)]


class Counted:
    """A provider whose calls are counted, each once before and once after it took effect."""

    def __init__(self, provider: Any, count: Callable[[], None]) -> None:
        self._provider, self._count = provider, count

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            self._count()
            answer = found(*arguments, **named)
            self._count()
            return answer

        return counted


def a_spec() -> InstanceSpec:
    return InstanceSpec(
        name=NodeName(NAME), fleet=FLEET, pool="conformance", size="small", image="debian-12", location="no-1",
        user_data=b"#cloud-config\n{}\n",
    )  # fmt: skip


def test_a_provider_that_keeps_its_contract_passes_every_step() -> None:
    """Each promise in its order, and nothing stands afterwards."""
    stage = Stage(names_unique=True)
    result = stage.run()

    assert result.ok
    assert [Verdict.OK] * 12 == [step.verdict for step in stage.steps]
    assert ["create", "listed", "mark", "running", "steady", "second of name", "destroy", "gone", "second end"] == [
        step.subject for step in stage.steps[3:]
    ]  # fmt: skip
    assert [] == stage.standing


def test_a_second_machine_is_ordered_only_where_it_is_promised_to_be_refused() -> None:
    """One create, where names are not unique."""
    stage = Stage()
    result = stage.run()

    assert result.ok
    assert Verdict.SKIPPED in [step.verdict for step in stage.steps]
    assert 1 == stage.cloud.creates_asked()[NAME]


@pytest.mark.parametrize(
    ("fault", "bad"),
    [
        (Fault.CAPACITY, ["create"]),
        (Fault.REJECTED, ["create"]),
        (Fault.THROTTLED, ["create"]),
        (Fault.ANSWER_LOST, ["create"]),
        (Fault.REQUEST_LOST, ["create", "listed"]),
        (Fault.CREATED_TWICE, ["listed"]),
        (Fault.NEVER_BOOTS, ["running"]),
        (Fault.DESTROY_IGNORED, []),
        (Fault.DESTROY_LOST, ["end of nobody"]),
        (Fault.LISTING_CUT, ["listing"]),
    ],
)
def test_trouble_is_told_and_cleaned_up(fault: Fault, bad: list[str]) -> None:
    """Whichever step it befalls."""
    stage = Stage()
    # The end of nobody meets the first that is ignored, and nobody is absent all the same.
    stage.cloud.disturb(fault, times=2 if fault is Fault.DESTROY_IGNORED else 1)

    result = stage.run()

    assert bad == stage.bad
    assert result.ok is (not bad)
    assert ([], ()) == (stage.standing, result.left)


def test_a_machine_that_is_listed_later_than_was_promised_is_found_and_ended() -> None:
    """The settle time is said to be too short, and the machine is waited for all the same."""
    stage = Stage(lies_s=0.0)
    stage.cloud = SimulatedCloud(clock=stage, habits=Habits(boot_s=30.0, list_lag_s=60.0))
    result = stage.run()

    assert ["listed"] == stage.bad
    assert "the settle time is too short" in stage.steps[-2].says
    assert ([], ()) == (stage.standing, result.left)


def test_a_machine_that_cannot_be_ended_is_named() -> None:
    """With its id, because it costs money from now on."""
    stage = Stage()
    stage.cloud.disturb(Fault.DESTROY_IGNORED, times=10_000)
    result = stage.run()

    assert ["gone", "cleaning up"] == stage.bad
    assert not result.ok
    assert (f"{NAME} (sim-000001)",) == result.left
    assert [NAME] == stage.standing


def test_who_cannot_look_buys_nothing() -> None:
    """Without a first listing nobody could tell what is left."""
    stage = Stage()
    stage.cloud.disturb(Fault.LISTING_FAILS, times=1)
    result = stage.run()

    assert result.unseen
    assert not result.ok
    assert [] == stage.standing


def test_what_an_earlier_trial_left_is_ended_first() -> None:
    """Its mark is the same."""
    stage = Stage()
    stage.open(FLEET).create(replace(a_spec(), name=NodeName(f"{FLEET}-0")), timeout_s=1)
    stage.at += 60

    result = stage.run()

    assert result.ok
    assert f"ended what an earlier trial left: {FLEET}-0" == stage.steps[1].says
    assert [] == stage.standing


def test_an_interruption_at_any_moment_leaves_nothing() -> None:
    """Ctrl-C before or after any call, and in any pause: what was ordered is ended, also if nobody heard the answer."""
    whole = Stage(names_unique=True)
    whole.run()
    assert whole.calls > 40

    for moment in range(1, whole.calls + 1):
        stage = Stage(names_unique=True)
        stage.interrupt_at = {moment}
        result = stage.run()
        assert (moment, True, [], ()) == (moment, result.interrupted, stage.standing, result.left)


def test_a_trial_to_which_nobody_listens_cleans_up_too() -> None:
    """As in `… | head -3`: what cannot be said any more must still be ended."""
    for fault in (None, Fault.ANSWER_LOST, Fault.NEVER_BOOTS):
        stage = Stage()
        stage.nobody_listens = True
        if fault:
            stage.cloud.disturb(fault, times=1)
        result = stage.run()
        assert ([], ()) == (stage.standing, result.left)
        assert result.ok is (fault is None)


def test_a_second_interruption_leaves_word() -> None:
    """Whoever cannot wait is told what may cost money."""
    stage = Stage()
    stage.interrupt_at = {9, 10}
    result = stage.run()

    assert result.interrupted
    assert [NAME] == [left.split()[0] for left in result.left] == stage.standing


def test_a_promise_of_unique_names_that_is_broken_is_found_and_both_are_ended() -> None:
    """The second machine is the trial's own."""
    stage = Stage()

    class Boastful:
        def __init__(self, provider: Provider) -> None:
            self._provider = provider

        @property
        def traits(self) -> Any:
            return replace(self._provider.traits, names_unique=True)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._provider, name)

    result = stage.run(Boastful(stage.open(FLEET)))

    assert ["second of name"] == stage.bad
    assert ([], ()) == (stage.standing, result.left)


def test_a_mark_that_is_not_told_apart_is_found() -> None:
    """A daemon of the fleet would end the trial's machine, and any machine of a fleet that is called alike."""
    stage = Stage()
    stage.run(beside=stage.open(FLEET))

    assert ["mark"] == stage.bad


def test_an_error_that_no_contract_knows_is_told_and_cleaned_up() -> None:
    """Other people's kinds may raise anything, after the deed too."""
    stage = Stage()

    class Broken:
        def __init__(self, provider: Provider) -> None:
            self._provider = provider

        def create(self, spec: InstanceSpec, *, timeout_s: float) -> None:
            self._provider.create(spec, timeout_s=timeout_s)
            raise ZeroDivisionError

        def __getattr__(self, name: str) -> Any:
            return getattr(self._provider, name)

    result = stage.run(Broken(stage.open(FLEET)))

    assert ["provider"] == stage.bad
    assert ([], ()) == (stage.standing, result.left)


@pytest.mark.parametrize("fleet", ["shop", "c", "conformance", "conformance-eu", "trial"])
def test_the_mark_of_a_trial_begins_with_no_daemons_own(fleet: str) -> None:
    """Where a name alone is the mark, its beginning is."""
    assert not conformance.mark(fleet).startswith(f"{fleet}-")
    assert fleet != conformance.mark(fleet)
    assert len(f"{conformance.mark(fleet)}-123456789") <= 63


@pytest.mark.parametrize("size", [0, 17, 5_000, 16_384])
def test_the_user_data_of_a_trial_is_as_long_as_a_workers_and_does_nothing(size: int) -> None:
    """It shows whether so much arrives, and makes nobody take tasks."""
    made = conformance.harmless(UserDataFormat.CLOUD_CONFIG, size)

    assert len(made) <= max(size, 17)
    assert size - len(made) < 80
    assert {"{}"} == {line for line in made.decode().splitlines() if not line.startswith("#")}
