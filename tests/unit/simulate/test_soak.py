"""What many lives come to: nothing is left out, and a check that cannot fail is found out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.simulate import report, soak
from autoscaler.simulate.contract import EVERY_FAULT, HARMS, Fault, Scenario, Verdict
from autoscaler.simulate.players import Job, Life, Play, Resident, Watch
from autoscaler.simulate.report import Build
from autoscaler.simulate.shrink import shrink
from autoscaler.simulate.soak import Campaign, Findings
from tests.unit.simulate import stand_ins
from tests.unit.simulate.stand_ins import FULL, a_verdict, broken_by_two

BUILD = Build(version="1.2.3", commit="abc1234")
BROKEN = "believes_absence_at_once"


def a_campaign(seeds: int = 6, **fields: Any) -> Campaign:
    return Campaign(template=Scenario(seed=0), seeds=tuple(range(seeds)), **fields)


def soaked(campaign: Campaign, play: Play) -> Findings:
    """As `soak.soak` does it, in this process."""
    findings = Findings()
    for job in soak.jobs(campaign, findings):
        findings.take(_life(job, play))
    findings.ended = True
    return findings


def _life(job: Job, play: Play) -> Life:
    def watch(hour: float) -> None:
        pass

    try:
        return Life(job=job, verdict=play(job.scenario, watch), cpu_s=0.5)
    except RuntimeError as error:
        return Life(job=job, lost=str(error))


def caught_by(first: int) -> Play:
    def play(scenario: Scenario, watch: Watch) -> Verdict:
        return a_verdict(scenario, "ceiling_breaches" if scenario.seed >= first else "")

    return play


def test_lives_are_summed_over_all_processes() -> None:
    """Counts, kinds that struck, and hours for each second of CPU."""
    findings = Findings()
    soak.soak(a_campaign(5), stand_ins.good, findings, players_at_once=2)

    assert (5, 500, True) == (findings.counts.seeds, findings.counts.ticks, findings.ended)
    assert {Fault.LIST_LAG: 5} == findings.struck
    assert report.good(a_campaign(5), findings)


def test_a_failing_seed_tells_all_that_is_needed_to_see_it_again() -> None:
    """Seed, commit, the harm in words, the last sentences, the fewest faults, and one command."""
    failed = Life(job=Job(scenario=FULL), verdict=broken_by_two(FULL))
    assert failed.verdict is not None

    told = report.failure(failed, shrink(failed.verdict, broken_by_two), BUILD)

    assert told[0] == "seed 7 failed (commit abc1234)"
    assert "  a machine was ordered twice (double_creates)" in told
    assert {f"    {line}" for line in stand_ins.STORY} <= set(told)
    assert told[-1] == "to see it again: autoscaler soak --seed 7 --faults answer-lost,list-lag --hours 0.25"


def test_a_life_without_a_verdict_is_a_failure() -> None:
    """A process that died proves nothing good."""
    findings = soaked(a_campaign(), stand_ins.raising)

    assert not report.good(a_campaign(), findings)
    assert "1 lives were lost" in report.figures(a_campaign(), findings)[-1]
    assert "a bug of the world's" in report.failure(findings.lost[0], None, BUILD)


@pytest.mark.parametrize("first", [0, 4])
def test_a_broken_rule_is_tried_until_a_seed_catches_it(first: int) -> None:
    """Then it is tried no further, and the first such seed is told."""
    campaign = a_campaign(0, sabotages=(BROKEN,), sabotage_seeds=tuple(range(9)))
    findings = soaked(campaign, caught_by(first))

    assert {BROKEN: first} == report.record(campaign, findings, {}, BUILD)["sabotages"]
    assert first + 1 == findings.sabotaged[BROKEN]
    assert report.good(campaign, findings)


def test_a_broken_rule_that_nobody_notices_fails_the_soak() -> None:
    """It is told by name, as null for programs."""
    campaign = a_campaign(2, sabotages=(BROKEN,), sabotage_seeds=(0, 1, 2))
    findings = soaked(campaign, stand_ins.good)

    assert not report.good(campaign, findings)
    assert {BROKEN: None} == report.record(campaign, findings, {}, BUILD)["sabotages"]
    assert f"{BROKEN}: NOT caught by 3 seeds" in report.figures(campaign, findings)


def test_harm_done_with_a_broken_rule_is_not_the_daemons() -> None:
    """It counts as a catch and nowhere else."""
    campaign = a_campaign(2, sabotages=(BROKEN,), sabotage_seeds=(5,))
    findings = soaked(campaign, caught_by(5))

    assert (0, 2, []) == (findings.counts.harm, findings.counts.seeds, findings.failed)


def test_the_smallest_seed_that_caught_is_the_first_one_whatever_ends_first() -> None:
    """Seeds are handed out in order, and may end in another."""
    findings = Findings()
    for seed in (4, 2, 3):
        scenario = Scenario(seed=seed)
        job = Job(scenario=scenario, sabotage=BROKEN)
        findings.take(Life(job=job, verdict=a_verdict(scenario, "leaked_nodes")))

    assert findings.caught[BROKEN].job.scenario.seed == 2


def test_the_record_has_every_figure_that_was_agreed() -> None:
    """`soak.json` as other programs read it."""
    campaign = a_campaign(sabotages=(BROKEN,), sabotage_seeds=(3,))
    findings = soaked(campaign, stand_ins.one_bad)
    record = json.loads(json.dumps(report.record(campaign, findings, {}, BUILD)))

    assert {"seeds", "ticks", "nodes", "faults", "sabotages", *HARMS} <= record.keys()
    assert (6, 1, {BROKEN: 3}) == (record["seeds"], record["busy_kills"], record["sabotages"])
    assert [(3, ["busy_kills"], list(stand_ins.STORY))] == [
        (f["seed"], f["harms"], f["story"]) for f in record["failures"]
    ]


def test_it_ends_at_the_first_failure_only_if_asked() -> None:
    """Else every seed is played."""
    assert 4 == soaked(a_campaign(stop_early=True), stand_ins.one_bad).counts.seeds
    assert 6 == soaked(a_campaign(), stand_ins.one_bad).counts.seeds


def test_every_kind_of_harm_has_its_words() -> None:
    """A count of a contract that grows must be told in words, too."""
    assert set(HARMS) == report.HARM_WORDS.keys()


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (Scenario(seed=5), "autoscaler soak --seed 5"),
        (Scenario(seed=5, faults=frozenset()), "autoscaler soak --seed 5 --faults none"),
        (
            Scenario(seed=5, faults=EVERY_FAULT, nodes=9, trouble_s=900.0),
            "autoscaler soak --seed 5 --nodes 9 --hours 0.25",
        ),
    ],
)
def test_a_command_says_only_what_is_not_usual(scenario: Scenario, expected: str) -> None:
    """So that it can be read and typed."""
    assert expected == report.command(scenario)


def test_growth_is_that_of_the_later_half() -> None:
    """What fills up at the start and then stays is no leak."""
    sizes = [50, 90, 100, 102, 104, 106]
    memory = tuple(
        Resident(hour=float(h), rss_bytes=s * 1_000_000, live_blocks=1) for h, s in enumerate(sizes)
    )

    assert report.slope_mb_per_h(memory) == pytest.approx(2.0)
    assert report.slope_mb_per_h(memory[:1]) == 0.0
