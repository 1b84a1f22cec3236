"""Which record a worker's voice belongs to, where several machines bear one name.

In go records, out comes one of them for each name of a machine; the others are twins: of these nothing that is heard
under the name tells anything. What never happens here: a guess which machine really works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoscaler.core.model import Node
from providers.contract import NodeName

Voices = Mapping[NodeName, NodeName]
"""By name of a machine, the record that its worker's word is taken for."""


def voices(nodes: Iterable[Node]) -> Voices:
    """The record of that very name, else the one that was taken in first."""
    found: dict[NodeName, Node] = {}
    for node in nodes:
        before = found.get(node.machine)
        if before is None or _rank(node) < _rank(before):
            found[node.machine] = node
    return {machine: node.name for machine, node in found.items()}


def is_twin(node: Node, of: Voices) -> bool:
    """Whether the worker that is heard under its machine's name is taken for another's."""
    return of.get(node.machine, node.name) != node.name


def another_stands(node: Node, nodes: Iterable[Node]) -> bool:
    """Whether a second machine of its name was there when last looked for: then a word of that name proves neither."""
    return any(
        other.machine == node.machine
        and other.name != node.name
        and other.instance_id is not None
        and other.missing_on is None
        for other in nodes
    )


def _rank(node: Node) -> tuple[bool, float, str]:
    return node.name != node.machine, node.ordered_at, node.name
