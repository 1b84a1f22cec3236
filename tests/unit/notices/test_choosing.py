"""What one receiver is told: what it chose, the same not too soon, and the end of what it heard."""

from __future__ import annotations

import pytest

from autoscaler.notices import choosing
from autoscaler.notices.contract import Choice
from tests.unit.notices.saying import chooser, said


def test_what_was_not_chosen_is_not_told() -> None:
    """And neither is its end."""
    ears = chooser("node.failed")

    assert ears.hear(said("fact.missed", fact="demand")) is None
    assert ears.hear(said("fact.recovered", 1.0, fact="demand")) is None


def test_who_heard_of_a_trouble_hears_of_its_end_though_the_end_was_not_chosen() -> None:
    """With how long it lasted."""
    ears = chooser("fact.missed")

    assert ears.hear(said("fact.missed", 10.0, fact="demand")) is not None
    end = ears.hear(said("fact.recovered", 75.0, fact="demand"))

    assert end is not None
    assert ("fact.recovered", "fact.missed", 65.0) == (end.event, end.ends, end.stood_s)


def test_an_end_is_told_once() -> None:
    """A second one is the end of nothing."""
    ears = chooser("fact.missed")
    ears.hear(said("fact.missed", fact="demand"))
    ears.hear(said("fact.recovered", 1.0, fact="demand"))

    assert ears.hear(said("fact.recovered", 2.0, fact="demand")) is None


def test_the_end_of_another_subject_is_no_end() -> None:
    """One node's recovery leaves the other's trouble standing."""
    ears = chooser("node.failed")
    ears.hear(said("node.failed", node="n1"))

    assert ears.hear(said("node.recovered", 1.0, node="n2")) is None
    assert ears.hear(said("node.recovered", 2.0, node="n1")) is not None


def test_one_end_may_be_the_end_of_two_troubles_and_counts_from_the_first() -> None:
    """An account that is slow, and then short of requests, is neither any more."""
    ears = chooser("account.slowed", "account.limited")
    ears.hear(said("account.slowed", 10.0, account="cloud"))
    ears.hear(said("account.limited", 20.0, account="cloud"))

    end = ears.hear(said("account.recovered", 40.0, account="cloud"))

    assert end is not None
    assert ("account.slowed", 30.0) == (end.ends, end.stood_s)
    assert ears.hear(said("account.recovered", 41.0, account="cloud")) is None


def test_the_same_is_told_again_only_after_the_time_and_with_how_often_it_was_said() -> None:
    """An event of every tick is one notice in `repeat`, whatever its words."""
    ears = chooser("node.overdue", repeat_s=600.0)
    told = [ears.hear(said("node.overdue", 5.0 * n, node="n1", asks=n)) for n in range(241)]

    assert [0, 120, 240] == [n for n, notice in enumerate(told) if notice]
    assert [0, 119, 119] == [notice.unsaid for notice in told if notice]


def test_another_subject_is_other_news() -> None:
    """Two nodes that fail are two notices."""
    ears = chooser("node.failed")

    assert all(ears.hear(said("node.failed", node=name)) for name in ("n1", "n2"))


def test_a_trouble_that_comes_back_too_soon_is_told_when_it_may_be_if_it_stands() -> None:
    """The last word that somebody heard must not be that it is over."""
    ears = chooser("fact.missed", repeat_s=600.0)
    ears.hear(said("fact.missed", 0.0, fact="demand"))
    ears.hear(said("fact.recovered", 10.0, fact="demand"))

    assert ears.hear(said("fact.missed", 60.0, fact="demand", why="down")) is None
    assert (600.0, ()) == (ears.next_due_on(), ears.due(599.0))
    (late,) = ears.due(600.0)
    assert ("fact.missed", 540.0, 0) == (late.event, late.stood_s, late.unsaid)
    assert () == ears.due(5_000.0)
    assert ears.next_due_on() is None
    end = ears.hear(said("fact.recovered", 700.0, fact="demand"))
    assert end is not None
    assert 640.0 == end.stood_s


def test_a_trouble_that_flaps_is_not_told_each_time_nor_are_its_ends() -> None:
    """Told once in `repeat`; what was never told has no end to tell."""
    ears = chooser("fact.missed", repeat_s=600.0)
    told = []
    for at in range(0, 590, 10):
        told.append(ears.hear(said("fact.missed", float(at), fact="demand")))
        told.append(ears.hear(said("fact.recovered", at + 5.0, fact="demand")))

    assert ["fact.missed", "fact.recovered"] == [notice.event for notice in told if notice]
    assert () == ears.due(600.0)


def test_an_end_that_is_chosen_itself_is_told_without_its_trouble_too() -> None:
    """Who wants to hear each start hears it, whether or not the lease was waited for."""
    ears = chooser("daemon.started")

    notice = ears.hear(said("daemon.started"))

    assert notice is not None
    assert "" == notice.ends


@pytest.mark.parametrize(("pool", "told"), [("images", True), ("thumbs", False)])
def test_of_events_with_a_pool_only_those_of_the_chosen_pools(pool: str, told: bool) -> None:
    """Another team's pool is another team's trouble."""
    ears = chooser("node.failed", pools=("images",))

    assert told == (ears.hear(said("node.failed", pool=pool)) is not None)


def test_events_without_a_pool_are_everybodys() -> None:
    """That the broker cannot be seen concerns each pool; so does the end of a node that was told of."""
    ears = chooser("fact.missed", "node.failed", pools=("images",))

    assert ears.hear(said("fact.missed"))
    assert ears.hear(said("node.failed", node="n1", pool="images"))
    assert ears.hear(said("node.recovered", 1.0, node="n1"))


def test_another_choice_keeps_what_was_told() -> None:
    """After a reload the end of a trouble that is no longer chosen is told, and only then it is forgotten."""
    ears = chooser("fact.missed")
    ears.hear(said("fact.missed", fact="demand"))

    ears.go_by(Choice(events=frozenset({"node.failed"})))

    assert "fact.recovered" in ears.listens_to()
    assert ears.hear(said("fact.recovered", 1.0, fact="demand"))
    assert ears.hear(said("fact.missed", 2.0, fact="demand")) is None


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes come with new names for ever."""
    monkeypatch.setattr(choosing, "LARGEST", 10)
    ears = chooser("node.failed")

    for number in range(100):
        ears.hear(said("node.failed", node=f"n{number}"))

    assert ears.hear(said("node.recovered", 1.0, node="n99"))
    assert ears.hear(said("node.recovered", 1.0, node="n1")) is None
    assert {10, 9} == {len(ears._told), len(ears._troubles)}
