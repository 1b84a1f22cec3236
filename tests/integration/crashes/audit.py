"""The journal's own account of a fleet's life, read past the daemon, and what is wrong with it.

In goes the journal's address, out come states and sentences. What never happens here: a write.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from autoscaler.core.lifecycle import TABLE, Event, NodeState
from autoscaler.journal import tables

FINAL = NodeState.GONE.value


class Ledger:
    """One journal, read with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.pool.NullPool)

    def states(self) -> Mapping[str, str]:
        """Every record: name → state; none before there is a journal."""
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("nodes"):
                return {}
            nodes = tables.nodes.c
            return {row[0]: row[1] for row in connection.execute(sa.select(nodes.name, nodes.state))}

    def live(self) -> Mapping[str, str]:
        return {name: state for name, state in self.states().items() if state != FINAL}

    def problems(self) -> Iterator[str]:
        """Where the moves of a node are no life: a gap, a move that the table does not hold, or another end."""
        moves = tables.transitions.c
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(tables.transitions).order_by(moves.number)).mappings().all()
        lives: dict[str, list[sa.RowMapping]] = defaultdict(list)
        for row in rows:
            lives[row["node"]].append(row)
        states = self.states()
        yield from (f"{name} has moves and no record" for name in lives.keys() - states.keys())
        for name, state in states.items():
            life = lives.get(name, [])
            yield from _broken(name, life)
            if life and life[-1]["after"] != state:
                yield f"{name} is {state}, but its last move led to {life[-1]['after']}"


def _broken(name: str, life: list[sa.RowMapping]) -> Iterator[str]:
    if not life or life[0]["before"] is not None or life[0]["after"] != NodeState.CREATING.value:
        yield f"{name} was not ordered first: {[row['after'] for row in life]}"
    for earlier, later in itertools.pairwise(life):
        if later["before"] != earlier["after"]:
            yield f"{name} went to {earlier['after']} and on from {later['before']}"
        legal = TABLE.get((NodeState(later["before"]), Event(later["event"])))
        if legal != later["after"]:
            yield f"{name}: {later['event']} led from {later['before']} to {later['after']}"
