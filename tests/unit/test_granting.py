"""Pools whose machines have a user of their own: what their user data holds, what it lacks, and what that asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from autoscaler import becoming, enrolling, granting, wiring
from autoscaler.clock import SystemClock
from autoscaler.config import Settings
from autoscaler.core import offers
from autoscaler.core.facts import REFUSALS, CallKind, Memory, Outcome, OutcomeKind, Rest, RestKind, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, PoolName
from autoscaler.gateways.contract import FactUnavailable
from bootstrap import worker
from bootstrap.contract import UnusableSpec
from providers.contract import NodeName, ProviderName, ProviderTraits, UserDataFormat
from tests.unit.config.documents import settings
from tests.unit.core.builders import AT, OFFER, POOL, a_node, a_snapshot
from tests.unit.stand_ins import Scripted

HERE, IMAGES, NODE = ProviderName("here"), PoolName("images"), NodeName("shop-images-1")
TRAITS = ProviderTraits(settle_s=1.0)
SECRET, PASSWORD = "t0ken of the application", "the daemon's own"
OWN = 'app = "shop"\nenvironment = { TOKEN = { env = "TOKEN" } }\ncredentials = "node"'


def own(*, token: str = SECRET, more: str = "") -> Settings:
    environ = {"PASSWORD": PASSWORD, "TOKEN": token}
    return settings(('app = "shop"', f"{OWN}\n{more}"), environ=environ)


def user_data(of: Settings, own_url: str | None = None) -> str:
    return becoming.user_data(of, "images", NODE, TRAITS, own_url=own_url).content.decode()


def test_user_data_holds_the_machines_own_login_and_no_secret_of_anybody_else() -> None:
    """Neither the worker's environment nor the daemon's user stand in it."""
    text = user_data(own(), "amqp://autoscaler.shop.n1:once@rabbit:5672/%2F")

    assert "autoscaler.shop.n1:once@" in text
    for secret in (SECRET, PASSWORD, "the%20daemon", "daemon:"):
        assert secret not in text


def test_shown_user_data_names_a_user_that_lets_nobody_in() -> None:
    """Whoever looks makes no user."""
    assert f"autoscaler.shop.{NODE}:made-with-the-order@" in user_data(own())


def test_a_machine_is_given_the_token_by_which_the_daemon_will_know_it() -> None:
    """Whatever it logs in with; nobody is shown it."""
    for loaded in (settings(), own()):
        made = becoming.user_data(loaded, "images", NODE, TRAITS)
        token = enrolling.tokens(loaded).of(NODE)

        assert token in made.content.decode()
        assert token not in made.masked


def test_a_granted_path_of_the_operators_hides_nothing_of_ours() -> None:
    """What is granted stands last on the machine, and the worker must find what holds the broker's name."""
    mine = OWN.replace("{ TOKEN", '{ PYTHONPATH = "/srv/shop", TOKEN')
    environ = {"PASSWORD": PASSWORD, "TOKEN": SECRET}
    plain, safe = (
        settings(('app = "shop"', mine), *changes, environ=environ)
        for changes in ((), (('amqp_url = "amqp://', 'ca_file = "/etc/ca.pem"\namqp_url = "amqps://'),))
    )

    given = [granting.accesses(each)[IMAGES].environment for each in (plain, safe)]

    assert given[0]["PYTHONPATH"] == "/srv/shop"
    assert given[1]["PYTHONPATH"] == f"{worker.MODULES}:/srv/shop"
    assert given[1]["AUTOSCALER_BROKER_CA"] == worker.BROKER_CA


def test_a_worker_with_a_user_of_its_own_asks_no_neighbours() -> None:
    """It may not give orders, and a question is one."""
    for loaded, mingles in ((own(), False), (settings(), True)):
        spec = becoming.worker_spec(loaded, "images", NODE)

        assert mingles == ("--without-mingle" not in worker.argv(spec, python="python3"))


def test_the_environment_travels_in_the_grant() -> None:
    """With all that the worker's rights rest on."""
    (access,) = granting.accesses(own(more='broker_rights = "queues"')).values()

    assert {"TOKEN": SECRET} == access.environment
    assert (("images",), False) == (access.celery.queues, access.celery.publishes)
    assert granting.accesses(own())[IMAGES].celery.publishes


def test_nothing_is_opened_where_no_pool_wants_it() -> None:
    """Then the daemon's user needs no more rights than before."""
    assert None is granting.open_users(settings(), clock=SystemClock())


def test_the_fleet_has_a_voice_where_a_pool_has_a_lease() -> None:
    """Else nothing is connected for it."""
    for more, speaks in (("", False), ('lease = "10m"', True)):
        loaded = settings(('app = "shop"', f'app = "shop"\n{more}'))
        voice = granting.open_voice(loaded, clock=SystemClock(), may_speak=lambda: True)

        assert speaks == (voice is not None)


def test_a_process_of_this_machine_has_no_user_of_its_own() -> None:
    """It asks for no grant, so it would never work."""
    processes = replace(TRAITS, user_data_format=UserDataFormat.PROCESS)
    with pytest.raises(UnusableSpec, match="credentials"):
        becoming.user_data(own(), "images", NODE, processes)


def test_what_is_granted_is_part_of_what_a_machine_becomes() -> None:
    """By the names of its variables; their values change nothing, as everywhere."""

    def becomes(loaded: Settings) -> Iterable[str]:
        return set(wiring.rulebook(loaded, {HERE: TRAITS}).pools[IMAGES].becomes.values())

    more = OWN.replace("TOKEN = {", "MORE = '1', TOKEN = {", 1)
    changed = settings(('app = "shop"', more), environ={"PASSWORD": PASSWORD, "TOKEN": SECRET})

    assert becomes(own()) == becomes(own(token="another"))
    assert becomes(own()) != becomes(changed)


def test_a_user_is_made_before_the_order_is_written() -> None:
    """An order that cannot have one is never written; another pool's makes none."""

    class Users:
        def enrol(self, node: NodeName, pool: PoolName) -> str:
            raise FactUnavailable(f"no user for {node} of {pool}")

    for loaded, fails in ((own(), True), (settings(), False)):
        rules = wiring.rulebook(loaded, {HERE: TRAITS})
        order = becoming.render_with(loaded, rules, {HERE: Scripted()}, Users())  # type: ignore[arg-type]
        offer = rules.pools[IMAGES].offers[0]
        action = CreateNode(node=NODE, pool=IMAGES, offer=offer, timeout_s=1.0)
        if fails:
            with pytest.raises(FactUnavailable, match=NODE):
                order(action)
        else:
            assert NODE == order(action).name


def refused(kind: OutcomeKind, *, memory: Memory, at: float = AT) -> Snapshot:
    outcome = Outcome(
        node=NodeName("n1"), call=CallKind.CREATE, kind=kind, at=at, says="no user could be made"
    )
    node = a_node("n1", NodeState.CREATING, ordered_at=at)
    return a_snapshot(node, outcomes=(outcome,), memory=memory, at=at)


def test_an_order_that_could_not_be_prepared_lets_the_offer_rest_for_its_pool_alone() -> None:
    """It is a definite no, soon tried again; the account and other pools are none the wiser."""
    memory = offers.remember(refused(OutcomeKind.UNPREPARED, memory=Memory()))

    assert OutcomeKind.UNPREPARED in REFUSALS
    assert "no user could be made" in (offers.why_resting(OFFER, POOL, memory, AT) or "")
    assert None is offers.why_resting(OFFER, PoolName("other"), memory, AT)
    assert None is offers.why_resting(OFFER, POOL, memory, AT + 31.0)


def test_such_rests_grow_to_five_minutes_and_end_with_an_order_that_is_taken() -> None:
    """The broker may be away for long, and comes back at some moment."""
    memory, at = Memory(), AT
    for _ in range(12):
        memory = offers.remember(refused(OutcomeKind.UNPREPARED, memory=memory, at=at))
        (rest,) = memory.offer_rests.values()
        assert rest.until_at - at <= 300.0
        at = rest.until_at
    assert 300.0 == rest.until_at - (at - 300.0)

    assert {} == offers.remember(refused(OutcomeKind.DONE, memory=memory, at=at)).offer_rests


def test_what_an_offer_was_doubted_for_stays_in_doubt() -> None:
    """A machine that never enrolled is not forgotten for a broker that was away."""
    key = offers.for_pool(OFFER.name, POOL)
    doubt = Rest(until_at=AT - 1.0, refusals=3, why="they do not enrol", kind=RestKind.NEVER_ENROLLED)
    memory = offers.remember(refused(OutcomeKind.UNPREPARED, memory=Memory(offer_rests={key: doubt})))

    rest = memory.offer_rests[key]
    assert (RestKind.NEVER_ENROLLED, 3) == (rest.kind, rest.refusals)
    assert rest.until_at > AT
