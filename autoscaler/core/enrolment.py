"""What is made of machines' own words on their way to become workers: which count, what failed, how long steps take.

In go reports whose senders were proven, records and sightings, out comes what is remembered of each boot and of the
boots of each offer. A report is a hint: it may hasten the end of the machine that sent it, where two others agree that
no worker is there, and nothing else. Silence changes nothing. What never happens here: a move of a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import quantiles

from autoscaler.core import offers
from autoscaler.core.facts import SIGHTINGS_CLOCK, Idleness, Memory, Missing, Sighting, Snapshot, Unconnected
from autoscaler.core.lifecycle import ARRIVING, Event, NodeState
from autoscaler.core.model import Node, OfferName, PoolName, PoolRules, Transition
from autoscaler.core.reports import Boot, Boots, Failure, Phase, PhaseTime, Report
from providers.contract import NodeName

LATE_S = 300.0
"""After its worker was heard a machine's last phases are on their way for so long, and its first task is waited for."""
_KEPT = 20
"""Times of each phase that are remembered of an offer: the 95th of a hundred is the slowest but one of these."""
_MOST_FAILURES = 10**6
_WORDS = 120
"""Of a machine's own words in the reason for its end; all of them stand with its log."""


def counts(node: Node, at: float) -> bool:
    """Whether that machine's reports say anything now: it is on its way, or has hardly arrived.

    An orphan that was taken into the records was given another name than its record's.
    """
    if node.machine != node.name:
        return False
    arrived = node.state is NodeState.READY and node.enrolled_at is not None
    return node.state in ARRIVING or (arrived and at - (node.enrolled_at or 0.0) <= LATE_S)


def take_in(snapshot: Snapshot) -> dict[NodeName, Boot]:
    """What is known of each boot under way, with this tick's words and sightings. Reports unheard take nothing away."""
    reports = {} if isinstance(snapshot.reports, Missing) else snapshot.reports
    before = snapshot.memory.booting
    found = {}
    for node in snapshot.nodes:
        report, boot = reports.get(node.name), before.get(node.name)
        if (report is None and boot is None) or not counts(node, snapshot.at):
            continue
        boot = boot or Boot()
        if report is not None:
            heard_on = snapshot.memory.clocks.get(SIGHTINGS_CLOCK, 0.0)
            boot = _reported(boot, node, report, snapshot.at, heard_on)
        found[node.name] = _tasked(boot, node, snapshot)
    return found


def failure(boot: Boot | None, heard: Sighting | None, idleness: Idleness | None) -> Failure | None:
    """Why a machine that boots may be ended now by its own word: it says that it failed, it never said that it started
    a worker, none of its name was ever heard, and the broker knows no connection of one."""
    if boot is None or boot.failed is None or boot.worker_started or heard is not None or idleness is None:
        return None
    return boot.failed if isinstance(idleness.unacknowledged, Unconnected) else None


def in_words(failed: Failure) -> str:
    """The reason for a machine's end."""
    said = failed.says[:_WORDS]
    return f"its boot failed in phase {failed.phase}" + (f": {said}" if said else "")


def says_that_it_failed(node: Node, memory: Memory, reports: Mapping[NodeName, Report] | Missing) -> bool:
    """Whether its own last word is that it cannot become a worker, so that the broker is to be asked about it."""
    report = None if isinstance(reports, Missing) else reports.get(node.name)
    boot = memory.booting.get(node.name)
    if report is not None:
        return report.failed is not None
    return boot is not None and boot.failed is not None


def timeline(boot: Boot, ordered_at: float, enrolled_at: float | None) -> tuple[PhaseTime, ...]:
    """All that is known of a boot in seconds since its power, from the order to its first task."""
    if boot.power_at is None:
        return boot.phases
    times = [
        PhaseTime(phase=Phase.MACHINE, from_s=min(0.0, ordered_at - boot.power_at), to_s=0.0),
        *boot.phases,
    ]
    if enrolled_at is not None:
        since_s = max(time.to_s for time in times)
        heard_s = max(since_s, enrolled_at - boot.power_at)
        times.append(PhaseTime(phase=Phase.HEARTBEAT, from_s=since_s, to_s=heard_s))
        if boot.task_at is not None:
            tasked_s = max(heard_s, boot.task_at - boot.power_at)
            times.append(PhaseTime(phase=Phase.TASK, from_s=heard_s, to_s=tasked_s))
    return tuple(times)


def learn(
    snapshot: Snapshot,
    booting: Mapping[NodeName, Boot],
    told: Iterable[Transition],
    rules: Mapping[PoolName, PoolRules],
    memory: Memory,
) -> Memory:
    """Memory with the times of boots that are known whole, and with failures counted by offer and phase.

    What comes of failures is for `offers` to say. Offers no longer bought are forgotten.
    """
    bought = {offers.for_pool(offer.name, name) for name, pool in rules.items() for offer in pool.offers}
    phases = {key: of for key, of in memory.phases.items() if key in bought}
    nodes = {node.name: node for node in snapshot.nodes}
    for move in told:
        node, boot = nodes.get(move.node), booting.get(move.node)
        key = offers.for_pool(node.offer.name, node.pool) if node else None
        if node is None or key is None or key not in bought:
            continue
        if move.event is Event.ENROL_FAILED and boot is not None and boot.failed is not None:
            phases[key] = _with_failure(phases.get(key, Boots()), boot.failed.phase)
        elif move.event is Event.WORKER_SEEN and node.enrolled_at is None and key in phases:
            phases[key] = replace(phases[key], slow_disks=0)
    after = dict(booting)
    # Of those that are not of interest any more this is the last look: what is known of them now is all there will be.
    for name, boot in {**snapshot.memory.booting, **booting}.items():
        node = nodes.get(name)
        if node is None or node.enrolled_at is None or boot.learned:
            continue
        key = offers.for_pool(node.offer.name, node.pool)
        if name in booting and not _is_whole(boot):
            continue
        if key in bought:
            phases[key] = _with_times(
                phases.get(key, Boots()), timeline(boot, node.ordered_at, node.enrolled_at)
            )
        if name in after:
            after[name] = replace(boot, learned=True)
    return replace(memory, booting=after, phases=phases)


def of_offer(memory: Memory, offer: OfferName, pool: PoolName) -> Boots:
    """What the last boots of that offer for that pool were like."""
    return memory.phases.get(offers.for_pool(offer, pool), Boots())


def middle_and_high(taken_s: Iterable[float]) -> tuple[float, float] | None:
    """The median and the 95th percentile of these seconds; None where there are none."""
    known = sorted(taken_s)
    if len(known) < 2:
        return (known[0], known[0]) if known else None
    cuts = quantiles(known, n=100, method="inclusive")
    return cuts[49], cuts[94]


def _reported(boot: Boot, node: Node, report: Report, at: float, heard_on: float) -> Boot:
    """With what it says of itself now. That it started a worker is never taken back: that one may be at work.

    Once its worker was heard, whoever read its user data may speak with its token. It may still say how the last phases
    went, which were on their way; what was said before stands, and a machine that works has not failed.
    """
    power_at = min(at, max(node.ordered_at, report.heard_at - report.uptime_s))
    if node.state not in ARRIVING:
        known = {time.phase: time for time in boot.phases if time.ok}
        return replace(
            boot,
            power_at=power_at if boot.power_at is None else boot.power_at,
            phases=(*known.values(), *(time for time in report.phases if time.phase not in known)),
            failed=None,
            worker_started=boot.worker_started or report.worker_started,
            disk=boot.disk or report.disk,
        )
    moved = len(report.phases) > len(boot.phases)
    return replace(
        boot,
        power_at=power_at if boot.power_at is None else min(boot.power_at, power_at),
        phases=report.phases,
        moved_on=heard_on if moved else boot.moved_on,
        failed=report.failed,
        worker_started=boot.worker_started or report.worker_started,
        disk=report.disk or boot.disk,
    )


def _tasked(boot: Boot, node: Node, snapshot: Snapshot) -> Boot:
    seen = snapshot.sightings
    heard = None if isinstance(seen, Missing) else seen.workers.get(node.worker)
    if boot.task_at is not None or heard is None or not (heard.processed or heard.active):
        return boot
    return replace(boot, task_at=snapshot.at)


def _is_whole(boot: Boot) -> bool:
    return boot.worker_started and boot.task_at is not None


def _with_failure(of: Boots, phase: Phase) -> Boots:
    failed = {**of.failed, phase: min(_MOST_FAILURES, of.failed.get(phase, 0) + 1)}
    slow = of.slow_disks + 1 if phase is Phase.DISK else of.slow_disks
    return replace(of, failed=failed, slow_disks=min(_MOST_FAILURES, slow))


def _with_times(of: Boots, times: Iterable[PhaseTime]) -> Boots:
    took, known = dict(of.took_s), {time.phase: time for time in times if time.ok}
    for phase, time in known.items():
        took[phase] = (*took.get(phase, ()), round(time.took_s, 2))[-_KEPT:]
    whole = of.whole_s
    if Phase.MACHINE in known and Phase.HEARTBEAT in known:
        whole = (*whole, round(known[Phase.HEARTBEAT].to_s - known[Phase.MACHINE].from_s, 2))[-_KEPT:]
    return replace(of, took_s=took, whole_s=whole)
