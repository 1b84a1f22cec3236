"""What a soak found, as lines for people and as one record for programs.

Findings go in; text and values come out, and the same findings give the same words.
What never happens here: printing, or a look at the outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.simulate.contract import EVERY_FAULT, HARMS, Fault, Scenario, Verdict
from autoscaler.simulate.players import Life, Resident
from autoscaler.simulate.shrink import Shrunk, kinds_of_harm, spelled
from autoscaler.simulate.soak import Campaign, Findings

HARM_WORDS: Mapping[str, str] = {
    "double_creates": "a machine was ordered twice",
    "leaked_nodes": "a machine stands that nobody remembers",
    "ceiling_breaches": "more machines were paid than the ceiling allows",
    "budget_breaches": "more was paid than the budget allows",
    "busy_kills": "a machine was ended while its worker worked",
    "tasks_lost": "a task was lost",
    "blind_scale_ins": "workers were taken in before demand was seen often enough again",
    "wrong_ends": "a call ended a machine that it did not mean",
    "wrong_supply": "a pool was changed otherwise than wanted",
    "unheeded_orders": "an operator's order was not answered as it should be",
    "account_abuse": "an account was called as none need bear",
    "misplaced": "a machine was ordered where none may stand",
    "unconverged": "the world did not come to rest after the trouble",
    "failed_ticks": "a tick failed",
}
_MB = 1_000_000
_LONG_H = 3
"""Only a life of more hours than that says anything about memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What was tried: the release, and the commit where there is one."""

    version: str
    commit: str = ""

    def __str__(self) -> str:
        return f"commit {self.commit}" if self.commit else f"release {self.version}"


def command(scenario: Scenario, sabotage: str = "") -> str:
    """The one command that plays this life again."""
    words = [f"autoscaler soak --seed {scenario.seed}"]
    if scenario.faults != EVERY_FAULT:
        words.append(f"--faults {','.join(spelled(f) for f in sorted(scenario.faults)) or 'none'}")
    if scenario.nodes:
        words.append(f"--nodes {scenario.nodes}")
    if scenario.trouble_s != Scenario(seed=0).trouble_s:
        words.append(f"--hours {scenario.trouble_s / 3600:g}")
    if sabotage:
        words.append(f"--sabotage {sabotage}")
    return " ".join(words)


def failure(life: Life, shrunk: Shrunk | None, build: Build) -> tuple[str, ...]:
    """One failing life: what broke under what, how it came to that, and how to see it again."""
    seed = life.job.scenario.seed
    broken = f", with a broken rule: {life.job.sabotage}" if life.job.sabotage else ""
    head = f"seed {seed} failed ({build}{broken})"
    again = f"to see it again: {command(life.job.scenario, life.job.sabotage)}"
    if life.verdict is None:
        return (head, *life.lost.splitlines(), again)
    lines = [head, *_told(life.verdict)]
    if shrunk is None:
        return (*lines, again)
    simplest = shrunk.verdict
    if simplest.scenario == life.verdict.scenario:
        return (*lines, f"no simpler life does the same harm ({shrunk.attempts} were tried)", again)
    return (
        *lines,
        f"the simplest that does the same harm ({shrunk.attempts} lives were tried):",
        f"  {simplest.harm}",
        f"  {_faults(simplest.scenario.faults)}, for {simplest.scenario.trouble_s:g} s",
        f"to see it again: {command(simplest.scenario, life.job.sabotage)}",
    )


def _told(verdict: Verdict) -> Iterable[str]:
    for name in sorted(kinds_of_harm(verdict), key=HARMS.index):
        yield f"  {HARM_WORDS[name]} ({name})"
    yield f"  {verdict.harm}"
    yield f"  {_faults(verdict.struck)} struck; the last {len(verdict.story)} sentences:"
    yield from (f"    {line}" for line in verdict.story)


def _faults(kinds: Iterable[Fault]) -> str:
    return ", ".join(sorted(kinds)) or "no fault"


def figures(campaign: Campaign, findings: Findings) -> tuple[str, ...]:
    """The figures at the end, the verdict last."""
    counts = findings.counts
    if not counts.seeds and not campaign.sabotages:
        return ("nothing was played",)
    lines = []
    if counts.seeds or campaign.seeds:
        lines += [
            _played(findings),
            _speed(findings),
            ", ".join(f"{name} {getattr(counts, name)}" for name in HARMS),
        ]
    lines += [_memory(seed, memory) for seed, memory in findings.memory.items() if len(memory) >= _LONG_H]
    for name in campaign.sabotages:
        life = findings.caught.get(name)
        lines.append(
            f"{name}: caught by seed {life.job.scenario.seed} ({_kinds(life)})"
            if life is not None
            else f"{name}: NOT caught by {findings.sabotaged[name]} seeds"
        )
    return (*lines, _verdict(campaign, findings))


def _played(findings: Findings) -> str:
    counts = findings.counts
    return (
        f"{counts.seeds} seeds: {counts.ticks} ticks, {counts.nodes} machines bought, {counts.faults} faults of "
        f"{len(findings.struck)} kinds"
    )


def _speed(findings: Findings) -> str:
    counts = findings.counts
    return (
        f"{counts.fleet_s / 3600:.0f} h of fleet life and {counts.node_s / 3600:.0f} h of machines in "
        f"{findings.cpu_s:.0f} s of CPU: {findings.hours_per_cpu_s:.3g} and "
        f"{findings.node_hours_per_cpu_s:.3g} h a second"
    )


def _kinds(life: Life) -> str:
    kinds = kinds_of_harm(life.verdict) if life.verdict else frozenset()
    return ", ".join(sorted(kinds, key=HARMS.index))


def _memory(seed: int, memory: Sequence[Resident]) -> str:
    rss, live = [m.rss_bytes for m in memory], [m.live_blocks for m in memory]
    quarter = len(live) // 4
    return (
        f"memory of seed {seed} over {memory[-1].hour:.0f} h: first {rss[0] / _MB:.0f} MB, "
        f"last {rss[-1] / _MB:.0f} MB, most {max(rss) / _MB:.0f} MB, slope {slope_mb_per_h(memory):+.2f} MB an hour; "
        f"live blocks at most {max(live[:-quarter]):,} before the last quarter, {max(live[-quarter:]):,} in it"
    )


def slope_mb_per_h(memory: Sequence[Resident]) -> float:
    """How fast it grows over the later half, by least squares: in the first, caches fill and pools are opened."""
    later = memory[len(memory) // 2 :]
    if len(later) < 2:
        return 0.0
    mean_h = sum(m.hour for m in later) / len(later)
    mean_b = sum(m.rss_bytes for m in later) / len(later)
    spread = sum((m.hour - mean_h) ** 2 for m in later)
    return sum((m.hour - mean_h) * (m.rss_bytes - mean_b) for m in later) / spread / _MB


def _verdict(campaign: Campaign, findings: Findings) -> str:
    bad = [
        f"{len(findings.failed)} of {findings.counts.seeds} seeds did harm" if findings.failed else "",
        f"{len(findings.lost)} lives were lost" if findings.lost else "",
        f"{n} broken rules were not caught" if (n := len(findings.uncaught(campaign.sabotages))) else "",
        "interrupted: more was asked for" if not findings.ended else "",
    ]
    said = "; ".join(part for part in bad if part)
    caught = f"all {n} broken rules caught" if (n := len(campaign.sabotages)) else ""
    if said or not campaign.seeds:
        return said or caught
    return ", and ".join(filter(None, ("no harm", caught)))


def good(campaign: Campaign, findings: Findings) -> bool:
    """Whether everything was played, nothing did harm, and every broken rule was caught."""
    clean = not (findings.failed or findings.lost or findings.counts.harm)
    return findings.ended and clean and not findings.uncaught(campaign.sabotages)


def record(
    campaign: Campaign, findings: Findings, shrunk: Mapping[int, Shrunk], build: Build
) -> dict[str, object]:
    """All of it as one JSON record. `shrunk` is by seed."""
    counts = findings.counts
    return {
        "seeds": counts.seeds,
        "ticks": counts.ticks,
        "nodes": counts.nodes,
        "faults": counts.faults,
        **{name: getattr(counts, name) for name in HARMS},
        "sabotages": {
            name: life.job.scenario.seed if (life := findings.caught.get(name)) else None
            for name in campaign.sabotages
        },
        "good": good(campaign, findings),
        "ended": findings.ended,
        "version": build.version,
        "commit": build.commit,
        "fleet_hours": round(counts.fleet_s / 3600, 3),
        "node_hours": round(counts.node_s / 3600, 3),
        "cpu_s": round(findings.cpu_s, 3),
        "hours_per_cpu_s": round(findings.hours_per_cpu_s, 3),
        "node_hours_per_cpu_s": round(findings.node_hours_per_cpu_s, 3),
        "struck": {spelled(kind): count for kind, count in sorted(findings.struck.items())},
        "failures": [_failure_record(life, shrunk.get(life.job.scenario.seed)) for life in findings.failed],
        "lost": [
            {"seed": life.job.scenario.seed, "sabotage": life.job.sabotage, "why": life.lost}
            for life in findings.lost
        ],
        "memory": {str(seed): _memory_record(memory) for seed, memory in findings.memory.items()},
    }


def _failure_record(life: Life, shrunk: Shrunk | None) -> dict[str, object]:
    verdict = life.verdict
    assert verdict is not None
    simplest = shrunk.verdict.scenario if shrunk else verdict.scenario
    return {
        "seed": verdict.scenario.seed,
        "harms": sorted(kinds_of_harm(verdict), key=HARMS.index),
        "harm": verdict.harm,
        "struck": sorted(spelled(kind) for kind in verdict.struck),
        "shrunk": sorted(spelled(kind) for kind in simplest.faults) if shrunk else None,
        "command": command(simplest),
        "story": list(verdict.story),
    }


def _memory_record(memory: Sequence[Resident]) -> dict[str, object]:
    rss = [round(m.rss_bytes / _MB, 3) for m in memory]
    return {
        "hours": memory[-1].hour,
        "first_mb": rss[0],
        "last_mb": rss[-1],
        "max_mb": max(rss),
        "slope_mb_per_h": round(slope_mb_per_h(memory), 4),
        "each_hour_mb": rss,
        "each_hour_live_blocks": [m.live_blocks for m in memory],
    }
