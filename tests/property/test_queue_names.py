"""Which pools mean a queue, against the plain way: every name of every pool tried."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.core.model import PoolName
from autoscaler.gateways import queue_names
from autoscaler.gateways.queue_names import QueueNames, is_pattern

QUEUES = st.text(alphabet="ab.[]", min_size=1, max_size=5)
NAMES = st.text(alphabet="ab.*?[]!", min_size=1, max_size=5)
POOLS = st.dictionaries(
    st.sampled_from([PoolName(name) for name in "xyz"]), st.lists(NAMES, max_size=4).map(tuple)
)


@given(pools=POOLS, queue=QUEUES)
@example(pools={PoolName("x"): ("a.*", "a.b", "*"), PoolName("y"): ("a.b",)}, queue="a.b")
@example(pools={PoolName("x"): ("[",)}, queue="[")
def test_a_queue_is_meant_by_whom_it_would_be_if_all_were_tried(
    pools: dict[PoolName, tuple[str, ...]], queue: str
) -> None:
    """Each pool once, however often it names the queue."""
    meant = [
        pool
        for pool, names in pools.items()
        if any(queue == name or (is_pattern(name) and fnmatchcase(queue, name)) for name in names)
    ]

    names = QueueNames(pools)
    found, again = list(names.pools(queue)), list(names.pools(queue))

    assert sorted(meant) == sorted(found)
    assert found == again


def test_queues_of_brokers_and_workers_are_meant_by_no_pattern() -> None:
    """Unless one is named as it is."""
    kept = ("celery@a.celery.pidbox", "celeryev.7", "amq.gen-x")
    everything, named = QueueNames({PoolName("all"): ("*",)}), QueueNames({PoolName("one"): kept})

    assert [[], [], []] == [list(everything.pools(name)) for name in kept]
    assert [["one"], ["one"], ["one"]] == [list(named.pools(name)) for name in kept]


def test_of_queues_that_come_and_go_a_bounded_number_is_remembered() -> None:
    """Whoever may declare queues may declare any number of them, one after the other."""
    names = QueueNames({PoolName("all"): ("a*",)})

    for number in range(queue_names._MOST_KNOWN + 5):
        assert ("all",) == names.pools(f"a{number}")

    assert 5 == len(names._known)
