"""Which commands there are: the panel each stands in, the function that does it, and the words that list it.

All of it is known without a command's module, since help and completion ask for the whole list, and the modules bring
along the daemon, the journal and the clients of clouds. Tests hold the words to the functions' own. What never happens
here: an import of a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Listed(NamedTuple):
    """One command, not imported yet."""

    panel: str
    module: str
    """The name of its module in this package."""
    function: str
    says: str
    """The first paragraph of its help."""


_PANELS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Set up": {
        "init": (
            "setup",
            (
                "Write a commented configuration to start from, or the file by which systemd or supervisord run the "
                "daemon."
            ),
        ),
        "check": (
            "setup",
            "Tell every problem of the configuration. Changes nothing, but for the one machine of --conformance.",
        ),
        "image": (
            "image",
            "Tell how a pool's golden image is made, so that boots only enrol, and what it saves by measured boots.",
        ),
        "notify": ("notify", "Send one trial notice, and tell what came back."),
    },
    "Run": {
        "demo": (
            "demo",
            "Look at a fleet that is played in this process: nothing to install, nothing to pay.",
        ),
        "run": ("service", "Run the daemon: watch the queues, buy and give back machines."),
    },
    "Look": {
        "status": ("status", "Show each pool: what waits, what serves, what it costs, and why."),
        "nodes": (
            "nodes",
            (
                "Show the nodes: state, age, offer, when the worker enrolled, cost so far, and why; and how long boots "
                "take."
            ),
        ),
        "history": (
            "past",
            "Show a pool's demand, wait, supply and cost over time, and what that time would have cost otherwise.",
        ),
        "why": (
            "reasons",
            "Say why a pool's number is what it is: the last decision, or the one that held at a time.",
        ),
        "plan": ("plan", "Look once and say what would be done. Does nothing."),
        "schedule": (
            "schedule",
            "Tell what a pool's schedule policies will do, in their zones' local time, across clock changes.",
        ),
        "orphans": (
            "orphans",
            "Show machines that bear our mark and have no record, what they cost, and what machines left behind.",
        ),
        "cloud-init": ("user_data", "Show the user data of a new machine, secrets masked."),
        "doctor": (
            "doctor",
            "Gather what a report on trouble needs, without secrets: versions, configuration, findings, journal, log.",
        ),
    },
    "Study": {
        "simulate": (
            "trial",
            "Tell what a workload would cost under a pool's policies, and how long its tasks would wait.",
        ),
        "backtest": (
            "backtest",
            (
                "Tell what a pool's own past would have cost, and how long its tasks would have waited, under other "
                "settings."
            ),
        ),
        "tune": (
            "tune",
            (
                "Look for the cheapest settings of a pool that keep a promise, and tell what more or less of it would "
                "cost."
            ),
        ),
        "soak": (
            "study",
            "Live simulated lives full of faults with the daemon's own code: is it safe, and does it heal?",
        ),
    },
    "Order": {
        "drain": ("control", "Let a node finish what it holds, then give it back."),
        "undrain": ("control", "Take a draining node back into service."),
        "destroy": ("control", "End a node's machine without waiting for its work."),
        "forget": (
            "control",
            "Strike a node off the record. Its machine, if it stands, is found again as one without a record.",
        ),
        "replace": (
            "control",
            "Replace machines one after the other: buy a new one, then let an old one finish and go.",
        ),
        "pause": ("control", "Stop scaling a pool: what there is stays."),
        "resume": ("control", "Let a pool scale again: ends a pause and a hold."),
        "hold": ("control", "Fix a pool's number of workers for a while."),
        "wake": ("control", "Ask again now what rests after failures, because their cause is mended."),
        "sweep": (
            "control",
            "Drain or end every machine that bears our mark and has no record, and end what machines left behind.",
        ),
        "reload": (
            "control",
            (
                "Let the daemon take in its configuration anew, between two ticks, and tell what changed or why it did "
                "not."
            ),
        ),
    },
}
COMMANDS: Mapping[str, Listed] = MappingProxyType(
    {
        name: Listed(panel, module, name.replace("-", "_"), says)
        for panel, commands in _PANELS.items()
        for name, (module, says) in commands.items()
    }
)
"""By name, in the order in which help shows them."""
