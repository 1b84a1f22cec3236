"""Cron's five fields, form by form, and what is refused in which words."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from policies.cron import Cron, CronWrong, begins, parse

DAY_S = 86_400


def days_of(text: str, month: int, year: int = 2026) -> list[int]:
    """The days of a month on which it begins."""
    cron = parse(text)
    return [day for day in range(1, 29) if cron.falls_on(date(year, month, day))]


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("5", (5,)),
        ("05", (5,)),
        ("5,10,5", (5, 10)),
        ("10-13", (10, 11, 12, 13)),
        ("*/20", (0, 20, 40)),
        ("10-30/10", (10, 20, 30)),
        ("1-2,50-59/5,7", (1, 2, 7, 50, 55)),
        ("0-59/59", (0, 59)),
    ],
)
def test_a_field_takes_numbers_ranges_steps_and_lists(field: str, minutes: tuple[int, ...]) -> None:
    """In any mixture; a step stands behind `*` or a range."""
    assert minutes == parse(f"{field} 0 * * *").minutes


def test_a_star_is_everything_a_field_can_be() -> None:
    """From the least to the most of each."""
    cron = parse("* * * * *")

    assert (60, 24, 31, 12, 7) == tuple(
        len(numbers) for numbers in (cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays)
    )


@pytest.mark.parametrize(
    ("field", "weekdays"),
    [
        ("mon-fri", (1, 2, 3, 4, 5)),
        ("MON,Wed", (1, 3)),
        ("0", (0,)),
        ("7", (0,)),
        ("sat-sun", (0, 6)),
        ("5-7", (0, 5, 6)),
        ("sun-tue", (0, 1, 2)),
        ("mon-sun", (0, 1, 2, 3, 4, 5, 6)),
        ("*/2", (0, 2, 4, 6)),
    ],
)
def test_days_of_the_week_have_names_and_sunday_two_numbers(field: str, weekdays: tuple[int, ...]) -> None:
    """0 and 7; a range may end with Sunday."""
    assert weekdays == parse(f"0 7 * * {field}").weekdays


def test_months_have_names() -> None:
    """In ranges and lists too, whatever their case."""
    assert (1, 6, 7, 8, 12) == parse("0 7 * jun-Aug,JAN,12 *").months


def test_blanks_between_the_fields_may_be_many() -> None:
    """People line their crontabs up."""
    assert parse("0 7 * * 1") == parse("  0   7\t* *  1 ")


def test_either_day_is_enough_where_both_are_restricted() -> None:
    """Vixie cron: the 10th, and every Monday."""
    assert [2, 9, 10, 16, 23] == days_of("0 7 10 * mon", 3)


@pytest.mark.parametrize(
    ("text", "days"), [("0 7 * * mon", [2, 9, 16, 23]), ("0 7 10 * *", [10]), ("0 7 10 * */7", [])]
)
def test_one_restricted_day_field_decides_alone(text: str, days: list[int]) -> None:
    """A field that begins with `*` is not restricted: beside it a day must be in both."""
    assert days == days_of(text, 3)


def test_a_step_of_all_days_is_no_restriction() -> None:
    """`*/2` begins with `*`, so odd days that are Mondays, as Vixie cron has it."""
    assert [9, 23] == days_of("0 7 */2 * mon", 3)


@pytest.mark.parametrize(
    ("text", "by_the_clock"),
    [
        ("0 7 * * *", False),
        ("*/15 7 * * *", True),
        ("0 * * * *", True),
        ("0 */2 * * *", True),
        ("0-59 0-23 * * *", False),
    ],
)
def test_a_cron_whose_minute_or_hour_begins_with_a_star_goes_by_the_clock(
    text: str, by_the_clock: bool
) -> None:
    """Vixie cron treats these apart when the clocks change."""
    assert by_the_clock is parse(text).by_the_clock


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it has 0 of the five fields minute, hour, day of the month, month and day of the week"),
        ("@daily", "it has 1 of the five fields"),
        ("0 0 7 * * *", "it has 6 of the five fields"),
        ("60 0 * * *", "minute is '60'; expected 0 to 59"),
        ("0 24 * * *", "hour is '24'; expected 0 to 23"),
        ("0 0 0 * *", "day of the month is '0'; expected 1 to 31"),
        ("0 0 * 13 *", "month is '13'; expected 1 to 12 or jan to dec"),
        ("0 0 * * 8", "day of the week is '8'; expected 0 to 7 or sun to sat"),
        ("0 0 * * monday", "day of the week is 'monday'; expected 0 to 7 or sun to sat"),
        ("mon 0 * * *", "minute is 'mon'; expected 0 to 59"),
        ("0 0 ? * *", "day of the month is '?'"),
        ("0 0 L * *", "day of the month is 'L'"),
        ("-5 0 * * *", "minute is ''; expected 0 to 59"),
        ("1,,2 0 * * *", "minute is ''; expected 0 to 59"),
        ("1.5 0 * * *", "minute is '1.5'"),
        ("٣ 0 * * *", "minute is '٣'"),
        ("0 18-7 * * *", "hour '18-7' runs backwards; expected a list of two ranges"),
        ("0 0 * * fri-mon", "day of the week 'fri-mon' runs backwards"),
        ("5/15 0 * * *", "minute '5/15' has a step behind one number; expected it behind * or a range, such as 5-59/"),
        ("*/0 0 * * *", "minute '*/0' has no step that fits; expected 1 to 59 behind the /"),
        ("*/90 0 * * *", "minute '*/90' has no step that fits"),
        ("*/ 0 * * *", "minute '*/' has no step that fits"),
        ("0 0 31 feb,apr *", "it never begins: none of its months has such a day"),
    ],
)  # fmt: skip
def test_what_is_no_cron_is_refused_with_its_field(text: str, says: str) -> None:
    """The field, what stands there and what would do."""
    with pytest.raises(CronWrong) as caught:
        parse(text)

    assert str(caught.value).startswith(says)


def test_every_wrong_field_is_told_at_once() -> None:
    """One look is enough to mend a line."""
    with pytest.raises(CronWrong) as caught:
        parse("99 7 * foo mon")

    assert "minute is '99'; expected 0 to 59; month is 'foo'; expected 1 to 12 or jan to dec" == str(
        caught.value
    )


def test_a_day_of_leap_years_is_a_day() -> None:
    """29 February begins every four years, with a day of the week beside it too."""
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    leap = list(begins("0 12 29 2 *", "UTC", start, start + 5 * 366 * DAY_S))

    assert [datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()] == leap
    assert isinstance(parse("0 12 29 2 */2"), Cron)


def test_a_begin_at_either_end_of_the_time_asked_for() -> None:
    """The first instant belongs to it, the last does not."""
    at = datetime(2026, 6, 1, tzinfo=UTC).timestamp()

    assert [at, at + 3600] == list(begins("0 * * * *", "UTC", at, at + 7200))
