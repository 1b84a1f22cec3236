"""The text that Prometheus reads: every metric, well formed, with the numbers that the standing has."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler import meters, telemetry
from autoscaler.core.facts import Memory, Trouble
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderKind
from autoscaler.core.reports import Boots, Phase
from autoscaler.journal import orders
from autoscaler.meters import METERS, Tally
from autoscaler.views import documents
from autoscaler.views.measures import Measures
from autoscaler.web import metrics
from autoscaler.web.gauges import GAUGES
from providers.contract import ProviderName
from tests.unit.journal.records import IMAGES, OFFER, a_decision, a_node, a_sample, a_tick
from tests.unit.stand_ins import FixedClock
from tests.unit.web.fleets import journal, look

AT = 10_000.0
HERE = replace(
    OFFER, provider=ProviderName("north"), location="osl", size="s", image="debian", price_per_h=0.1
)
Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(answer: bytes) -> Samples:
    families = text_string_to_metric_families(answer.decode())
    found = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for f in families
        for sample in f.samples
    ]
    assert len(found) == len(dict(found)), "a series stands there twice"
    return dict(found)


def told(found: Measures | None, tally: Tally | None = None, at: float = AT) -> Samples:
    counted = (tally or Tally(FixedClock())).read()
    return parsed(metrics.exposition(found, counted, at=at, version="1.2"))


def a_fleet() -> Measures:
    """One pool at work, one of which nothing is known, an account that is not seen, an order that waits."""
    memory = Memory(
        troubles={ProviderName("south"): Trouble(listings=3, unlisted_since_at=AT - 60, why_unlisted="no")},
        phases={
            f"{HERE.name} for images": Boots(
                took_s={Phase.BOOTED: (9.0,)}, whole_s=(20.0,), failed={Phase.DISK: 2}
            )
        },
    )
    tick = a_tick(
        AT - 5,
        new_nodes=(a_node("images-1", state=NodeState.READY, offer=HERE),),
        decisions=(a_decision(at=AT - 5),),
        samples=(a_sample(at=AT - 5),),
        memory=memory,
    )
    with journal(tick) as kept:
        orders.give(kept, OrderKind.PAUSE, "images", by="kari", at=AT)
        return look(kept, AT)


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


def test_numbers_are_those_of_the_status_document() -> None:
    """The page, `status --json` and the metrics are of one standing."""
    found = a_fleet()
    samples, document = told(found), documents.status(found.standing)

    for pool in document["pools"]:
        for name, key in (
            ("waiting_messages", "waiting"),
            ("in_progress_messages", "in_progress"),
            ("oldest_message_seconds", "oldest_s"),
            ("wanted_workers", "wanted"),
            ("cost_per_hour", "cost_per_h"),
            ("decision_timestamp_seconds", "decided_at"),
        ):
            assert pool[key] == value(samples, f"autoscaler_pool_{name}", pool=pool["pool"])
        for state in ("serving", "arriving", "leaving", "lost"):
            assert pool[state] == value(samples, "autoscaler_pool_workers", pool=pool["pool"], state=state)
        for name, key in (("month_spent", "spent"), ("month_projected", "projected")):
            assert pool["bill"][key] == value(samples, f"autoscaler_pool_{name}", pool=pool["pool"])
    assert document["bill"]["spent"] == value(samples, "autoscaler_month_spent")
    assert document["daemon"]["last_tick_at"] == value(samples, "autoscaler_last_tick_timestamp_seconds")
    assert 1.0 == value(samples, "autoscaler_waiting_orders")


def test_what_is_not_known_has_no_series() -> None:
    """0 would be a number."""
    samples = told(a_fleet())

    assert 120.0 == value(samples, "autoscaler_pool_waiting_messages", pool="images")
    assert value(samples, "autoscaler_pool_waiting_messages", pool="mail") is None
    assert value(samples, "autoscaler_pool_limit_workers", pool="mail", bound="ceiling") == 10.0


def test_decisions_accounts_and_boots_are_told() -> None:
    """Each policy's wish, the rule that bound it, who is not seen, and where boots spend their seconds."""
    samples = told(a_fleet())

    assert 5.0 == value(
        samples, "autoscaler_pool_proposed_workers", pool="images", policy="backlog", place="1"
    )
    assert 1.0 == value(samples, "autoscaler_pool_rule_applied", pool="images", rule="ceiling")
    assert [1.0, 0.0] == [
        value(samples, "autoscaler_account_seen", provider=name) for name in ("north", "south")
    ]
    assert 1.0 == value(samples, "autoscaler_holds", kind="unlisted")
    assert 0.0 == value(samples, "autoscaler_holds", kind="canary")
    offer = {"pool": "images", "offer": str(HERE.name)}
    assert 20.0 == value(samples, "autoscaler_boot_percentile_seconds", percentile="95", **offer)
    assert 9.0 == value(
        samples, "autoscaler_boot_phase_percentile_seconds", percentile="50", phase="booted", **offer
    )
    assert 2.0 == value(samples, "autoscaler_boot_failed_machines", phase="disk", **offer)
    assert 1.0 == value(samples, "autoscaler_fleet_info", fleet="shop", currency="EUR")


def test_every_event_of_the_catalogue_is_there_from_the_start() -> None:
    """An alert on one that never happened compares with 0 and not with nothing."""
    tally = Tally(FixedClock())
    tally.count(meters.EVENT, "journal.failed")
    samples = told(None, tally)

    for event, kind in telemetry.EVENTS.items():
        expected = float(event == "journal.failed")
        assert expected == value(samples, "autoscaler_events_total", event=event, level=kind.level)


def test_the_age_of_a_tick_grows_between_two_ticks() -> None:
    """What was found is as old as the tick, and a tick that hangs must show."""
    found = a_fleet()

    assert 5.0 == value(told(found, at=AT), "autoscaler_tick_age_seconds")
    assert 65.0 == value(told(found, at=AT + 60), "autoscaler_tick_age_seconds")
    assert 0.0 == value(told(found, at=AT - 60), "autoscaler_tick_age_seconds")  # the clock was set back


def test_without_a_journal_the_daemon_still_tells_of_itself() -> None:
    """That is when it matters."""
    tally = Tally(FixedClock())
    with tally.timed(meters.TICK):
        pass
    samples = told(None, tally)

    assert 1.0 == value(samples, "autoscaler_tick_seconds_count", outcome="done")
    assert 1.0 == value(samples, "autoscaler_tick_seconds_bucket", outcome="done", le="+Inf")
    assert 1.0 == value(samples, "autoscaler_build_info", version="1.2")
    assert {name for name, _ in samples if name.startswith("autoscaler_pool")} == set()


def test_buckets_add_up_to_the_count() -> None:
    """As Prometheus has them: each holds those below it, too."""
    tally = Tally(FixedClock())
    with tally.timed(meters.TICK):
        pass
    samples = told(None, tally)
    buckets = [
        v
        for (name, labels), v in samples.items()
        if name == "autoscaler_tick_seconds_bucket" and ("outcome", "done") in labels
    ]

    assert buckets == sorted(buckets)
    assert [1.0] * (len(meters.TICK.bounds) + 1) == buckets


def test_every_metric_has_its_name_and_meaning_even_without_a_number() -> None:
    """Whoever looks for one finds it."""
    answer = metrics.exposition(None, Tally(FixedClock()).read(), at=AT, version="1.2").decode()

    for name in (*(g.name for g in GAUGES), *(m.name for m in METERS), *metrics.OF_ITSELF):
        assert f"# HELP {name} " in answer, name


def test_names_keep_the_rules_of_the_field() -> None:
    """One prefix, base units last, `_total` for counters alone, no label that is a reserved one."""
    names = [gauge.name for gauge in GAUGES] + [meter.name for meter in METERS]

    assert len(names) == len(set(names))
    for gauge in GAUGES:
        assert gauge.name.startswith("autoscaler_")
        assert not gauge.name.endswith(("_total", "_count", "_sum", "_bucket", "_s", "_ms"))
        assert ("seconds" in gauge.unit or gauge.unit == "Unix time") == gauge.name.endswith("_seconds")
        assert not {"le", "__name__", "instance", "job", "node", "machine", "quantile"} & set(gauge.labels)
        assert gauge.means.endswith(".")


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of the Debian package prometheus"
)
def test_promtool_finds_nothing_to_mend() -> None:
    """Prometheus's own linter, over all that there may be to tell."""
    tally = Tally(FixedClock())
    with tally.timed(meters.PROVIDER_CALL, "north", "list"), tally.timed(meters.BROKER_REQUEST, "GET"):
        tally.count(meters.ARRIVED, IMAGES)
    answer = metrics.exposition(a_fleet(), tally.read(), at=AT, version="1.2")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=answer, capture_output=True, check=False, env=os.environ
    )

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
