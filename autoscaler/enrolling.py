"""Opens the ears and the door towards machines that become workers, from settings. A daemon alone does: who only looks
takes no report away from it.

What never happens here: a connection that nobody started, a word about a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.core.model import Node
from autoscaler.core.reports import Wants
from autoscaler.gateways.enrolment import EnrolmentLink
from autoscaler.telemetry import Log
from autoscaler.tokens import Tokens, derive
from autoscaler.wishes import Answer, Door
from providers.contract import MayAct, always


def tokens(settings: Settings) -> Tokens:
    """The tokens of this fleet's machines: the same in every process that has this configuration."""
    return derive(settings.broker.password.reveal(), settings.fleet.name)


def open_link(settings: Settings, *, clock: Clock, may_act: MayAct = always) -> EnrolmentLink:
    """Hears reports once it is started, and only while we may act."""
    broker = settings.broker
    return EnrolmentLink(
        amqp_url=broker.amqp_url,
        username=broker.username,
        password=broker.password.reveal(),
        vhost=broker.vhost,
        ca_file=broker.ca_file,
        fleet=settings.fleet.name,
        tokens=tokens(settings),
        may_act=may_act,
        clock=clock,
    )


def open_door(
    live_nodes: Callable[[], tuple[Node, ...]],
    *,
    grants: Mapping[Wants, Answer],
    may_act: MayAct,
    clock: Clock,
    log: Log,
) -> Door:
    """Answers wishes once it is started: by `grants`; what a machine only says is told to the log."""

    def fenced(node: Node) -> None:
        log.say("worker.fenced", node=node.name, pool=node.pool)

    return Door(
        live_nodes=live_nodes,
        answers={Wants.FENCED: fenced, **grants},
        may_act=may_act,
        clock=clock,
        log=log,
    )
