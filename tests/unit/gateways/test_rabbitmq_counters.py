"""Rates and waits by value, and the wait against a queue that is played through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.gateways import rabbitmq_counters
from autoscaler.gateways.rabbitmq_counters import Counters, QueueHistory
from policies.contract import Flow, Reading, Trust


def history(*looks: tuple[float, int, int], fifo: bool = True, interval_s: float = 5.0) -> QueueHistory:
    """Looks as (at, published, completed)."""
    made = QueueHistory(fifo=fifo, interval_s=interval_s)
    for at, published, completed in looks:
        made.take(Counters(at=at, published=published, completed=completed))
    return made


def solid(value: float) -> Reading:
    return Reading(value=value, trust=Trust.SOLID)


def rough(value: float, why: str) -> Reading:
    return Reading(value=value, trust=Trust.ROUGH, why=why)


def absent(why: str) -> Reading:
    return Reading(value=None, trust=Trust.ABSENT, why=why)


def test_a_rate_is_the_growth_of_the_counter_over_the_last_minute() -> None:
    """Older looks do not count."""
    made = history(*((10.0 * i, 100 * i if i < 10 else 1000 + 20 * (i - 10), 5 * i) for i in range(20)))

    assert (2.0, 0.5, "") == made.rates_per_s()


def test_a_flood_after_a_long_rest_is_not_spread_over_the_rest() -> None:
    """What was still for an hour and then got 600 in ten seconds has 600 in the minute."""
    made = history(*((10.0 * i, 0, 0) for i in range(360)), (3600.0, 600, 0))

    assert (10.0, 0.0, "") == made.rates_per_s()


def test_one_look_gives_no_rate() -> None:
    """Absent is not zero."""
    assert (None, None) == history((0, 5, 5)).rates_per_s()[:2]
    assert (None, None) == QueueHistory().rates_per_s()[:2]


def test_the_same_figures_read_twice_are_not_a_standstill() -> None:
    """Looks closer together than the broker's statistics say nothing about a rate."""
    made = history((0, 100, 100), (1, 100, 100), (2, 100, 100))

    assert (None, None, "a rate needs two looks at least 5 s apart") == made.rates_per_s()


def test_steps_of_the_brokers_statistics_do_not_become_spikes() -> None:
    """Polled each second while the broker's figures move every five: ten a second stays near ten."""
    made = QueueHistory()
    for second in range(180):
        made.take(Counters(at=float(second), published=10 * (second - second % 5), completed=0))
        arrivals, _, _ = made.rates_per_s()
        if second >= 60:
            assert arrivals == pytest.approx(10.0, abs=10.0 * 5 / 60)


def test_a_short_window_is_rough() -> None:
    """Under three of the broker's steps."""
    made = history((0, 0, 0), (10, 50, 0))

    assert (5.0, 0.0, "over 10 s only") == made.rates_per_s()


@pytest.mark.parametrize("fallen", [(130.0, 10, 500), (130.0, 700, 0)], ids=["published", "completed"])
def test_counters_that_fall_were_reset(fallen: tuple[float, int, int]) -> None:
    """A restarted broker counts from zero: never a negative rate, and no belief in what was before."""
    made = history((0, 0, 0), (60, 300, 250), (120, 600, 500), fallen)

    assert (None, None) == made.rates_per_s()[:2]

    made.take(Counters(at=150, published=fallen[1] + 40, completed=fallen[2] + 20))

    assert (2.0, 1.0, "the broker's counters began anew") == made.rates_per_s()


def test_nothing_waits_in_an_empty_queue() -> None:
    """Known without any counter."""
    assert (0.0, "") == QueueHistory().wait_s(0)


def test_the_head_waits_since_the_counter_passed_it() -> None:
    """200 published, 100 of them waiting: the head is the 101st, published half-way between two looks."""
    made = history((0, 0, 0), (10, 50, 0), (20, 150, 0), (30, 200, 100))

    assert (15.0, "") == made.wait_s(100)


def test_a_head_published_after_a_rest_is_not_older_than_the_rest() -> None:
    """The counter stood at the head's number for an hour; it was published when the counter moved on."""
    made = history((0, 0, 0), (10, 50, 50), *((20.0 + 10 * i, 50, 50) for i in range(360)), (3630.0, 60, 50))

    assert (20.0, "") == made.wait_s(10)


def test_a_head_from_before_our_first_look_has_waited_at_least_since_then() -> None:
    """A lower bound, and rough."""
    made = history((100, 50, 0), (160, 60, 0))

    assert (60.0, "older than our first look; it is at least this") == made.wait_s(40)


def test_at_the_first_look_nothing_is_known_of_a_wait() -> None:
    """ "At least nothing" would read as nothing."""
    assert (None, "what waits was published before our first look") == history((100, 50, 0)).wait_s(40)


def test_a_priority_queue_gives_a_rough_wait() -> None:
    """It does not serve in order."""
    made = history((0, 0, 0), (10, 100, 0), fifo=False)

    assert (5.0, "a priority queue does not serve in order") == made.wait_s(50)


def test_redelivery_makes_a_wait_rough() -> None:
    """A message that came back is older than its place in the count."""
    made = history((0, 0, 0), (10, 100, 0))
    made.take(Counters(at=20, published=200, completed=50, redelivered=3))

    assert (5.0, "messages were delivered again and may be older") == made.wait_s(50)


def test_memory_is_bounded_for_one_queue_and_for_all() -> None:
    """The oldest looks go first; many queues keep fewer each."""
    made = history(*((float(i), i, i) for i in range(5_000)))

    assert 1_000 == len(made._seen)
    assert 1_000 == rabbitmq_counters.samples_each(0)
    assert 200 == rabbitmq_counters.samples_each(1_000)
    assert 40 == rabbitmq_counters.samples_each(1_000_000)


def test_a_still_queue_takes_no_memory() -> None:
    """Two looks hold an hour of the same figures."""
    assert 2 == len(history(*((10.0 * i, 7, 7) for i in range(360)))._seen)


def test_several_queues_add_up_and_trust_the_weakest() -> None:
    """A sum with one part unknown is unknown."""
    assert (solid(3.0), solid(5.0)) == rabbitmq_counters.together([(1.0, 2.0, ""), (2.0, 3.0, "")])
    assert (rough(3.0, "short"), rough(0.0, "short")) == rabbitmq_counters.together(
        [(1.0, 0.0, ""), (2.0, 0.0, "short")]
    )
    assert (absent("x"), absent("x")) == rabbitmq_counters.together([(1.0, 1.0, "short"), (None, None, "x")])
    assert (solid(0.0), solid(0.0)) == rabbitmq_counters.together([])


def test_the_longest_wait_stands_for_the_pool() -> None:
    """With one queue unknown, the longest known is a lower bound; a lower bound of nothing is not known."""
    assert solid(9.0) == rabbitmq_counters.longest([(1.0, ""), (9.0, "")])
    assert rough(9.0, "at least this; x") == rabbitmq_counters.longest([(9.0, ""), (None, "x")])
    assert absent("x") == rabbitmq_counters.longest([(0.0, ""), (None, "x")])
    assert solid(0.0) == rabbitmq_counters.longest([])


def test_a_longest_wait_is_as_rough_as_the_roughest_of_all() -> None:
    """One that is rough may be the longest; why the longest itself is rough is told first."""
    assert rough(9.0, "short") == rabbitmq_counters.longest([(1.0, "short"), (9.0, "")])
    assert rough(9.0, "long") == rabbitmq_counters.longest([(1.0, "short"), (9.0, "long")])


@given(
    gaps=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=120),
    service_s=st.floats(0.5, 20.0),
    every_s=st.floats(1.0, 15.0),
    burst=st.integers(1, 5),
)
def test_the_wait_of_a_fifo_is_right_to_within_one_look(
    gaps: list[float], service_s: float, every_s: float, burst: int
) -> None:
    """One server, any arrivals: at every look the estimate is off by at most the time between two looks."""
    published: list[float] = []
    for gap in gaps:
        published += [(published[-1] if published else 1.0) + gap] * burst
    delivered: list[float] = []
    for at in published:
        delivered.append(max(at, delivered[-1] + service_s if delivered else at))
    made = QueueHistory(interval_s=0.0)
    looks = int(delivered[-1] / every_s) + 2
    for index in range(min(looks, 900)):
        now = index * every_s
        came, went = sum(at <= now for at in published), sum(at <= now for at in delivered)
        made.take(Counters(at=now, published=came, completed=went))
        wait_s, why_rough = made.wait_s(came - went)
        truth = now - published[went] if came > went else 0.0

        assert wait_s is not None
        assert abs(wait_s - truth) <= every_s + 1e-6
        assert "" == why_rough


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 10**12), st.integers(0, 10**12)), max_size=50),
    st.integers(0, 10**12),
)
def test_whatever_the_counters_do_no_rate_or_wait_is_negative(
    looks: list[tuple[float, int, int]], backlog: int
) -> None:
    """Nonsense from the broker becomes rough or absent, never an exception or a negative number."""
    made, now = QueueHistory(), 0.0
    for gap, published, completed in looks:
        now += gap
        made.take(Counters(at=now, published=published, completed=completed))
        arrivals, completions, _ = made.rates_per_s()
        for figure in (arrivals, completions, made.wait_s(backlog)[0]):
            assert figure is None or figure >= 0


def flow_of(*histories: QueueHistory) -> Flow | None:
    return rabbitmq_counters.flow_of([each.step for each in histories])


def test_the_flow_is_what_was_counted_between_the_last_two_looks() -> None:
    """Also where a still queue keeps only its first and its last look."""
    assert Flow(arrived=30, completed=4, over_s=10.0) == flow_of(history((0, 0, 0), (10, 10, 1), (20, 40, 5)))
    assert Flow(arrived=0, completed=0, over_s=10.0) == flow_of(history(*((10 * i, 5, 5) for i in range(9))))


def test_after_one_look_or_a_reset_no_flow_is_known() -> None:
    """Absent is not zero."""
    assert None is flow_of(history((0, 7, 7)))
    assert None is flow_of(history((0, 7, 7), (10, 3, 2)))


def test_flows_of_several_queues_add_up_where_all_are_known() -> None:
    """One that is not known may be the one that matters."""
    one, two = history((0, 0, 0), (10, 1, 2)), history((0, 5, 5), (9, 8, 9))

    assert Flow(arrived=4, completed=6, over_s=10.0) == flow_of(one, two)
    assert None is flow_of(one, history((0, 7, 7)))
    assert None is flow_of()


def test_what_was_delivered_again_is_counted_between_two_looks() -> None:
    """And a counter of deliveries that fell was reset, as any."""
    made = QueueHistory()
    for at, delivered, redelivered in ((10, 100, 5), (20, 160, 25), (30, 10, 0)):
        made.take(Counters(at=at, published=0, completed=0, delivered=delivered, redelivered=redelivered))
        if at == 20:
            assert Flow(arrived=0, completed=0, over_s=10, delivered=60, redelivered=20) == flow_of(made)
            assert Flow(arrived=0, completed=0, over_s=10, delivered=120, redelivered=40) == flow_of(
                made, made
            )

    assert None is flow_of(made)
