"""What-if by HTTP: a real daemon, a recorded past, and replays as processes of their own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psutil
import pytest
import requests

from autoscaler.journal import open_journal
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Terms
from autoscaler.study.run import Configured
from benchmarks.recording import Record, record, write
from policies.contract import PolicySpec
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web.served import BEARER, get, serving, url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LASTED_S = 1800.0
AS_NOW = Configured(policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 20}),), tick_s=5.0)


@pytest.fixture(scope="module")
def made() -> Record:
    """Half an hour of the pool `flood` that ended lately."""
    tasks = workloads.joined(
        workloads.poisson(0.2, LASTED_S, 30.0, 1.0, 1), workloads.burst(120, LASTED_S / 2, 30.0)
    )
    terms = Terms(boot_s=60.0, slots=4, max_workers=3, price_per_h=0.01)
    return record(tasks, terms, AS_NOW, pool="flood", begins_at=time.time() - LASTED_S - 600)


@pytest.fixture
def stage(set_stage: Callable[..., Stage], made: Record) -> Stage:
    """A daemon with that past, which serves."""

    def before(stage: Stage) -> None:
        journal = open_journal(stage.journal, make=True)
        write(journal, made)
        journal.close()

    return serving(set_stage, before=before)


def ask(stage: Stage, candidate: object, since: str = "1d", **how: Any) -> requests.Response:
    body = {"pool": "flood", "since": since, "candidate": candidate}
    return requests.post(url(stage, "/api/v1/what-if"), json=body, timeout=10, **{"headers": BEARER, **how})


def ended(stage: Stage, answer: requests.Response, deadline_s: float = 200) -> dict[str, Any]:
    """What became of it."""
    assert 202 == answer.status_code, answer.text
    at = f"/api/v1/what-if/{answer.json()['id']}"
    wait_until(lambda: get(stage, at).json()["state"] != "running", deadline_s, "the replay to end")
    return dict(get(stage, at).json())


def replays(stage: Stage) -> list[psutil.Process]:
    """What runs beneath the daemon."""
    found = []
    for each in psutil.process_iter(["cmdline"]):
        words = " ".join(each.info["cmdline"] or ())
        if "autoscaler.beneath" in words and str(stage.config) in words:
            with contextlib.suppress(psutil.Error):
                found += [each, *each.children(recursive=True)]
    return found


def niceness(stage: Stage) -> set[int]:
    """Of all that runs beneath the daemon."""
    found = set()
    for each in replays(stage):
        with contextlib.suppress(psutil.Error):
            found.add(each.nice())
    return found


def test_a_changed_setting_is_played_beside_todays(stage: Stage, made: Record) -> None:
    """The figures of `backtest`, with the lines that would be put into the file; and the page shows them."""
    answer = ask(stage, {"messages_per_worker": 60, "max_workers": 2})

    told = ended(stage, answer)

    assert ("done", "") == (told["state"], told["says"])
    result = told["result"]
    assert made.outcome.tasks_arrived == result["tasks"] == result["candidate"]["tasks_arrived"]
    assert result["candidate"]["nodes_peak"] <= 2 < result["today"]["nodes_peak"]
    assert result["candidate"]["wait_p95_s"] > result["today"]["wait_p95_s"]
    assert '[[pools.flood.policies]]\nkind = "backlog"\nmessages_per_worker = 60\n' in told["toml"]
    page = get(stage, f"/pools/flood/what-if?of={told['id']}").text
    assert result["says"][0].split(" (")[0] in page.replace("&#39;", "'")
    file = stage.directory / "candidate.toml"
    file.write_text(told["toml"])
    by_hand = stage.asked("backtest", "--candidate", str(file), "--since", "1d")
    assert by_hand["results"][1]["nodes_peak"] == result["candidate"]["nodes_peak"]
    assert 0 == stage.run("check").returncode


@pytest.mark.parametrize(
    ("candidate", "word"),
    [
        ("[stabilize]\nscale_in_windw = '5m'\n", "pools.flood.stabilize.scale_in_windw"),
        ({"max_workers": "many"}, "pools.flood.limits.max_workers"),
        ({"min_workers": 5, "max_workers": 2}, "min_workers"),
        ("[[policies]]\nkind = 'nix'\n", "kind is not known"),
    ],
)
def test_a_candidate_that_is_wrong_is_told_in_the_loaders_words(
    stage: Stage, candidate: object, word: str
) -> None:
    """With the dotted place, and not by the name of a file that nobody knows."""
    told = ended(stage, ask(stage, candidate))

    assert "wrong" == told["state"]
    assert word in told["says"]
    assert "/tmp" not in told["says"]
    assert told["result"] is None


def test_one_runs_at_a_time_and_ticks_stay_on_time(stage: Stage) -> None:
    """A second one is refused; the daemon ticks as before, while processes at the lowest priority take what is left."""
    answer = ask(stage, {"messages_per_worker": 5, "scale_in_window": "1m"})
    assert 202 == answer.status_code
    at = f"/api/v1/what-if/{answer.json()['id']}"

    second = ask(stage, {"messages_per_worker": 5})

    assert (409, "One what-if runs already. Wait for its end, or stop it.") == (
        second.status_code,
        second.json()["detail"],
    )
    wait_until(lambda: niceness(stage) == {19}, 20, "the replay to run, at the lowest priority alone")
    seen = set()
    began = time.monotonic()
    while time.monotonic() - began < 15 and get(stage, at).json()["state"] == "running":
        seen.add(get(stage, "/api/v1/status").json()["daemon"]["last_tick_at"])
        time.sleep(0.1)
    late = [after - before for before, after in pairwise(sorted(seen)) if after - before > 2.5]
    assert len(seen) > 3
    assert [] == late


def test_who_leaves_and_a_daemon_that_ends_take_their_replay_along(stage: Stage) -> None:
    """By a word, as a page says it that is left; by an orderly end; and by `kill -9`."""
    first = ask(stage, {"messages_per_worker": 5}).json()["id"]
    wait_until(lambda: bool(replays(stage)), 20, "the replay to run")

    stopped = requests.delete(url(stage, f"/api/v1/what-if/{first}"), headers=BEARER, timeout=20).json()

    assert ("stopped", "It was stopped.") == (stopped["state"], stopped["says"])
    wait_until(lambda: not replays(stage), 10, "the replay to be gone")
    assert 202 == ask(stage, {"messages_per_worker": 6}).status_code
    wait_until(lambda: bool(replays(stage)), 20, "another to run")
    assert 0 == stage.stop_daemon()
    wait_until(lambda: not replays(stage), 10, "it to be gone with the daemon")

    stage.start_daemon()
    stage.wait_until_said("web.opened", 2)
    wait_until(lambda: get(stage, "/readyz").ok, 30, "the first tick")
    assert 202 == ask(stage, {"messages_per_worker": 7}).status_code
    wait_until(lambda: bool(replays(stage)), 20, "a third to run")
    stage.kill_daemon()
    wait_until(lambda: not replays(stage), 20, "it to be gone with a daemon that was killed")


def test_who_has_no_token_may_not_ask(stage: Stage) -> None:
    """It costs the computer work. Nor does a candidate reach for files and accounts."""
    refused = ask(stage, {"max_workers": 2}, headers={})
    reaching = ask(stage, '[bootstrap]\nenvironment = { X = { file = "/etc/shadow" } }\n')
    elsewhere = ask(stage, '[fleet]\nname = "other"\n')
    other = requests.post(
        url(stage, "/api/v1/what-if"),
        json={"pool": "--help", "candidate": {}}, headers=BEARER, timeout=10,
    )  # fmt: skip

    assert [401, 409, 409, 404] == [each.status_code for each in (refused, reaching, elsewhere, other)]
    assert [] == replays(stage)
