"""Replacing machines: one new first and heard, then one old, never below what is wanted and never above a ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from autoscaler.core import invariants, remembering
from autoscaler.core.facts import Memory, Missing, Rest, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    CreateNode,
    Node,
    Order,
    OrderAnswer,
    OrderKind,
    Plan,
    PoolRules,
)
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.remarks import by_pool
from policies.contract import Limits
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    FLEET,
    OFFER,
    POOL,
    a_node,
    a_pool,
    a_snapshot,
    rules,
    wanted,
)

S = NodeState
OLD, NEW = "old", "new"
PROVEN = Memory(clocks=CLOCKS, good_looks={POOL: 10}, proven={POOL: (OLD, NEW)})
UNPROVEN = replace(PROVEN, proven={POOL: (OLD,)})
BLIND = Missing(why="not seen")
HOURLY = replace(OFFER, quantum_s=3600)


def ruled(**fields: Any) -> PoolRules:
    """A pool that replaces what drifted."""
    return a_pool(**({"offers": (OFFER,), "becomes": {OFFER.name: NEW}, "replaces_drifted": True} | fields))


def old(*names: str, **fields: Any) -> tuple[Node, ...]:
    return tuple(a_node(name, **({"becomes": OLD} | fields)) for name in names)


def order(target: str = POOL, kind: OrderKind = OrderKind.REPLACE, **fields: Any) -> Order:
    return Order(number=1, kind=kind, target=target, given_at=AT, given_by="kari", **fields)


@dataclass
class Life:
    """A pool that wants so many workers; machines come and go between two ticks, unless it is told otherwise."""

    nodes: tuple[Node, ...]
    wants: int
    pool: PoolRules = field(default_factory=ruled)
    memory: Memory = PROVEN
    at: float = AT
    ticks: list[Plan] = field(default_factory=list)

    def tick(self, *orders: Order, **facts: Any) -> Plan:
        """One tick, as the loop makes it."""
        seed = f"t{len(self.ticks)}"
        usual = {"memory": self.memory, "orders": orders, "at": self.at, "name_seed": seed}
        seen: Snapshot = a_snapshot(*self.nodes, **(usual | facts))
        book = rules(self.pool)
        reconciled = reconcile(seen, book, FLEET)
        decided = wanted(self.wants, pool=self.pool)
        if isinstance(seen.demand[POOL], Missing):
            decided = wanted(self.wants, pool=self.pool, demand=None)
        made = plan(seen, reconciled, {POOL: decided}, book, FLEET)
        invariants.check(seen, reconciled, made, book, FLEET)
        self.memory = remembering.after(seen, reconciled, made, book, FLEET)
        self.nodes = made.nodes
        self.ticks.append(made)
        return made

    def go_on(self) -> None:
        """What was ordered becomes a worker, and who drained or was ended is gone."""
        stays = [n for n in self.nodes if n.state not in {S.DRAINING, S.DESTROYING, S.GONE}]
        self.nodes = tuple(replace(n, state=S.READY, enrolled_at=self.at) for n in stays)

    def roll(self, ticks: int) -> Iterator[Plan]:
        for _ in range(ticks):
            yield self.tick()
            self.go_on()

    def serving(self) -> int:
        return sum(n.state is S.READY for n in self.nodes)


def left(made: Plan) -> list[str]:
    return [told.node for told in made.transitions if told.event is Event.REPLACE_CHOSEN]


def bought(made: Plan) -> int:
    return sum(isinstance(action, CreateNode) for action in made.actions)


def says(made: Plan) -> str:
    return "; ".join(by_pool(made.remarks)[POOL])


def test_a_fleet_is_replaced_one_after_the_other_and_never_too_few_serve() -> None:
    """A new one comes, an old one goes, until none is left; then nothing happens any more."""
    life = Life(nodes=old("n1", "n2", "n3"), wants=3)

    for made in life.roll(10):
        assert life.serving() in {3, 4} or bought(made)
        assert 3 <= sum(n.state is S.READY for n in made.nodes)
        assert len(left(made)) <= 1
        assert sum(n.state is not S.GONE for n in made.nodes) <= 4

    assert [NEW] * 3 == [node.becomes for node in life.nodes]
    assert [1, 0, 1, 0, 1] == [bought(made) for made in life.ticks][:5]
    assert [] == [*life.ticks[-1].transitions, *life.ticks[-1].remarks]


def test_the_new_one_is_heard_before_an_old_one_is_told_to_leave() -> None:
    """Who boots may never become a worker."""
    life = Life(
        nodes=(*old("n1", "n2"), a_node("young", S.BOOTING, becomes=NEW, entered_on=4_999.0)), wants=2
    )

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "2 of 3 machines are outdated, 2 to be replaced: waits for a new worker to be heard" == says(made)


def test_while_one_leaves_no_other_does_and_none_is_bought_for_it() -> None:
    """One at a time, however long it takes; and load does not take it back."""
    leaving = a_node("n1", S.DRAINING, consumer_order=ConsumerOrder.LEAVE, becomes=OLD)
    life = Life(nodes=(leaving, *old("n2"), a_node("young", becomes=NEW)), wants=2)

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "n1 finishes what it holds" in says(made)


def test_without_a_policy_nothing_is_replaced_and_it_is_said_how_it_would_be() -> None:
    """Drift is shown; what is done about it is the operator's choice."""
    life = Life(nodes=old("n1", "n2"), wants=2, pool=ruled(replaces_drifted=False))

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "2 of 2 machines are outdated; `autoscaler replace images` replaces them" == says(made)
    assert {"n1": "bootstrap: another than now", "n2": "bootstrap: another than now"} == life.memory.outdated


def test_an_operators_word_replaces_what_is_outdated_and_stands() -> None:
    """Through all ticks that follow, until the last one is gone; the one that is not outdated stays."""
    nodes = (*old("n1", "n2"), a_node("young", becomes=NEW))
    life = Life(nodes=nodes, wants=3, pool=ruled(replaces_drifted=False))

    answers = life.tick(order()).answers
    life.go_on()
    list(life.roll(8))

    words = "2 machines of images will be replaced, one after the other"
    assert (OrderAnswer(number=1, carried_out=True, says=words),) == answers
    assert "young" in {node.name for node in life.nodes}
    assert [NEW] * 3 == [node.becomes for node in life.nodes]


def test_all_of_a_pool_and_one_machine_can_be_replaced_though_they_are_current() -> None:
    """There may be a reason that no fingerprint shows."""
    young = (a_node("n1", becomes=NEW), a_node("n2", becomes=NEW))
    whole, one = Life(nodes=young, wants=2), Life(nodes=young, wants=2)

    whole.tick(order(force=True))
    one.tick(order("n2"))

    assert [True, True] == [node.replace_due for node in whole.nodes[:2]]
    assert [False, True] == [node.replace_due for node in one.nodes[:2]]


def test_an_order_that_means_nobody_is_refused_with_the_reason() -> None:
    """What is not known is said, with the way to replace it all the same."""
    life = Life(nodes=(a_node("n1"), a_node("gone soon", S.DESTROYING)), wants=1)

    (whole,) = life.tick(order()).answers
    (leaving,) = life.tick(order("gone soon")).answers
    (nobody,) = life.tick(order("nobody")).answers

    assert not whole.carried_out
    assert "no machine of images is outdated, as far as is known of all but 1; --all" in whole.says
    assert "gone soon is destroying: replace does not apply" == leaving.says
    assert "there is no pool or live node 'nobody'" == nobody.says


def test_undrain_takes_the_order_back() -> None:
    """Of one that was not told to leave yet, and of one that was."""
    waiting = a_node("n1", becomes=NEW, replace_due=True)
    leaving = a_node("n2", S.DRAINING, consumer_order=ConsumerOrder.LEAVE, becomes=NEW, replace_due=True)
    one, other = Life(nodes=(waiting,), wants=1), Life(nodes=(leaving,), wants=1)

    first = one.tick(order("n1", OrderKind.UNDRAIN))
    second = other.tick(order("n2", OrderKind.UNDRAIN))

    assert "undrain by kari: it is not to be replaced any more" == first.answers[0].says
    assert second.answers[0].carried_out
    assert [(S.READY, False)] * 2 == [(n.state, n.replace_due) for n in (*one.nodes, *other.nodes)]


FULL = ruled(limits=Limits(max_workers=2))


def test_at_the_ceiling_the_policy_waits_and_says_so() -> None:
    """It never serves with fewer than are wanted, and never passes a ceiling."""
    life = Life(nodes=old("n1", "n2"), wants=2, pool=FULL)

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "no room for one more (max_workers 2, leaving ones included); `autoscaler replace images`" in says(
        made
    )


def test_at_the_ceiling_an_operators_word_lets_one_leave_first() -> None:
    """One; the next only when as many serve as are wanted."""
    life = Life(nodes=old("n1", "n2", replace_due=True), wants=2, pool=FULL)

    seen = [(left(made), bought(made)) for made in life.roll(6)]

    assert [(["n1"], 0), ([], 1), (["n2"], 0), ([], 1), ([], 0), ([], 0)] == seen
    assert [NEW, NEW] == [node.becomes for node in life.nodes]


def test_nobody_leaves_first_where_nothing_can_be_bought() -> None:
    """While offers rest, none would come for it."""
    rest = Rest(until_at=AT + 600, refusals=2, why="no stock")
    memory = replace(PROVEN, offer_rests={OFFER.name: rest})
    life = Life(nodes=old("n1", "n2", replace_due=True), wants=2, pool=FULL, memory=memory)

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "no offer can be asked now" in says(made)


def test_what_is_new_is_tried_before_any_old_one_leaves() -> None:
    """One more that serves is not enough: it may be of the old kind, too."""
    life = Life(nodes=old("n1", "n2", "n3"), wants=2, pool=ruled(max_age_s=0.0), memory=UNPROVEN)

    made = life.tick()

    assert ([], 0) == (left(made), bought(made))
    assert "waits for the first machine of the new definition" in says(made)


def test_the_first_machine_of_a_new_definition_is_bought_alone() -> None:
    """It is the canary; while it is on its way nothing else happens."""
    life = Life(nodes=old("n1", "n2"), wants=2, memory=UNPROVEN)

    assert 1 == bought(life.tick())
    again = life.tick()

    assert ([], 0) == (left(again), bought(again))


@pytest.mark.parametrize("facts", [{"sightings": BLIND}, {"demand": {POOL: BLIND}}])
def test_nobody_is_replaced_while_blind(facts: dict[str, Any]) -> None:
    """Nothing is known of who serves, or of what is needed; what was ordered stands."""
    life = Life(nodes=(*old("n1", replace_due=True), a_node("young", becomes=NEW)), wants=1)

    made = life.tick(**facts)

    assert ([], 0) == (left(made), bought(made))
    assert life.nodes[0].replace_due


def test_load_comes_before_replacing() -> None:
    """Where workers are short they are bought, and the old ones serve on."""
    life = Life(nodes=old("n1"), wants=3)

    made = life.tick()

    assert ([], 2) == (left(made), bought(made))
    assert "waits for the 3 workers that are wanted" in says(made)


def test_what_is_paid_by_the_hour_is_replaced_at_the_end_of_it() -> None:
    """By policy; an operator's word does not wait."""
    fields = {"offer": HOURLY, "becomes": OLD}
    pool = ruled(offers=(HOURLY,))
    young = a_node("n1", ordered_at=AT - 600, **fields)
    late = a_node("n1", ordered_at=AT - 3500, **fields)

    waits = Life(nodes=(young,), wants=1, pool=pool).tick()
    due = Life(nodes=(late,), wants=1, pool=pool).tick()
    word = Life(nodes=(replace(young, replace_due=True),), wants=1, pool=pool).tick()

    assert [0, 1, 1] == [bought(made) for made in (waits, due, word)]
    assert "waits for the end of what is paid" in says(waits)


def test_machines_that_came_at_once_do_not_leave_at_once_when_they_are_too_old() -> None:
    """One after the other, so that a fleet's ends are spread from then on; how many are overdue is said."""
    pool = ruled(max_age_s=60.0, replaces_drifted=False)
    life = Life(nodes=tuple(a_node(f"n{i}", becomes=NEW) for i in range(4)), wants=4, pool=pool)

    made = life.tick()

    assert ([], 1) == (left(made), bought(made))
    assert "4 of 4 machines are outdated, 4 to be replaced: one more is bought first" in says(made)


def test_who_is_outdated_leaves_first_when_fewer_are_wanted() -> None:
    """So drift goes by itself as load comes and goes, whatever the policy."""
    nodes = (a_node("older", becomes=NEW, ordered_at=AT - 9_000), *old("drifted"))
    life = Life(nodes=nodes, wants=1, pool=ruled(replaces_drifted=False))

    life.tick()

    assert ["drifted"] == [node.name for node in life.nodes if node.state is S.DRAINING]


def test_a_machine_that_counts_as_several_is_replaced_when_as_many_more_serve() -> None:
    """Or too few would be left."""
    large = replace(OFFER, size="large")
    pool = ruled(offers=(OFFER, large), own_slots={large.name: 4}, becomes={OFFER.name: NEW, large.name: NEW})
    nodes = (a_node("big", offer=large, slots=4, becomes=OLD), a_node("young", becomes=NEW))

    assert [] == left(Life(nodes=nodes, wants=2, pool=pool).tick())
    assert ["big"] == left(Life(nodes=nodes, wants=1, pool=pool).tick())
