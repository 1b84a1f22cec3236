"""The simulated cloud on virtual time: what it shows, what it counts, and how it goes wrong to order."""

from __future__ import annotations

import pytest

from providers import open_provider
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceSpec,
    InstanceState,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    ProviderOptionsWrong,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from providers.simulated import Fault, SimulatedCloud, SimulatedProvider
from providers.simulated.cloud import Habits

START_AT = 1_700_000_000.0


class VirtualClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.at = START_AT

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def a_cloud(**habits: object) -> tuple[SimulatedCloud, VirtualClock]:
    clock = VirtualClock()
    return SimulatedCloud(clock=clock, habits=Habits(**habits)), clock  # type: ignore[arg-type]


def opened(cloud: SimulatedCloud, fleet: str = "production") -> SimulatedProvider:
    return SimulatedProvider(cloud=cloud, fleet=fleet)


def a_spec(name: str = "images-1", fleet: str = "production") -> InstanceSpec:
    return InstanceSpec(
        name=NodeName(name),
        fleet=fleet,
        pool="images",
        size="small",
        image="debian-12",
        location="no-1",
        user_data=b"#cloud-config\n",
    )


def listed(provider: SimulatedProvider) -> dict[str, InstanceState]:
    return {each.name: each.state for each in provider.list_instances(timeout_s=1.0).instances}


def test_listings_show_what_stood_a_lag_ago() -> None:
    """A new machine is absent for that long, an ended one present for that long; the traits allow for it."""
    cloud, clock = a_cloud(list_lag_s=20.0, boot_s=30.0)
    provider = opened(cloud)
    made = provider.create(a_spec(), timeout_s=1.0)

    clock.at = START_AT + 19.0
    assert {} == listed(provider)
    clock.at = START_AT + 20.0
    assert {"images-1": InstanceState.PENDING} == listed(provider)
    clock.at = START_AT + 50.0
    assert {"images-1": InstanceState.RUNNING} == listed(provider)

    provider.destroy("images-1", made.instance_id, timeout_s=1.0)
    clock.at = START_AT + 69.0
    assert {"images-1": InstanceState.RUNNING} == listed(provider)
    clock.at = START_AT + 70.0
    assert {} == listed(provider)
    assert provider.traits.settle_s > 20.0


def test_a_machine_that_no_listing_shows_yet_cannot_be_ended_by_its_name() -> None:
    """By name a destroy finds what listings show; by id it finds what stands."""
    cloud, _ = a_cloud(list_lag_s=20.0)
    provider = opened(cloud)
    made = provider.create(a_spec(), timeout_s=1.0)

    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", None, timeout_s=1.0)
    provider.destroy("images-1", made.instance_id, timeout_s=1.0)

    assert () == cloud.standing()


def test_an_unanswered_create_may_take_place_late() -> None:
    """Nothing stands until then, and the machine appears under our name although nobody repeated anything."""
    cloud, clock = a_cloud(late_create_s=15.0)
    provider = opened(cloud)
    cloud.disturb(Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown, match="images-1"):
        provider.create(a_spec(), timeout_s=1.0)

    assert () == cloud.standing()
    clock.at += 15.0
    assert ("images-1",) == tuple(listed(provider))
    assert {"images-1": 1} == cloud.creates_asked()


def test_every_create_that_was_sent_is_counted_by_name() -> None:
    """Refused and lost ones too: a second one of a name is the proof of a double create."""
    cloud, _ = a_cloud()
    cloud.disturb(Fault.CAPACITY)
    for _ in range(2):
        try:
            opened(cloud).create(a_spec(), timeout_s=1.0)
        except ProviderError:
            continue

    assert {"images-1": 2} == cloud.creates_asked()
    assert 1 == len(cloud.machines())


def test_what_stands_is_billed_from_its_birth_to_its_end() -> None:
    """Machine seconds by fleet, whatever listings say."""
    cloud, clock = a_cloud(boot_s=30.0, list_lag_s=20.0)
    ours, theirs = opened(cloud), opened(cloud, fleet="staging")
    made = ours.create(a_spec(), timeout_s=1.0)
    theirs.create(a_spec(fleet="staging"), timeout_s=1.0)
    clock.at += 100.0
    ours.destroy("images-1", made.instance_id, timeout_s=1.0)
    clock.at += 50.0

    assert (100.0, 150.0, 250.0) == (
        cloud.billed_s("production"),
        cloud.billed_s("staging"),
        cloud.billed_s(),
    )


def test_a_booted_machine_is_announced_once() -> None:
    """The moment for a test's world to start its worker: after the boot, and never for one that has ended."""
    cloud, clock = a_cloud(boot_s=30.0)
    provider = opened(cloud)
    for name in ("images-1", "images-2"):
        provider.create(a_spec(name), timeout_s=1.0)
    provider.destroy("images-2", None, timeout_s=1.0)

    assert () == cloud.newly_booted()
    clock.at += 30.0
    assert ["images-1"] == [each.name for each in cloud.newly_booted()]
    assert () == cloud.newly_booted()


def test_a_destroy_may_be_ignored_or_carried_out_unanswered() -> None:
    """The first is taken and does nothing; the second does it and is not answered."""
    cloud, _ = a_cloud()
    provider = opened(cloud)
    provider.create(a_spec(), timeout_s=1.0)
    cloud.disturb(Fault.DESTROY_IGNORED)
    cloud.disturb(Fault.DESTROY_UNANSWERED)

    provider.destroy("images-1", None, timeout_s=1.0)
    assert ("images-1",) == tuple(listed(provider))
    with pytest.raises(OutcomeUnknown, match="images-1"):
        provider.destroy("images-1", None, timeout_s=1.0)
    assert {} == listed(provider)


def test_a_machine_may_end_by_itself() -> None:
    """A crash that nobody asked for shows as any end does."""
    cloud, _ = a_cloud()
    provider = opened(cloud)
    made = provider.create(a_spec(), timeout_s=1.0)

    cloud.crash(made.instance_id)

    assert {} == listed(provider)
    with pytest.raises(KeyError):
        cloud.crash(made.instance_id)


def test_names_are_unique_where_asked() -> None:
    """Without it two machines of one name stand, as at most clouds."""
    loose, _ = a_cloud()
    strict, _ = a_cloud(names_unique=True)
    for cloud in (loose, strict):
        opened(cloud).create(a_spec(), timeout_s=1.0)

    opened(loose).create(a_spec(), timeout_s=1.0)
    with pytest.raises(RequestRejected, match="images-1"):
        opened(strict).create(a_spec(), timeout_s=1.0)

    assert (2, 1) == (len(loose.standing()), len(strict.standing()))


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    """The refusal carries the wait."""
    cloud, _ = a_cloud(retry_after_s=7.0)
    cloud.disturb(Fault.THROTTLED)

    with pytest.raises(Throttled) as refused:
        opened(cloud).create(a_spec(), timeout_s=1.0)

    assert 7.0 == refused.value.retry_after_s


def outcomes(seed: int) -> list[str]:
    options = {"seed": seed, "refuse_creates": 0.3, "lose_answers": 0.3}
    provider = open_provider(
        "simulated", name="pretend", fleet="production", options=options, clock=VirtualClock()
    )
    told = []
    for number in range(40):
        try:
            told.append(provider.create(a_spec(f"images-{number}"), timeout_s=1.0).instance_id)
        except ProviderError as error:
            told.append(type(error).__name__)
    return told


def test_the_same_seed_gives_the_same_faults() -> None:
    """A run repeats by its seed, and another seed is another run; both faults come up."""
    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)
    assert {"CapacityRefused", "OutcomeUnknown"} < set(outcomes(1))


def test_a_share_of_one_is_always_and_of_none_never() -> None:
    """The ends of the scale are exact."""
    clock = VirtualClock()
    always = open_provider(
        "simulated", name="pretend", fleet="production", options={"refuse_creates": 1.0}, clock=clock
    )

    for _ in range(5):
        with pytest.raises(CapacityRefused):
            always.create(a_spec(), timeout_s=1.0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"boot": 3}, "boot:"),
        ({"boot_s": "30s"}, "boot_s"),
        ({"list_lag_s": -1}, "list_lag_s"),
        ({"late_create_s": float("nan")}, "late_create_s"),
        ({"lose_answers": 1.5}, "lose_answers"),
        ({"names_unique": 1}, "names_unique"),
        ({"seed": 0.5}, "seed"),
        ({"cloud": "mine"}, "cloud"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, object], named: str) -> None:
    """The refusal says which option of which provider, and what was expected."""
    with pytest.raises(ProviderOptionsWrong, match=rf"providers\.pretend\.{named}.*expected"):
        open_provider("simulated", name="pretend", fleet="production", options=options, clock=VirtualClock())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.QUOTA, QuotaRefused),
        (Fault.THROTTLED_MUTELY, Throttled),
        (Fault.REJECTED, RequestRejected),
        (Fault.REQUEST_LOST, OutcomeUnknown),
    ],
)
def test_a_create_that_met_such_a_fault_made_nothing(fault: Fault, error: type[ProviderError]) -> None:
    """Each is answered in the contract's word for it; a mute throttle names no time."""
    cloud, _ = a_cloud()
    cloud.disturb(fault)
    with pytest.raises(error) as told:
        opened(cloud).create(a_spec(), timeout_s=1.0)

    assert (None, ()) == (getattr(told.value, "retry_after_s", None), cloud.machines())


def test_a_create_may_make_two_machines_and_tell_of_one() -> None:
    """Both bear the name; the one that nobody asked for is known as such to who owns the cloud."""
    cloud, _ = a_cloud()
    cloud.disturb(Fault.CREATED_TWICE)
    made = opened(cloud).create(a_spec(), timeout_s=1.0)

    assert [(made.instance_id, "images-1", False)] == [
        (each.instance_id, each.name, each.second) for each in cloud.standing() if not each.second
    ]
    assert ["images-1", "images-1"] == [each.name for each in cloud.standing()]


def test_a_complete_listing_may_lie() -> None:
    """Nothing at all, or always the same third left out; the settle time grows by what lies may last."""
    cloud, _ = a_cloud(lies_s=30.0)
    provider = opened(cloud)
    for number in range(6):
        provider.create(a_spec(f"images-{number}"), timeout_s=1.0)
    cloud.disturb(Fault.LISTING_EMPTY)
    cloud.disturb(Fault.PAGE_SKIPPED, times=2)
    empty, skipped, again = (provider.list_instances(timeout_s=1.0) for _ in range(3))

    assert (0, 4, skipped) == (len(empty.instances), len(skipped.instances), again)
    assert (True, True, 31.0) == (empty.complete, skipped.complete, provider.traits.settle_s)


def test_a_destroy_may_be_lost_or_throttled() -> None:
    """Neither ends anything; only the second says so."""
    cloud, _ = a_cloud()
    provider = opened(cloud)
    provider.create(a_spec(), timeout_s=1.0)
    cloud.disturb(Fault.DESTROY_LOST)
    cloud.disturb(Fault.DESTROY_THROTTLED)
    for error in (OutcomeUnknown, Throttled):
        with pytest.raises(error):
            provider.destroy("images-1", None, timeout_s=1.0)

    assert 1 == len(cloud.standing())


def test_a_boot_may_be_slow_or_never_end() -> None:
    """The machine is pending for so long, and paid."""
    cloud, clock = a_cloud(boot_s=10.0, slow_boot_s=100.0)
    provider = opened(cloud)
    for name, fault in (("slow", Fault.SLOW_BOOT), ("never", Fault.NEVER_BOOTS)):
        cloud.disturb(fault)
        provider.create(a_spec(name), timeout_s=1.0)
    clock.at += 50.0
    early = {i.name: i.state for i in provider.list_instances(timeout_s=1.0).instances}
    clock.at += 10_000.0
    late = {i.name: i.state for i in provider.list_instances(timeout_s=1.0).instances}

    assert {"slow": InstanceState.PENDING, "never": InstanceState.PENDING} == early
    assert {"slow": InstanceState.RUNNING, "never": InstanceState.PENDING} == late


def test_ended_machines_can_be_forgotten() -> None:
    """A cloud that lives long does not grow with what ended."""
    cloud, clock = a_cloud()
    provider = opened(cloud)
    for name in ("ended", "standing"):
        provider.create(a_spec(name), timeout_s=1.0)
    provider.destroy("ended", None, timeout_s=1.0)
    clock.at += 100.0
    cloud.forget(clock.at - 50.0)

    assert ["standing"] == [each.name for each in cloud.machines()]
    assert {"standing": 1} == cloud.creates_asked()
