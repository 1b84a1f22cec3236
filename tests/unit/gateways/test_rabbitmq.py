"""The broker's answers become Demand, or the reason why there is none: by value, over a real socket."""

from collections.abc import Mapping

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.gateways import rabbitmq_rows
from policies.contract import Demand, QueueDemand, Reading, Trust
from tests.unit.gateways.looking import POOL, looking
from tests.unit.gateways.management_server import Answer, Script, says


def a_row(name: str = "images", **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "name": name,
        "messages_ready": 30,
        "messages_unacknowledged": 4,
        "consumers": 2,
        "arguments": {},
        "message_stats": {"publish": 100, "ack": 60, "deliver_no_ack": 5, "get_no_ack": 1},
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def a_vhost(names: list[str]) -> Script:
    """A vhost with these queues, listed and one by one."""

    def script(path: str, query: dict[str, str]) -> Answer:
        if path == "/api/queues/%2F":
            # Whether there is such a vhost is asked by a page of one.
            return says({"items": []} if "page" in query else [a_row(name) for name in names])
        name = path.rpartition("/")[2]
        return says(a_row(name)) if name in names else says({}, 404)

    return script


def the_demand(found: Mapping[PoolName, Demand | Missing], pool: PoolName = POOL) -> Demand:
    demand = found[pool]
    assert isinstance(demand, Demand), demand
    return demand


def test_a_queue_becomes_demand() -> None:
    """Counts at once; rates and waits from the second look on."""
    looks = iter(
        [a_row(), a_row(messages_ready=90, message_stats={"publish": 200, "ack": 100, "deliver_no_ack": 6})]
    )
    with looking(lambda _p, _q: says(next(looks))) as (broker, server, clock):
        first = the_demand(broker.demand({POOL: ("images",)}))
        clock.at += 10
        second = the_demand(broker.demand({POOL: ("images",)}))

    assert (30, 4) == (first.backlog, first.in_progress)
    assert {Trust.ABSENT} == {first.arrivals_per_s.trust, first.completions_per_s.trust, first.wait_s.trust}
    assert (QueueDemand(name="images", backlog=90, in_progress=4, consumers=2),) == second.queues
    assert (10.0, 4.0) == (second.arrivals_per_s.value, second.completions_per_s.value)
    assert Reading(value=9.0, trust=Trust.SOLID) == second.wait_s
    assert 1.7e9 + 1010 == second.measured_at
    assert ("/api/queues/%2F/images", {"columns": rabbitmq_rows.COLUMNS}) == server.asked[0]


def test_a_pool_is_the_sum_of_its_queues() -> None:
    """Several queues, several pools, one look at each queue."""
    with looking(a_vhost(["a", "b"])) as (broker, server, _):
        found = broker.demand({POOL: ("a", "b"), PoolName("other"): ("b",)})

    assert (60, 8) == (the_demand(found).backlog, the_demand(found).in_progress)
    assert 30 == the_demand(found, PoolName("other")).backlog
    assert 2 == len(server.asked)


def test_a_queue_that_does_not_exist_yet_holds_nothing_and_is_told() -> None:
    """Celery declares it when the first worker or producer comes."""
    with looking(a_vhost(["a"])) as (broker, _, _):
        demand = the_demand(broker.demand({POOL: ("soon",)}))

    assert QueueDemand(name="soon", backlog=0, in_progress=0, consumers=0, missing=True) == demand.queues[0]
    assert ("queue 'soon' does not exist yet",) == demand.warnings
    assert Reading(value=0.0, trust=Trust.SOLID) == demand.wait_s


def test_a_queue_on_a_node_that_is_down_is_not_taken_for_an_empty_one() -> None:
    """Asked for by name RabbitMQ answers 404 as for one that was never made; a listing shows it without counts."""

    def on_two_nodes(path: str, query: dict[str, str]) -> Answer:
        if query.get("name") == r"^(films\.4k|images)$" and query["use_regex"] == "true":
            return says({"items": [{"name": "films.4k"}, {"name": "thumbs"}]})
        return says({"error": "Object Not Found"}, 404)

    with looking(on_two_nodes) as (broker, server, _):
        found = broker.demand({POOL: ("images",), PoolName("films"): ("films.4k",)})

    assert 0 == the_demand(found).backlog
    down = found[PoolName("films")]
    assert isinstance(down, Missing)
    assert "lists the queue 'films.4k' and cannot show it" in down.why
    assert 3 == len(server.asked)


@pytest.mark.parametrize(
    "page", [[], {}, {"items": 7}, {"items": [7]}, {"items": [{"state": "down"}]}], ids=str
)
def test_a_page_that_is_none_says_nothing_of_a_queue_that_is_not_there(page: object) -> None:
    """Whether it does not exist or cannot be seen is not known then."""
    with looking(lambda _p, query: says(page) if "page" in query else says({}, 404)) as (broker, _, _):
        found = broker.demand({POOL: ("images",)})

    assert isinstance(found[POOL], Missing)


def test_a_flood_into_a_new_queue_is_measured_from_when_it_was_not_there() -> None:
    """What is counted in it was published since."""
    answers = iter(
        [says({}, 404), says({"items": []}), says(a_row(messages_ready=300, message_stats={"publish": 300}))]
    )
    with looking(lambda _p, _q: next(answers)) as (broker, _, clock):
        broker.demand({POOL: ("images",)})
        clock.at += 10
        demand = the_demand(broker.demand({POOL: ("images",)}))

    assert 30.0 == demand.arrivals_per_s.value
    assert 10.0 == demand.wait_s.value


def test_an_absent_vhost_is_no_empty_queue() -> None:
    """RabbitMQ answers 404 for both."""
    with looking(lambda _p, _q: says({}, 404), vhost="nowhere") as (broker, _, _):
        one_by_one = broker.demand({POOL: ("images",)})
        listed = broker.demand({POOL: ("images*",)})

    assert {POOL: Missing(why="the broker has no vhost 'nowhere'")} == one_by_one == listed


@pytest.mark.parametrize(
    "changes",
    [
        {"messages_ready": ...},
        {"messages_unacknowledged": ...},
        {"consumers": ...},
        {"messages_ready": None},
        {"messages_ready": -1},
        {"messages_ready": 2.5},
        {"messages_ready": "7"},
        {"messages_ready": True},
        {"messages_ready": 10**12 + 1},
        {"message_stats": {"publish": -5}},
        {"message_stats": {"publish": 1, "ack": "many"}},
    ],
    ids=str,
)
def test_absent_is_not_zero_and_nonsense_is_no_number(changes: dict[str, object]) -> None:
    """Statistics off, not there yet, negative or absurd: the pool's demand is missing, and says of which queue."""
    with looking(lambda _p, _q: says(a_row(**changes))) as (broker, _, _):
        found = broker.demand({POOL: ("images",)})[POOL]

    assert isinstance(found, Missing)
    assert "'images'" in found.why


@pytest.mark.parametrize("stats", [..., None, {}, [], 7], ids=str)
def test_counts_without_counters_are_solid_and_have_no_rates(stats: object) -> None:
    """`rates_mode = none`, or a broker that has just started."""
    with looking(lambda _p, _q: says(a_row(message_stats=stats))) as (broker, _, clock):
        broker.demand({POOL: ("images",)})
        clock.at += 10
        demand = the_demand(broker.demand({POOL: ("images",)}))

    assert 30 == demand.backlog
    assert {Trust.ABSENT} == {
        demand.arrivals_per_s.trust,
        demand.completions_per_s.trust,
        demand.wait_s.trust,
    }


def test_a_queue_with_priorities_gives_a_rough_wait() -> None:
    """Its head is not its oldest message."""
    with looking(lambda _p, _q: says(a_row(messages_ready=0, arguments={"x-max-priority": 9}))) as (
        broker,
        server,
        clock,
    ):
        broker.demand({POOL: ("images",)})
        clock.at += 10
        row = a_row(
            messages_ready=50,
            arguments={"x-max-priority": 9},
            message_stats={"publish": 200, "ack": 60, "deliver_no_ack": 6},
        )
        server.script = lambda _p, _q: says(row)
        demand = the_demand(broker.demand({POOL: ("images",)}))

    assert Trust.ROUGH is demand.wait_s.trust


def test_one_unreadable_queue_hides_its_own_pool_only() -> None:
    """A queue whose node is down answers with an error; the others are still seen."""

    def script(path: str, query: dict[str, str]) -> Answer:
        return says({}, 500) if path.endswith("/bad") else says(a_row("good"))

    with looking(script) as (broker, _, _):
        found = broker.demand({POOL: ("bad",), PoolName("other"): ("good",)})

    assert isinstance(found[POOL], Missing)
    assert 30 == the_demand(found, PoolName("other")).backlog


def test_a_broker_that_does_not_answer_is_asked_once() -> None:
    """Ten queues do not wait ten time-outs, nor ten workers, and each says why."""
    workers = [WorkerName(f"celery@{i}") for i in range(10)]
    with looking(lambda _p, _q: Answer(silent_s=30), timeout_s=0.3) as (broker, server, _):
        found = broker.demand({PoolName(f"p{i}"): (f"q{i}",) for i in range(10)})
        held = broker.unacknowledged(workers, 5)

    assert 10 == sum(isinstance(demand, Missing) for demand in found.values())
    assert 10 == sum(isinstance(one, Missing) for one in held.values())
    assert 2 == len(server.asked)


def test_patterns_take_one_listing_for_all_pools() -> None:
    """However many queues there are, with only the columns that are used."""
    names = [f"thumbs.{i:04}" for i in range(1200)] + ["images", "celery@x.celery.pidbox", "celeryev.1"]
    with looking(a_vhost(names)) as (broker, server, _):
        found = broker.demand(
            {POOL: ("thumbs.*",), PoolName("all"): ("*",), PoolName("one"): ("images", "soon")}
        )

    assert 1200 == len(the_demand(found).queues)
    assert 1201 == len(the_demand(found, PoolName("all")).queues)
    assert ["images", "soon"] == [q.name for q in the_demand(found, PoolName("one")).queues]
    assert [("/api/queues/%2F", {"columns": rabbitmq_rows.COLUMNS})] == server.asked


def test_many_exact_names_are_listed_rather_than_asked_one_by_one() -> None:
    """One call instead of 21."""
    names = [f"q{i}" for i in range(21)]
    with looking(a_vhost(names)) as (broker, server, _):
        demand = the_demand(broker.demand({POOL: tuple(names)}))

    assert 21 * 30 == demand.backlog
    assert 1 == len(server.asked)


def test_a_pattern_that_matches_nothing_is_told() -> None:
    """Zero, because the whole vhost was seen; with a warning, because it may be a typo."""
    with looking(a_vhost(["images"])) as (broker, _, _):
        demand = the_demand(broker.demand({POOL: ("thumbs.*",)}))

    assert (0, ("no queue matches thumbs.*",)) == (demand.backlog, demand.warnings)


@pytest.mark.parametrize("listing", [{}, {"items": []}, 3, None, [7], [{}], [{"name": 7}]], ids=str)
def test_a_listing_that_is_none_is_missing(listing: object) -> None:
    """Whatever it is instead: a row without a name may be one of ours."""
    with looking(lambda _p, _q: says(listing)) as (broker, _, _):
        assert isinstance(broker.demand({POOL: ("q*",)})[POOL], Missing)


def test_a_history_is_kept_only_of_queues_that_are_asked_for() -> None:
    """Memory follows the configuration."""
    with looking(a_vhost(["a", "b"])) as (broker, _, _):
        broker.demand({POOL: ("a", "b")})
        broker.demand({POOL: ("b",)})

        assert {"b"} == broker._history.keys()
