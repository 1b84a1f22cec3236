"""What holds for every provider, whatever stands behind it: the promises of its contract, tried in each world."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from providers.contract import (
    CapacityRefused,
    Instance,
    InstanceAbsent,
    InstanceState,
    Listing,
    ListingUnavailable,
    NotSent,
    OutcomeUnknown,
    Provider,
    ProviderError,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from tests.contract.worlds import Trouble, World, eventually

TIMEOUT_S = 20.0
SHORT_S = 1.0
GRACE_S = 4.0
"""What a call may need past its timeout, on two busy cores, to notice that it is over."""


def listing_of(provider: Provider) -> Listing:
    return provider.list_instances(timeout_s=TIMEOUT_S)


def names(provider: Provider) -> list[str]:
    """What a complete listing shows; the contract's proof of absence."""
    listing = listing_of(provider)
    assert listing.complete, listing.why_incomplete
    return sorted(instance.name for instance in listing.instances)


def lists(world: World, provider: Provider, *expected: str) -> bool:
    return eventually(world, lambda: sorted(expected) == names(provider))


def create(world: World, provider: Provider, fleet: str, name: str, pool: str = "images") -> Instance:
    return provider.create(world.spec(name=name, fleet=fleet, pool=pool), timeout_s=TIMEOUT_S)


def meet(world: World, trouble: Trouble) -> None:
    if trouble not in world.troubles:
        pytest.skip(f"this world cannot bring about: {trouble}")
    world.meet(trouble)


def test_a_new_machine_is_listed_under_its_name_and_pool(world: World, fleet: str) -> None:
    """What was created is listed by the name that we chose, with its pool, under the id that the create gave."""
    provider = world.open(fleet)
    made = create(world, provider, fleet, "images-1")

    assert ("images-1", "images") == (made.name, made.pool)
    assert lists(world, provider, "images-1")
    (seen,) = listing_of(provider).instances
    assert (made.name, made.instance_id, made.pool) == (seen.name, seen.instance_id, seen.pool)


def test_a_machine_comes_to_run_and_says_when_it_was_made(world: World, fleet: str) -> None:
    """It is pending or running, comes to run, and its birth, on which bills are anchored, does not move."""
    provider = world.open(fleet)
    made = create(world, provider, fleet, "images-1")

    assert made.state in {InstanceState.PENDING, InstanceState.RUNNING}
    assert eventually(
        world,
        lambda: [InstanceState.RUNNING] == [each.state for each in listing_of(provider).instances],
    )
    (seen,) = listing_of(provider).instances
    assert seen.created_at is not None
    assert made.created_at in {None, seen.created_at}


def test_two_looks_at_an_unmoved_world_are_the_same(world: World, fleet: str) -> None:
    """Ids, names and births are stable between listings."""
    provider = world.open(fleet)
    for name in ("images-1", "images-2"):
        create(world, provider, fleet, name)
    assert lists(world, provider, "images-1", "images-2")

    def stable(listing: Listing) -> set[tuple[object, ...]]:
        return {(each.instance_id, each.name, each.pool, each.created_at) for each in listing.instances}

    assert stable(listing_of(provider)) == stable(listing_of(provider))


def test_a_restarted_daemon_sees_and_ends_what_the_last_one_made(world: World, fleet: str) -> None:
    """Machines outlive the provider object: closing it leaves them, and another one lists and destroys them."""
    first = world.open(fleet)
    made = create(world, first, fleet, "images-1")
    first.close()

    second = world.open(fleet)

    assert lists(world, second, "images-1")
    second.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert lists(world, second)
    assert () == world.machines_of(fleet=fleet)


def test_who_may_not_act_looks_and_orders_nothing(world: World, fleet: str) -> None:
    """Another daemon may lead by now: nothing is made and nothing ended, and what stands is still seen."""
    leader = world.open(fleet)
    made = create(world, leader, fleet, "images-1")
    assert lists(world, leader, "images-1")
    deposed = world.open(fleet, may_act=lambda: False)

    with pytest.raises(NotSent):
        create(world, deposed, fleet, "images-2")
    with pytest.raises(NotSent):
        deposed.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert lists(world, deposed, "images-1")
    assert ("images-1",) == world.machines_of(fleet=fleet)


def test_a_destroyed_machine_comes_to_be_absent(world: World, fleet: str) -> None:
    """After a destroy by id a complete listing comes to show the others only."""
    provider = world.open(fleet)
    made = create(world, provider, fleet, "images-1")
    create(world, provider, fleet, "images-2")
    assert lists(world, provider, "images-1", "images-2")

    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert lists(world, provider, "images-2")
    assert ("images-2",) == world.machines_of(fleet=fleet)


def test_a_machine_whose_id_is_not_known_is_ended_by_its_name(world: World, fleet: str) -> None:
    """After a lost answer the name is all that there is."""
    provider = world.open(fleet)
    create(world, provider, fleet, "images-1")
    create(world, provider, fleet, "images-10")
    assert lists(world, provider, "images-1", "images-10")

    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert lists(world, provider, "images-10")


def test_what_never_was_is_absent(world: World, fleet: str) -> None:
    """A destroy by a name that nobody bears says so, whatever the name."""
    provider = world.open(fleet)

    for name in ("images-1", "../images-1", "", "*"):
        with pytest.raises(InstanceAbsent):
            provider.destroy(name, None, timeout_s=TIMEOUT_S)


def test_a_second_destroy_is_harmless(world: World, fleet: str) -> None:
    """Asked again, a provider says absent or takes the wish once more; another machine is not touched."""
    provider = world.open(fleet)
    made = create(world, provider, fleet, "images-1")
    create(world, provider, fleet, "images-2")
    assert lists(world, provider, "images-1", "images-2")
    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert lists(world, provider, "images-2")

    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert lists(world, provider, "images-2")


def test_another_fleets_machines_are_neither_listed_nor_ended(world: World, fleet: str) -> None:
    """Not even by the same name, and not by their ids."""
    other = f"{fleet}-of-others"
    ours, theirs = world.open(fleet), world.open(other)
    create(world, theirs, other, "images-1")
    foreign = create(world, theirs, other, "images-2")
    assert lists(world, theirs, "images-1", "images-2")

    assert [] == names(ours)
    with pytest.raises(InstanceAbsent):
        ours.destroy("images-1", None, timeout_s=TIMEOUT_S)
    with pytest.raises((InstanceAbsent, RequestRejected)):
        ours.destroy("images-2", foreign.instance_id, timeout_s=TIMEOUT_S)
    assert ("images-1", "images-2") == tuple(sorted(world.machines_of(fleet=other)))

    for name in ("images-1", "images-2"):
        theirs.destroy(name, None, timeout_s=TIMEOUT_S)
    assert lists(world, theirs)


def test_user_data_arrives_unchanged(world: World, fleet: str) -> None:
    """The machine reads the very bytes that were rendered for it."""
    provider = world.open(fleet)
    spec = world.spec(name="images-1", fleet=fleet, pool="images")
    provider.create(spec, timeout_s=TIMEOUT_S)
    odd = world.spec(
        name="images-2", fleet=fleet, pool="images", user_data="#cloud-config\n# æøå & = + %\r\n\t".encode()
    )
    provider.create(odd, timeout_s=TIMEOUT_S)

    assert spec.user_data == world.user_data_of(name="images-1", fleet=fleet)
    assert odd.user_data == world.user_data_of(name="images-2", fleet=fleet)


def test_user_data_past_the_limit_is_refused_and_buys_nothing(world: World, fleet: str) -> None:
    """The traits' limit is the provider's own: one byte more is a definite no."""
    provider = world.open(fleet)
    spec = world.spec(
        name="images-1",
        fleet=fleet,
        pool="images",
        user_data=b"#" * (provider.traits.user_data_limit_bytes + 1),
    )

    with pytest.raises(RequestRejected, match="images-1"):
        provider.create(spec, timeout_s=TIMEOUT_S)

    assert () == world.machines_of(fleet=fleet)


def test_a_name_taken_is_refused_where_names_are_unique(world: World, fleet: str) -> None:
    """Where the traits say so, a second create of a name is a definite no and makes nothing."""
    provider = world.open(fleet)
    if not provider.traits.names_unique:
        pytest.skip("names are not unique here")
    create(world, provider, fleet, "images-1")

    with pytest.raises(RequestRejected, match="images-1"):
        create(world, provider, fleet, "images-1")

    assert ("images-1",) == world.machines_of(fleet=fleet)


def test_callers_at_once_each_get_their_own_machine(world: World, fleet: str) -> None:
    """Creates, listings and destroys from several threads at once do not mix up their answers."""
    provider = world.open(fleet)
    wanted = [f"images-{number}" for number in range(4)]
    together = threading.Barrier(len(wanted))

    def buy(name: str) -> Instance:
        together.wait(TIMEOUT_S)
        return create(world, provider, fleet, name, pool=f"pool-of-{name}")

    with ThreadPoolExecutor(len(wanted)) as threads:
        made = list(threads.map(buy, wanted))

    assert wanted == [each.name for each in made]
    assert lists(world, provider, *wanted)
    assert {(each.instance_id, each.name, f"pool-of-{each.name}") for each in made} == {
        (each.instance_id, each.name, each.pool) for each in listing_of(provider).instances
    }
    with ThreadPoolExecutor(len(made)) as threads:
        list(
            threads.map(lambda each: provider.destroy(each.name, each.instance_id, timeout_s=TIMEOUT_S), made)
        )
    assert lists(world, provider)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.CAPACITY, CapacityRefused),
        (Trouble.QUOTA, QuotaRefused),
        (Trouble.REJECTED, RequestRejected),
        (Trouble.THROTTLED, Throttled),
    ],
)
def test_a_refused_create_makes_nothing(
    world: World, fleet: str, trouble: Trouble, error: type[ProviderError]
) -> None:
    """Each refusal is the error whose next move fits, names the node and leaves no machine; the next create works."""
    provider = world.open(fleet)
    meet(world, trouble)

    with pytest.raises(error, match="images-1"):
        create(world, provider, fleet, "images-1")

    assert () == world.machines_of(fleet=fleet)
    create(world, provider, fleet, "images-2")
    assert lists(world, provider, "images-2")


def test_a_create_whose_answer_is_lost_is_unknown_and_found_by_its_name(world: World, fleet: str) -> None:
    """The machine stands once, is listed by our name, and can be ended by it."""
    provider = world.open(fleet)
    meet(world, Trouble.ANSWER_LOST)

    with pytest.raises(OutcomeUnknown, match="images-1"):
        create(world, provider, fleet, "images-1")

    assert ("images-1",) == world.machines_of(fleet=fleet)
    assert lists(world, provider, "images-1")
    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert lists(world, provider)


def test_a_create_that_never_arrived_is_unknown_and_not_repeated(world: World, fleet: str) -> None:
    """Nobody can tell it from a lost answer, so nothing is sent again."""
    provider = world.open(fleet)
    meet(world, Trouble.REQUEST_LOST)

    with pytest.raises(OutcomeUnknown, match="images-1"):
        create(world, provider, fleet, "images-1")

    world.pass_time(min(world.lists_within_s, 2.0))
    assert () == world.machines_of(fleet=fleet)


def test_a_listing_that_may_lack_a_page_is_not_complete(world: World, fleet: str) -> None:
    """It says so and why; what it does show is true."""
    provider = world.open(fleet)
    for name in ("images-1", "images-2"):
        create(world, provider, fleet, name)
    assert lists(world, provider, "images-1", "images-2")
    meet(world, Trouble.LISTING_CUT)

    listing = listing_of(provider)

    assert not listing.complete
    assert listing.why_incomplete
    assert {"images-1", "images-2"} >= {each.name for each in listing.instances}


def test_a_listing_that_fails_is_no_empty_listing(world: World, fleet: str) -> None:
    """Not having seen is an error, never an empty answer."""
    provider = world.open(fleet)
    meet(world, Trouble.LISTING_FAILS)

    with pytest.raises(ListingUnavailable):
        listing_of(provider)


def test_a_silent_provider_is_given_up_in_time(world: World, fleet: str) -> None:
    """A create without an answer is unknown and a listing without one unavailable, shortly after their timeout."""
    provider = world.open(fleet)
    meet(world, Trouble.SILENCE)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="images-1"):
        provider.create(world.spec(name="images-1", fleet=fleet, pool="images"), timeout_s=SHORT_S)
    assert time.monotonic() - began < SHORT_S + GRACE_S

    world.calm()
    world.meet(Trouble.SILENCE)
    began = time.monotonic()
    with pytest.raises(ListingUnavailable):
        provider.list_instances(timeout_s=SHORT_S)
    assert time.monotonic() - began < SHORT_S + GRACE_S


def test_nothing_that_people_see_holds_user_data(world: World, fleet: str) -> None:
    """Neither the spec, the machine, the provider nor a refusal with all that it is chained to shows a secret."""
    provider = world.open(fleet)
    secret = "hunter2-in-the-user-data"
    spec = world.spec(name="images-1", fleet=fleet, pool="images", user_data=f'{{"{secret}": 1}}'.encode())
    seen = [repr(spec), str(spec), repr(provider)]
    seen.append(repr(provider.create(spec, timeout_s=TIMEOUT_S)))
    seen.append(repr(listing_of(provider)))
    too_large = world.spec(
        name="images-2",
        fleet=fleet,
        pool="images",
        user_data=secret.encode() * (provider.traits.user_data_limit_bytes // len(secret) + 1),
    )
    with pytest.raises(RequestRejected) as refused:
        provider.create(too_large, timeout_s=TIMEOUT_S)
    seen.append("".join(traceback.format_exception(refused.value)))

    assert [] == [text for text in seen if secret in text]


def test_a_check_of_what_is_for_sale_finds_nothing_wrong(world: World, fleet: str) -> None:
    """A look at an offer finds something, none of it wrong, and buys nothing."""
    provider = world.open(fleet)
    findings = provider.check(world.purchase(), timeout_s=TIMEOUT_S)

    assert findings
    assert [] == [finding for finding in findings if not finding.ok]
    assert () == world.machines_of(fleet=fleet)
