"""`status`, `nodes` and `why`: what is on record, in words and as JSON."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from autoscaler.cli import opened
from autoscaler.core.facts import Bills, Memory, Rest, RestKind, Stranger, Trouble
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import OrderKind, PoolName, PoolWish, Transition
from autoscaler.core.offers import for_pool
from autoscaler.core.waits import Wait, WaitKind
from autoscaler.journal import TickRecord, orders
from providers.contract import NodeName
from tests.unit.cli.office import Office, a_decision
from tests.unit.core.builders import CLOUD, OFFER, POOL, a_node, an_instance


@pytest.mark.parametrize(
    "command", [["status"], ["nodes"], ["why", "images"], ["pause", "images"], ["sweep", "--yes"]]
)
def test_without_a_journal_a_command_says_what_to_do_and_makes_none(
    office: Office, command: list[str]
) -> None:
    """A typing error in --config must not leave an empty journal behind."""
    answer = office.command(*command)

    assert 69 == answer.code
    assert "autoscaler run" in answer.err
    assert not office.journal_file.exists()


def test_commands_that_only_read_the_journal_need_no_secrets(office: Office) -> None:
    """An operator's shell does not have the daemon's environment."""
    office.on_record(a_node())
    office.secrets = {}

    assert [0, 0] == [office.command(name).code for name in ("status", "nodes")]
    assert 78 == office.command("check").code


def test_status_shows_each_pool_with_its_sentence(office: Office) -> None:
    """Numbers in columns, the daemon's own sentence below."""
    decided = a_decision(at=time.time(), backlog=42)
    office.on_record(a_node("n1"), a_node("n2", NodeState.DRAINING), decisions=[decided])

    answer = office.command("status")

    row = next(line.split() for line in answer.out.splitlines() if line.startswith("images "))
    assert ["images", "42", "–", "0", "1", "0", "1", "0", "5", "0.20"] == row
    assert decided.sentence in answer.out
    assert "no daemon runs: the last tick was" in answer.out
    assert all(line == line.rstrip() for line in answer.out.splitlines())


def test_status_as_json_names_every_fact(office: Office) -> None:
    """Scripts rest on these names."""
    office.on_record(a_node(), decisions=[a_decision(at=time.time(), backlog=42)])

    facts = office.command("status", "--json").facts

    names = {
        "at",
        "fleet",
        "currency",
        "daemon",
        "pools",
        "accounts",
        "orders",
        "strangers",
        "held_back",
        "misplaced",
        "bill",
    }
    assert names == facts.keys()
    assert {"running", "owner", "since_at", "last_tick_at"} == facts["daemon"].keys()
    (pool,) = facts["pools"]
    assert ("images", 42, 1, 5, False) == tuple(
        pool[k] for k in ("pool", "waiting", "serving", "wanted", "paused")
    )
    assert (
        {"month", "spent", "per_h", "projected", "most", "since_at"}
        == facts["bill"].keys()
        == pool["bill"].keys()
    )


class Calendar:
    """The middle of November 2023."""

    def now(self) -> float:
        return 1_700_000_000.0


def test_status_shows_what_the_month_costs_and_comes_to(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each pool and of all, with a warning long before the money is spent."""
    monkeypatch.setattr(opened, "CLOCK", Calendar())
    now = Calendar().now()
    gone = Bills(gone={"2023-11": {POOL: 50.0, PoolName("old"): 7.0}}, since_at=now - 90 * 86_400)
    office.rewrite("max_workers = 5", "max_workers = 5\nmax_cost_per_month = 51")
    office.rewrite('name = "shop"', 'name = "shop"\nmax_cost_per_month = 1e6')
    node = a_node(ordered_at=now - 30, offer=replace(OFFER, quantum_s=3600))
    office.on_record(node, memory=Memory(bills=gone), at=now)

    told = office.command("status").out

    of_pool, of_all = (
        next(row.split() for row in told.partition("SPENT")[2].splitlines() if row.startswith(name))
        for name in ("images ", "all pools ")
    )
    assert ("50.10", "51.00") == (of_pool[1], of_pool[3])
    assert ("57.10", "1000000.00") == (of_all[2], of_all[4])
    assert f"images: 2023-11 comes to {of_pool[2]} EUR, allowed are 51.00 (max_cost_per_month)" in told
    assert "all pools: " not in told


def test_status_says_since_when_a_month_is_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum that is not the whole month's must not look like it."""
    monkeypatch.setattr(opened, "CLOCK", Calendar())
    office.on_record(memory=Memory(bills=Bills(since_at=Calendar().now() - 60)))

    assert "what 2023-11 cost is counted since 2023-11-1" in office.command("status").out


def test_status_says_that_a_daemon_runs_while_one_ticks(office: Office) -> None:
    """By the lease and the age of the last tick."""
    with office.daemon():
        answer = office.command("status")

    assert "the daemon runs (test pid 1 user nobody)" in answer.out


def test_status_says_what_could_not_be_seen_and_why(office: Office) -> None:
    """Absent is not zero."""
    blind = a_decision(at=time.time(), demand=None, demand_missing="the broker is down")
    office.on_record(decisions=[blind])

    answer = office.command("status")
    (pool,) = office.command("status", "--json").facts["pools"]

    assert "the broker is down" in answer.out
    assert (None, ["the broker is down"]) == (pool["waiting"], pool["unseen"])


def test_status_shows_what_an_operator_wished_and_what_rests(office: Office) -> None:
    """Whoever wonders why nothing is bought finds it here."""
    now = time.time()
    rest = Rest(until_at=now + 600, refusals=1, why="out of stock")
    over = Rest(until_at=now - 600, refusals=1, why="long ago")
    stranger = Stranger(provider=CLOUD, instance=an_instance("lost-one"), since_on=0.0)
    memory = Memory(offer_rests={OFFER.name: rest}, account_rests={CLOUD: over}, strangers=(stranger,))
    wish = PoolWish(pool=PoolName("images"), paused=True, hold_workers=3, hold_until_at=now + 3600)
    with office.journal() as journal:
        journal.commit(TickRecord(at=now, memory=memory, wishes=(wish,)))
        orders.give(journal, OrderKind.DRAIN, "n1", by="ann", at=now)

    told = office.command("status").out

    for words in (
        "paused",
        "held at 3 workers until",
        "out of stock",
        "order waiting: drain n1, given by ann",
    ):
        assert words in told
    assert "1 machine of ours without a record" in told
    assert "long ago" not in told


def test_status_says_what_is_held_back_until_when_and_how_to_end_it(office: Office) -> None:
    """Each with its reason, for people in a line and for programs in fields."""
    now = time.time()
    image = Rest(
        until_at=now + 599, refusals=2, why="no such image", kind=RestKind.REJECTED, since_at=now - 7_200
    )
    silent = replace(image, until_at=now - 5, why="they do not enrol", kind=RestKind.NEVER_ENROLLED)
    broken = replace(image, until_at=now + 59, why="3 times no answer", kind=RestKind.FAILING)
    memory = Memory(
        offer_rests={OFFER.name: image, for_pool(OFFER.name, PoolName("images")): silent},
        troubles={
            CLOUD: Trouble(
                calls=3, rest=broken, listings=4, unlisted_since_at=now - 60, why_unlisted="503 from the API"
            )
        },
        waits=(
            Wait(kind=WaitKind.CALLS, subject=CLOUD, why="2 ends wait", since_at=now - 10_800),
            Wait(
                kind=WaitKind.CANARY,
                subject=f"{OFFER.name} for images",
                why="one first",
                since_at=now - 14_400,
            ),
        ),
    )
    with office.journal() as journal:
        journal.commit(TickRecord(at=now, memory=memory))

    told = office.command("status").out
    held = office.command("status", "--json").facts["held_back"]

    for words in (
        f"{OFFER.name}: no such image\n  resting for 9 min",
        f"s, since 2 h; then one machine is tried until one enrols; at once: `autoscaler wake {OFFER.name}`",
        f"{OFFER.name} for images: they do not enrol\n  held back, since 2 h; one machine is tried until one enrols",
        f"{CLOUD}: its machines cannot be listed: 503 from the API\n  held back, since 1 min",
        f"{CLOUD}: 3 times no answer\n  resting for 5",
        "2 ends wait\n  held back, since 3 h; calls go on within a minute",
        "one first\n  held back, since 4 h; it ends when its worker is heard; at once: `autoscaler wake images`",
    ):
        assert words in told
    assert {"failing", "unlisted", "rejected", "never_enrolled", "calls", "canary"} == {
        h["kind"] for h in held
    }
    assert {"kind", "subject", "why", "since_at", "until_at", "ends", "by_hand"} == held[0].keys()


def test_status_shows_nodes_of_pools_that_left_the_configuration(office: Office) -> None:
    """They still cost money."""
    office.on_record(a_node("n1", pool=PoolName("gone")))

    told = office.command("status").out

    assert "gone: nothing was decided yet" in told
    assert "no longer in the configuration" in told


def test_status_is_for_people_or_for_programs(office: Office) -> None:
    """A page that renews itself is no JSON document."""
    office.on_record()

    assert 2 == office.command("status", "--watch", "--json").code


def test_what_others_wrote_never_steers_a_terminal(office: Office) -> None:
    """A provider's message may hold anything, escape sequences and markup included."""
    office.on_record(a_node(reason="\x1b[2J[red]boo\x07"))

    told = office.command("nodes").out

    assert "\x1b" not in told
    assert "\x07" not in told
    assert "[red]boo" in told


def test_nodes_counts_cost_by_begun_quanta(office: Office) -> None:
    """An hour that was begun is paid whole: 61 minutes at 0.10 an hour are 0.20."""
    now = time.time()
    office.on_record(
        a_node(
            offer=replace(OFFER, quantum_s=3600),
            ordered_at=now - 3660,
            instance_created_at=now - 3660,
            entered_at=now - 60,
        )
    )

    (node,) = office.command("nodes", "--json").facts["nodes"]

    assert 0.2 == pytest.approx(node["cost_so_far"])
    assert "0.20" in office.command("nodes").out


def test_nodes_leaves_out_the_gone_unless_asked(office: Office) -> None:
    """The record of what was is long."""
    office.on_record(a_node("here"), a_node("away", NodeState.GONE))

    assert ["here"] == [n["name"] for n in office.command("nodes", "--json").facts["nodes"]]
    assert {"here", "away"} == {n["name"] for n in office.command("nodes", "--all", "--json").facts["nodes"]}


def test_one_node_shows_every_move_with_its_reason(office: Office) -> None:
    """By the name of the record, or of the machine."""
    moves = [
        Transition(
            node=NodeName("n1"),
            pool=PoolName("images"),
            at=time.time(),
            event=Event.WORKER_SEEN,
            before=NodeState.BOOTING,
            after=NodeState.READY,
            reason="it was heard",
        )
    ]
    office.on_record(a_node("n1", machine=NodeName("m1")), moves=moves)

    by_machine = office.command("nodes", "m1")
    (node,) = office.command("nodes", "n1", "--json").facts["nodes"]

    move = next(line for line in by_machine.out.splitlines() if line.endswith("it was heard"))
    assert ["booting", "ready"] == move.split()[2:4]
    assert ["ready"] == [move["after"] for move in node["transitions"]]


def test_an_unknown_node_is_answered_with_those_there_are(office: Office) -> None:
    """A name with a typing error should not need a second command."""
    office.on_record(a_node("n1"))

    answer = office.command("nodes", "n2")

    assert 1 == answer.code
    assert "No node 'n2' is on record. On record are: n1." in answer.err


@pytest.mark.parametrize(
    "command", [["nodes", "--pool", "imges"], ["why", "imges"], ["plan", "imges"], ["cloud-init", "imges"]]
)
def test_an_unknown_pool_is_answered_with_those_there_are(office: Office, command: list[str]) -> None:
    """Whatever the command."""
    office.on_record()

    answer = office.command(*command)

    assert 2 == answer.code
    assert "There is no pool 'imges'; the configuration has: images." in answer.err


def test_why_tells_the_decision_whole_and_that_it_replays(office: Office) -> None:
    """From the facts to the number, in words; and the same facts still lead to the same number."""
    decided = a_decision(at=time.time(), backlog=42)
    office.on_record(decisions=[decided])

    told = office.command("why", "images", "--replay")
    facts = office.command("why", "images", "--json").facts

    assert "42 messages at 10 a worker ask for 5" in told.out
    assert "Replayed from the same facts: 5 again." in told.out
    assert {"pool", "at", "wanted", "sentence", "replays", "decision", "boots"} == facts.keys()
    assert (True, 5, 42) == (
        facts["replays"],
        facts["wanted"],
        facts["decision"]["input"]["demand"]["backlog"],
    )


def test_a_decision_that_no_longer_replays_is_said_to(office: Office) -> None:
    """The program, or a plugin, may have changed since."""
    honest = a_decision(at=time.time(), backlog=42)
    office.on_record(decisions=[replace(honest, decision=replace(honest.decision, wanted=1))])

    told = office.command("why", "images", "--replay")

    assert "5, where 1 was decided" in told.out
    assert office.command("why", "images", "--json").facts["replays"] is False


def test_why_can_be_asked_about_a_time(office: Office) -> None:
    """The decision that held then is the latest at or before it."""
    now = time.time()
    office.on_record(decisions=[a_decision(at=now - 900, backlog=42)], at=now - 900)
    office.on_record(decisions=[a_decision(at=now - 60, backlog=7)])

    assert 5 == office.command("why", "images", "--at", "10m", "--json").facts["wanted"]
    assert 1 == office.command("why", "images", "--at", "30s", "--json").facts["wanted"]


@pytest.mark.parametrize(
    ("at", "code", "words"),
    [
        ("soon", 2, "is no time"),
        ("10 parsecs", 2, "is no time"),
        ("99:99", 2, "is no time"),
        ("2999-01-01", 2, "still to come"),
        ("2001-01-01T00:00", 1, "Nothing is on record about images at 2001-01-01"),
    ],
)
def test_a_time_that_says_nothing_is_answered_with_why(
    office: Office, at: str, code: int, words: str
) -> None:
    """No time at all, one to come, and one before the first record."""
    office.on_record(decisions=[a_decision(at=time.time())])

    answer = office.command("why", "images", "--at", at)

    assert (code, True) == (answer.code, words in answer.err)


def test_why_before_the_first_decision_says_so(office: Office) -> None:
    """A new pool has no reasons yet."""
    office.on_record()

    answer = office.command("why", "images")

    assert 1 == answer.code
    assert "has not decided" in answer.err
