"""The slices of a pool's past in the journal: added up tick by tick, read by time, forgotten by their own age."""

from __future__ import annotations

import json
import zlib
from contextlib import closing
from dataclasses import replace

import pytest
import sqlalchemy as sa

from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, JournalUnavailable, codec, open_journal
from policies.prospect import Foreseen, Prospect, Slice
from tests.unit.journal.records import IMAGES, a_decision, a_node, a_sample, a_tick

MAILS = PoolName("mails")


def a_slice(since_at: float, arrived: float = 3.0, looked_s: float = 10.0) -> Slice:
    return Slice(since_at=since_at, arrived=arrived, looked_s=looked_s)


def test_what_each_tick_counted_is_added_up_in_its_slice(journal: Journal) -> None:
    """Each pool for itself; one row a slice, however many ticks."""
    journal.commit(a_tick(slices={IMAGES: a_slice(900.0), MAILS: a_slice(900.0, 1.0)}))
    journal.commit(a_tick(slices={IMAGES: a_slice(900.0, 4.0, 9.5)}))
    journal.commit(a_tick(slices={IMAGES: a_slice(1200.0), MAILS: a_slice(900.0, 1.0)}))

    assert (a_slice(900.0, 7.0, 19.5), a_slice(1200.0)) == journal.slices(IMAGES, 0.0, 9e9)
    assert (a_slice(900.0, 2.0, 20.0),) == journal.slices(MAILS, 0.0, 9e9)


def test_slices_are_read_by_time_oldest_first(journal: Journal) -> None:
    """The end is excluded: a slice that is not over yet is still being added to. A clock set back disorders nothing."""
    for at in (1500.0, 900.0, 1200.0):
        journal.commit(a_tick(slices={IMAGES: a_slice(at)}))

    assert [900.0, 1200.0] == [of.since_at for of in journal.slices(IMAGES, 900.0, 1500.0)]
    assert () == journal.slices(PoolName("sums"), 0.0, 9e9)


def test_slices_are_forgotten_by_their_own_age(journal: Journal) -> None:
    """A retention of hours leaves the weeks that a season is learned of."""
    for at in (300.0, 900.0, 1200.0):
        journal.commit(a_tick(slices={IMAGES: a_slice(at)}, samples=(a_sample(at=at),)))

    assert 4 == journal.purge(2000.0, slices_before_at=600.0)
    assert [900.0, 1200.0] == [of.since_at for of in journal.slices(IMAGES, 0.0, 9e9)]


def test_a_tick_that_fails_adds_nothing(journal: Journal) -> None:
    """The slice is part of the one transaction."""
    journal.commit(a_tick(slices={IMAGES: a_slice(900.0)}))

    with pytest.raises(JournalUnavailable):
        journal.commit(a_tick(changed_nodes=(a_node("nobody"),), slices={IMAGES: a_slice(900.0)}))

    assert (a_slice(900.0),) == journal.slices(IMAGES, 0.0, 9e9)


def test_a_damaged_slice_is_left_out(file_url: str) -> None:
    """It is unknown, as one that nobody looked at; a tick does not stop for it."""
    with closing(open_journal(file_url)) as journal:
        for at in (900.0, 1200.0):
            journal.commit(a_tick(slices={IMAGES: a_slice(at)}))
        engine = sa.create_engine(file_url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE slices SET arrived = 'many' WHERE since_at = 900"))
        engine.dispose()

        assert (a_slice(1200.0),) == journal.slices(IMAGES, 0.0, 9e9)
        journal.commit(a_tick(slices={IMAGES: a_slice(900.0)}))


def test_a_decision_stored_before_there_were_prospects_is_read_and_replays(journal: Journal) -> None:
    """It depended on none; one with a prospect brings it back whole."""
    foreseen = Foreseen(says="as yesterday", per_s=(0.5, 2.0), error=0.2, present_error=0.4, slices=9)
    prospect = Prospect(from_at=900.0, slice_s=300.0, soon=foreseen)
    old = a_decision()
    given = old.decision.input
    told = replace(old.decision, input=replace(given, history=replace(given.history, prospect=prospect)))
    plain = json.loads(zlib.decompress(codec.decision_document(old.decision)))
    del plain["input"]["history"]["prospect"]
    row = {"pool": "images", "at": 1000.0, "sentence": old.sentence}

    for decision, document in (
        (old.decision, zlib.compress(json.dumps(plain).encode())),
        (told, codec.decision_document(told)),
    ):
        read = codec.read_decision({**row, "document": document})
        assert decision == read.decision
