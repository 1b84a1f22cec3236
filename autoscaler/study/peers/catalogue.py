"""The peers by name, each made anew from the terms of a study.

A number of messages per machine is written `V=2c`: two for each of its c slots. In `latency=0.5D` D is the target wait;
`alarm=10` is the threshold of an alarm in messages. KEDA's documents give no number that
carries over (20 messages, whatever a task is), so the plain peers aim at 2c: one running and one next for each slot.
What never happens here: a peer that two runs share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaler.study.contract import Peer, Terms
from autoscaler.study.peers import aws, hpa, keda, literature, nomad

PeerFactory = Callable[[Terms], Peer]

PLAIN_SHARE = 2.0
"""Messages for each slot that the plain peers aim at."""
SHARES = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Messages for each slot that a benchmark sweeps."""


def _keda(name: str, share: float = PLAIN_SHARE, *, ready_only: bool = False) -> PeerFactory:
    def made(terms: Terms) -> Peer:
        trigger = keda.Trigger(value=share * terms.slots, ready_only=ready_only)
        return keda.Keda(name=name, trigger=trigger, loop=_loop(terms))

    return made


def _keda_time(name: str) -> PeerFactory:
    """The expected time to empty the queue aims at the target wait, with the metric type that the documents advise."""

    def made(terms: Terms) -> Peer:
        trigger = keda.Trigger(
            value=terms.target_wait_s, mode="ExpectedQueueConsumptionTime", metric_type="Value"
        )
        return keda.Keda(name=name, trigger=trigger, loop=_loop(terms))

    return made


def _loop(terms: Terms) -> keda.Loop:
    return keda.Loop(least=terms.min_workers, most=terms.max_workers)


def _hpa(name: str, share: float = PLAIN_SHARE) -> PeerFactory:
    return lambda terms: hpa.Hpa(
        name=name,
        messages_per_machine=share * terms.slots,
        least=terms.min_workers,
        most=terms.max_workers,
    )


def _nomad(name: str, share: float = PLAIN_SHARE) -> PeerFactory:
    return lambda terms: nomad.Nomad(
        name=name,
        strategy=nomad.TargetValue(target=share * terms.slots),
        least=terms.min_workers,
        most=terms.max_workers,
    )


def _aws_target(name: str, latency_share: float = 1.0) -> PeerFactory:
    """The acceptable latency is this share of the target wait."""
    return lambda terms: aws.TargetTracking(
        name=name,
        latency_s=latency_share * terms.target_wait_s,
        least=terms.min_workers,
        most=terms.max_workers,
    )


def _aws_step(name: str, threshold: float = aws.EXAMPLE_THRESHOLD) -> PeerFactory:
    return lambda terms: aws.StepScaling(
        name=name, least=terms.min_workers, most=terms.max_workers, threshold=threshold
    )


def _literature(name: str, rule: Callable[[], literature.Rule]) -> PeerFactory:
    return lambda terms: literature.Literature(
        name=name, rule=rule(), least=terms.min_workers, most=terms.max_workers
    )


PEERS: Mapping[str, PeerFactory] = {
    "keda": _keda("keda"),
    "hpa": _hpa("hpa"),
    "aws-target": _aws_target("aws-target"),
    "aws-step": _aws_step("aws-step"),
    "nomad": _nomad("nomad"),
    "react": _literature("react", literature.React),
    "adapt": _literature("adapt", literature.Adapt),
    "hist": _literature("hist", literature.Hist),
    "reg": _literature("reg", literature.Reg),
}

_SWEPT: Mapping[str, Callable[[str, float], PeerFactory]] = {"keda": _keda, "hpa": _hpa, "nomad": _nomad}

VARIANTS: Mapping[str, PeerFactory] = {
    **{
        name: made(name, share)
        for kind, made in _SWEPT.items()
        for share in SHARES
        for name in [f"{kind} V={share:g}c"]
    },
    "keda ready-only": _keda("keda ready-only", ready_only=True),
    "keda time": _keda_time("keda time"),
    **{
        name: _aws_target(name, share)
        for share in (0.25, 0.5, 2.0)
        for name in [f"aws-target latency={share:g}D"]
    },
    **{
        name: _aws_step(name, threshold)
        for threshold in (5.0, 10.0, 20.0, 100.0)
        for name in [f"aws-step alarm={threshold:g}"]
    },
}
