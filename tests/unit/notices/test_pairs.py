"""Which event ends which, and what makes two the same: the tables agree with the catalogue."""

from __future__ import annotations

from autoscaler.notices import pairs
from autoscaler.telemetry import EVENTS
from tests.unit.notices.saying import said


def test_every_end_and_every_trouble_is_in_the_catalogue_with_the_fields_it_is_known_by() -> None:
    """An event that is renamed, or loses a field, is missed here and not by an operator."""
    for event, end in pairs.ENDS.items():
        for name in (event, *end.of):
            assert set(end.by) <= EVENTS[name].fields, name
        if end.where is not None:
            assert end.where[0] in EVENTS[event].fields


def test_what_says_that_something_recovered_or_ended_is_the_end_of_something() -> None:
    """A new `….recovered` without its trouble here would never be told."""
    words = ("recovered", "ended")
    ends = {name for name in EVENTS if name.partition(".")[2] in words}

    # A leftover and a user end once, and nobody was told of them as a trouble that stands.
    assert {"leftover.ended", "user.ended", "notice.recovered"} == ends - pairs.ENDS.keys()


def test_an_end_is_known_by_its_subject() -> None:
    """That another node recovered says nothing of this one."""
    trouble = said("node.failed", node="n1").fields

    assert pairs.trouble_of("node.failed", trouble) in pairs.troubles_ended("node.recovered", {"node": "n1"})
    assert pairs.trouble_of("node.failed", trouble) not in pairs.troubles_ended(
        "node.recovered", {"node": "n2"}
    )


def test_a_move_ends_an_overdue_node_only_where_it_is_gone() -> None:
    """From draining to destroying it is still there, and paid."""
    gone, moved = (said("node.moved", node="n1", after=after).fields for after in ("gone", "destroying"))

    assert (("node.overdue", "n1"),) == pairs.troubles_ended("node.moved", gone)
    assert () == pairs.troubles_ended("node.moved", moved)


def test_words_that_change_make_no_other_news_of_a_trouble_and_do_of_a_decision() -> None:
    """A count in an error message must not tell it again each tick; another number of workers is worth a word."""
    first, second = (said("pool.failed", pool="images", error=error) for error in ("took 1 s", "took 2 s"))
    two, four = (said("pool.decided", pool="images", sentence=words) for words in ("2 workers", "4 workers"))

    assert pairs.same("pool.failed", first.fields) == pairs.same("pool.failed", second.fields)
    assert pairs.same("pool.decided", two.fields) != pairs.same("pool.decided", four.fields)
