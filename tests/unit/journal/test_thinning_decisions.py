"""Of older decisions those stay that changed the number, and of each pool the one that windows begin with."""

from __future__ import annotations

from autoscaler.core.model import PoolDecision
from autoscaler.journal import Journal, past, read, thinning
from autoscaler.journal.thinning import Terms
from tests.unit.journal.records import IMAGES, a_decision, a_sample, a_tick

T0 = 3_600_000.0


def _thin(
    journal: Journal, decisions_since_at: float, minutes_since_at: float = 0.0, ticks_since_at: float = 0.0
) -> int:
    terms = Terms(
        ticks_since_at=ticks_since_at,
        minutes_since_at=minutes_since_at,
        decisions_since_at=decisions_since_at,
        apart_s=38.0,
    )
    for calls in range(1_000):
        if not thinning.thin(journal, terms):
            return calls
    raise AssertionError("it never ends")


def _decide(journal: Journal, *wanted: int, pool: str = "images") -> list[PoolDecision]:
    made = [a_decision(pool, at=T0 + 10.0 * place, wanted=number) for place, number in enumerate(wanted)]
    for one in made:
        journal.commit(a_tick(one.at, decisions=(one,)))
    return made


def _kept(journal: Journal) -> list[PoolDecision]:
    return list(read.decisions_between(journal, IMAGES, 0.0, 9e9))


def test_those_stay_that_changed_the_number_and_the_newest_of_the_old(journal: Journal) -> None:
    """Whoever asks why it was so is answered by the one that made it so; what windows begin with is as it was."""
    made = _decide(journal, 1, 1, 2, 2, 2, 1, 1, 1, 1)

    _thin(journal, T0 + 75.0)

    assert [made[0], made[2], made[5], made[7], made[8]] == _kept(journal)
    assert made[2] == read.decision_at(journal, IMAGES, T0 + 45.0)
    assert made[7].at == journal.past(T0 + 75.0)[IMAGES][0].at


def test_one_that_was_spared_goes_once_there_is_a_later_one_that_is_as_old(journal: Journal) -> None:
    """However often it is called, and each call ends: what is spared is no work that is left."""
    made = _decide(journal, 1, 1, 1, 2, 2, 2)

    calls = [_thin(journal, T0 + 10.0 * place) for place in range(1, 7)]

    assert [1] * 6 == calls
    assert 0 == _thin(journal, T0 + 60.0)
    assert [made[0], made[3], made[5]] == _kept(journal)


def test_pools_are_told_apart(journal: Journal) -> None:
    """Each has its own number."""
    images, mail = _decide(journal, 1, 1, 1), _decide(journal, 2, 3, 3, pool="mail")

    _thin(journal, T0 + 1e6)

    assert [images[0], images[2]] == _kept(journal)
    assert [mail[0], mail[1], mail[2]] == list(read.decisions_between(journal, "mail", 0.0, 9e9))


def test_a_clock_that_was_set_back_loses_no_change(journal: Journal) -> None:
    """What came before is told by the order of writing. It is thinned when the clock is where it was."""
    steps = ((T0 + 3_600.0, 5), (T0, 3), (T0 + 10.0, 5), (T0 + 20.0, 5), (T0 + 3_610.0, 5))
    for at, wanted in steps:
        journal.commit(a_tick(at, decisions=(a_decision(at=at, wanted=wanted),)))

    _thin(journal, T0 + 7_200.0)

    assert [3, 5, 5, 5] == [each.decision.wanted for each in _kept(journal)]


def test_the_decision_that_stands_outlasts_thinning_and_retention(journal: Journal) -> None:
    """A pool may want the same for longer than anything is kept; its windows and cooldowns still begin from it."""
    made = _decide(journal, 3, 3)

    _thin(journal, T0 + 9e6)
    while journal.purge(T0 + 9e6):
        pass

    assert [3] == [each.wanted for each in journal.past(T0 + 9e6)[IMAGES]]
    assert made[1] == read.decision_at(journal, IMAGES, T0 + 9e6)


def test_a_change_within_a_minute_that_is_one_row_is_told_with_its_instant_and_its_sentence(
    journal: Journal,
) -> None:
    """By the decisions, of which those are kept that changed the number; up and down again within the minute, too."""
    made = _decide(journal, *[1] * 100, *[4] * 2, *[1] * 300)
    samples = tuple(a_sample(at=one.at, wanted=one.decision.wanted) for one in made)
    journal.commit(a_tick(T0, samples=samples))
    before = past.read(journal, IMAGES, T0, T0 + 4_500.0, bins=100, changes=9).changes

    _thin(journal, T0 + 1e6, ticks_since_at=T0 + 1e6)
    after = past.read(journal, IMAGES, T0, T0 + 4_500.0, bins=100, changes=9).changes

    assert [(4, 1, made[102].at, made[102].sentence)] == [
        (each.before, each.after, each.at, each.sentence) for each in before
    ]
    assert set(before) <= set(after)


def test_of_a_time_that_is_on_record_by_the_hour_the_last_of_six_hours_stays(journal: Journal) -> None:
    """However often the number changed, a month grows by four a day; the newest before that time stays as well."""
    made = _decide(journal, *([1, 2] * 400))  # the next six hours begin after two

    _thin(journal, T0 + 7_500.0, T0 + 7_300.0)

    kept = _kept(journal)
    assert [made[719], made[728], made[729], *made[730:]] == kept
    assert made[719] == read.decision_at(journal, IMAGES, T0 + 7_250.0)


def test_a_change_is_not_forgotten_for_one_that_repeats_it(journal: Journal) -> None:
    """Where all is as old, as after an upgrade: of six hours in which the number changed one that says so is left."""
    hours = {1: 1, 7: 5, 8: 5, 9: 5, 13: 2, 19: 3, 25: 4}
    for hour, wanted in hours.items():
        one = a_decision("images", at=T0 + 3_600.0 * hour, wanted=wanted)
        journal.commit(a_tick(one.at, decisions=(one,)))

    _thin(journal, 9e9, 9e9)

    wanted_then = {(one.at - T0) // thinning.DECISION_S: one.decision.wanted for one in _kept(journal)}
    assert {0: 1, 1: 5, 2: 2, 3: 3, 4: 4} == wanted_then
