"""How machines became workers, or failed to: readable without a login on any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import offers
from autoscaler.core.facts import Memory
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Offer
from autoscaler.core.reports import Boot, Boots, DiskFigures, Failure, Phase, PhaseTime
from autoscaler.journal.contract import BootRecord
from providers.contract import NodeName, ProviderName
from tests.unit.cli.office import Office, a_decision
from tests.unit.core.builders import POOL, a_node

LOCAL = Offer(provider=ProviderName("cloud"), location="", size="", image="", price_per_h=0.1, quantum_s=3600)
TIMES = (
    PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=8.0),
    PhaseTime(phase=Phase.PACKAGES, from_s=8.0, to_s=20.5),
    PhaseTime(phase=Phase.APPLICATION, from_s=8.0, to_s=30.0, ok=False),
)
LOG = ("Collecting shop==9", "\x1b[31mERROR: no matching distribution", "gave up")
BOOT = Boot(
    power_at=1_000_020.0,
    phases=TIMES,
    failed=Failure(phase=Phase.APPLICATION, says="no matching distribution"),
    disk=DiskFigures(mean_ms=0.42, worst_ms=7.0, requests=250),
)
KNOWN = Boots(
    took_s={Phase.MACHINE: (20.0, 30.0), Phase.BOOTED: (8.0, 9.0), Phase.APPLICATION: (22.0, 61.0)},
    whole_s=(50.0, 100.0),
    failed={Phase.DISK: 2},
    slow_disks=1,
)
MEMORY = Memory(phases={offers.for_pool(LOCAL.name, POOL): KNOWN})


def failed_node() -> Any:
    return a_node("n1", state=NodeState.GONE, ordered_at=1_000_000.0, enrolled_at=None, offer=LOCAL)


def a_record(**fields: Any) -> BootRecord:
    usual: dict[str, Any] = {"node": NodeName("n1"), "pool": POOL, "offer": LOCAL.name, "at": 1_000_051.0}
    return BootRecord(**(usual | {"boot": BOOT, "log": LOG} | fields))


def timeline(told: str) -> list[str]:
    """The lines from the title of the boot on."""
    return told.partition("Its boot")[2].splitlines()


def test_a_failed_boot_is_read_where_it_is_asked_for(office: Office) -> None:
    """Each phase with its time, which one failed, in which words, and the end of the log; no line steers a terminal."""
    office.on_record(failed_node(), boots=(a_record(),))

    told = office.command("nodes", "n1").out

    assert "Failed in phase application: no matching distribution" in told
    assert (
        "The last 3 lines of its log\n\nCollecting shop==9\n\ufffd[31mERROR: no matching distribution\ngave up"
        in told
    )
    machine, _booted, packages, application = (
        next(line for line in timeline(told) if line.startswith(phase)).split()
        for phase in ("machine", "booted", "packages", "application")
    )
    assert ["machine", "-20.0", "20.0"] == machine[:3]
    assert ["packages", "8.0", "12.5"] == packages[:3]
    assert ["application", "8.0", "22.0"] == application[:3]
    assert "failed" == application[-1]
    assert "Disk: 0.4 ms in the mean, 7.0 ms at worst, of 250 requests" in told


def test_bars_stand_where_their_phases_lie(office: Office) -> None:
    """Phases that run side by side stand side by side; the shortest is still seen."""
    times = (
        PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=10.0),
        PhaseTime(phase=Phase.PACKAGES, from_s=10.0, to_s=20.0),
        PhaseTime(phase=Phase.BROKER, from_s=20.0, to_s=20.01),
    )
    record = a_record(boot=replace(BOOT, phases=times, failed=None), log=None)
    office.on_record(failed_node(), boots=(record,))

    lines = timeline(office.command("nodes", "n1").out)
    bars = [next(line for line in lines if line.startswith(name)) for name in ("machine", "booted", "broker")]

    assert [18, 9, 1] == [line.count("█") for line in bars]
    assert bars[0].rindex("█") + 1 == bars[1].index("█")
    assert "log" not in "\n".join(lines)


def test_a_boot_is_a_document_for_programs(office: Office) -> None:
    """With all that people are shown, and the log as it is on record."""
    office.on_record(failed_node(), a_node("n2"), boots=(a_record(),), memory=MEMORY)

    (node,) = office.command("nodes", "n1", "--json").facts["nodes"]
    (unheard,) = office.command("nodes", "n2", "--json").facts["nodes"]

    assert ["machine", "booted", "packages", "application"] == [p["phase"] for p in node["boot"]["phases"]]
    assert [20.0, 8.0, 12.5, 22.0] == [p["took_s"] for p in node["boot"]["phases"]]
    assert {"phase": "application", "says": "no matching distribution"} == node["boot"]["failed"]
    assert list(LOG) == node["boot"]["log"]
    assert None is unheard["boot"]


def test_nodes_and_why_tell_where_the_seconds_go(office: Office) -> None:
    """By offer, in the middle and for the slow ones; and what failed there."""
    office.on_record(a_node("n2"), memory=MEMORY, decisions=(a_decision(at=1_000_100.0),))

    told = office.command("nodes").out
    why = office.command("why", "images").out

    line = next(line for line in told.splitlines() if line.startswith("cloud "))
    assert ["cloud", "images", "2", "75", "/", "98", "25", "/", "30"] == line.split()[:9]
    assert "disk 2" in line
    assert "75 s from the order to the first heartbeat" in why
    assert ["application", "42", "59"] == next(
        line for line in why.splitlines() if line.startswith("application")
    ).split()[:3]
    assert "Failed: disk 2" in why
    assert "Where the seconds" not in office.command("why", "images", "--at", "1s").out


def test_quantiles_are_facts_for_programs(office: Office) -> None:
    """In both commands the same."""
    office.on_record(memory=MEMORY, decisions=(a_decision(at=1_000_100.0),))

    (of_offer,) = office.command("nodes", "--json").facts["boots"]

    assert [of_offer] == office.command("why", "images", "--json").facts["boots"]
    assert {"p50_s": 8.5, "p95_s": 8.95, "boots": 2} == of_offer["phases"]["booted"]
    assert {"p50_s": 75.0, "p95_s": 97.5, "boots": 2} == of_offer["all"]
    assert ({"disk": 2}, 1) == (of_offer["failed"], of_offer["slow_disks_in_a_row"])


LEARNED = Learned(took_s=(60.0, 62.0, 64.0) * 4)


@pytest.mark.parametrize(
    ("known", "enrol", "late_after_s", "why"),
    [
        (LEARNED, "", 180.0, "3 min: boots of this offer take 62 s (95 % under 64 s, of 12)"),
        (
            replace(LEARNED, changed=True),
            "",
            600.0,
            "10 min: boots of this offer take 62 s (95 % under 64 s, of 12), and none has become what this one is to",
        ),
        (
            replace(LEARNED, at_least_s=720.0),
            "",
            720.0,
            "12 min: boots of this offer take 62 s (95 % under 64 s, of 12), others were waited for 360 s in vain",
        ),
        (LEARNED, '[pools.images.timeouts]\nenrol = "7m"', 420.0, "7 min: timeouts.enrol says so"),
    ],
    ids=["learned", "changed", "backed off", "a number"],
)
def test_nodes_and_why_tell_when_a_machine_of_an_offer_is_late(
    office: Office, known: Learned, enrol: str, late_after_s: float, why: str
) -> None:
    """And what that rests on, without a machine that is: so that an operator may object in time."""
    if enrol:
        office.rewrite("[[pools.images.policies]]", f"{enrol}\n[[pools.images.policies]]")
    memory = Memory(learned={offers.for_pool(LOCAL.name, POOL): known})
    office.on_record(memory=memory, decisions=(a_decision(at=1_000_100.0),))

    (of_offer,) = office.command("nodes", "--json").facts["boots"]

    assert (12, late_after_s) == (of_offer["boots"], of_offer["late_after_s"])
    assert {"p50_s": 62.0, "p95_s": 64.0, "boots": 12} == of_offer["until_heard"]
    assert f"A machine is late after {why}" in " ".join(office.command("why", "images").out.split())
    assert why.partition(":")[0] in office.command("nodes").out


def test_where_nothing_was_said_nothing_is_told(office: Office) -> None:
    """A fleet whose machines do not report reads as it did."""
    office.on_record(a_node("n2"))

    assert "boot" not in office.command("nodes").out
    assert "boot" not in office.command("nodes", "n2").out
