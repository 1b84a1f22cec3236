"""Many lives, one after another seed, and what they come to: a `Campaign` goes in, `Findings` come out.

First the production code under every seed, which must do no harm; then, where asked, the same with one rule broken at a
time, which must be caught: a check that cannot fail proves nothing.
What never happens here: printing, or a life left out without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from autoscaler.simulate import players, run
from autoscaler.simulate.contract import Counts, Fault, Scenario, Verdict
from autoscaler.simulate.players import Job, Life, Play, Watch

Heard = Callable[[Life], None]
"""Told of each life as it ends."""

SABOTAGE_SEEDS = 500
"""Within so many seeds a broken rule must be caught."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What to play. `template` is every life's scenario but for its seed."""

    template: Scenario
    seeds: tuple[int, ...]
    sabotages: tuple[str, ...] = ()
    sabotage_seeds: tuple[int, ...] = tuple(range(SABOTAGE_SEEDS))
    stop_early: bool = False
    """Whether the first failing life ends it all."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What stands so far. It grows life by life and is true at every moment."""

    counts: Counts = field(default_factory=Counts)
    cpu_s: float = 0.0
    struck: Counter[Fault] = field(default_factory=Counter)
    """In how many lives each kind of fault struck."""
    failed: list[Life] = field(default_factory=list)
    lost: list[Life] = field(default_factory=list)
    """Lives without a verdict: their process died or hung, or they raised."""
    caught: dict[str, Life] = field(default_factory=dict)
    """For each broken rule the life of the first seed that did harm."""
    sabotaged: Counter[str] = field(default_factory=Counter)
    """Lives played with that rule broken."""
    memory: dict[int, tuple[players.Resident, ...]] = field(default_factory=dict)
    """By seed, for lives that lasted an hour or more."""
    ended: bool = False
    """Whether everything asked for was played."""

    @property
    def hours_per_cpu_s(self) -> float:
        """Simulated hours of fleet life for each second of one core."""
        return self.counts.fleet_s / 3600 / self.cpu_s if self.cpu_s else 0.0

    @property
    def node_hours_per_cpu_s(self) -> float:
        """Simulated hours of single machines for each second of one core."""
        return self.counts.node_s / 3600 / self.cpu_s if self.cpu_s else 0.0

    def uncaught(self, sabotages: Iterable[str]) -> tuple[str, ...]:
        """Rules whose breaking was not noticed."""
        return tuple(name for name in sabotages if name not in self.caught)

    def take(self, life: Life) -> None:
        """Add one life."""
        if life.job.sabotage:
            self._take_sabotaged(life)
            return
        self.cpu_s += life.cpu_s
        if life.verdict is None:
            self.lost.append(life)
            return
        self.counts += life.verdict.counts
        self.struck.update(life.verdict.struck)
        if life.memory:
            self.memory[life.job.scenario.seed] = life.memory
        if failed(life):
            self.failed.append(life)

    def _take_sabotaged(self, life: Life) -> None:
        """Only a harm in a verdict catches a sabotage; a life that was lost proves nothing, and is told."""
        name = life.job.sabotage
        self.sabotaged[name] += 1
        if life.verdict is None:
            self.lost.append(life)
        elif failed(life):
            first = self.caught.get(name)
            if first is None or life.job.scenario.seed < first.job.scenario.seed:
                self.caught[name] = life


def lived(scenario: Scenario, watch: Watch) -> Verdict:
    """The life of that scenario, as production code lives it."""
    return run.play(scenario, watch)


def failed(life: Life) -> bool:
    """Whether a rule was broken in it."""
    return life.verdict is not None and (life.verdict.counts.harm > 0 or bool(life.verdict.harm))


def soak(
    campaign: Campaign,
    play: Play,
    findings: Findings,
    *,
    players_at_once: int,
    limit_s: float = players.LIFE_LIMIT_S,
    heard: Heard = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Play the campaign into `findings`, calling `heard` after each life. Stopped, what was found stands."""
    lives = players.play_all(
        jobs(campaign, findings), play, players=players_at_once, limit_s=limit_s, stopped=stopped
    )
    for life in lives:
        findings.take(life)
        heard(life)
    findings.ended = not stopped()


def jobs(campaign: Campaign, findings: Findings) -> Iterator[Job]:
    """Read as players become free, so it looks at what was found so far."""
    for seed in campaign.seeds:
        if campaign.stop_early and (findings.failed or findings.lost):
            return
        yield Job(scenario=replace(campaign.template, seed=seed))
    for name in campaign.sabotages:
        for seed in campaign.sabotage_seeds:
            # Seeds are handed out in order, so every smaller one was played, or is being played, when one catches.
            if name in findings.caught:
                break
            yield Job(scenario=replace(campaign.template, seed=seed), sabotage=name)
