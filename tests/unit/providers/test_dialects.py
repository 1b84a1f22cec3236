"""The dialects hold together: each names a driver libcloud has and arguments that driver takes."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
from libcloud.compute.providers import get_driver

from providers import dialects, libcloud_errors
from providers.contract import CapacityRefused, InstanceState, OutcomeUnknown, RequestRejected, Throttled
from providers.dialects import Dialect

EVERY = pytest.mark.parametrize("dialect", dialects.DIALECTS.values(), ids=lambda each: each.driver)


@EVERY
def test_every_argument_is_one_the_driver_takes(dialect: Dialect) -> None:
    """A misspelt argument would only be found by buying a machine."""
    driver = get_driver(dialect.driver)
    creates = inspect.signature(driver.create_node).parameters
    lists = inspect.signature(driver.list_nodes).parameters
    named = {
        dialect.user_data_argument,
        dialect.mark_argument,
        *filter(None, (dialect.once_argument,)),
        *dialect.always,
        *(extra.argument for extra in dialect.extras.values()),
    }

    assert set() == named - set(creates)
    assert dialect.filter_argument in lists
    assert not dialect.address_lookup or hasattr(driver, dialect.address_lookup)
    assert set() == set(dialect.constructor) - set(inspect.signature(driver).parameters)


@EVERY
def test_every_pattern_can_be_read(dialect: Dialect) -> None:
    """Patterns compile, and those that capture have their group."""
    for rule in dialect.errors:
        re.compile(rule.codes)
    captures = [dialect.error_code, dialect.error_text]
    captures += [dialect.paging.next_cursor] if dialect.paging else []

    assert [] == [each for each in captures if re.compile(each).groups != 1]
    re.compile(dialect.listing_sign)
    re.compile(dialect.row_sign)


@EVERY
def test_every_option_that_needs_another_names_one(dialect: Dialect) -> None:
    """A need that is no option could never be met."""
    needs = {extra.needs for extra in dialect.extras.values() if extra.needs}

    assert set() == needs - set(dialect.extras)


@EVERY
def test_a_dialect_is_data(dialect: Dialect) -> None:
    """Nothing in it can be called, errors apart: a cloud is added without writing a program."""
    called = [
        each.name
        for each in dataclasses.fields(dialect)
        if callable(getattr(dialect, each.name)) and each.name != "errors"
    ]

    assert [] == called


def test_ec2_leaves_out_only_what_is_no_more() -> None:
    """A stopped or ending machine is listed: it may be billed. A terminated one is not."""
    assert ["terminated"] == [word for word, state in dialects.EC2.states.items() if state is None]
    assert InstanceState.ENDING is dialects.EC2.states["shutting-down"]
    assert InstanceState.STOPPED is dialects.EC2.states["stopped"]


@pytest.mark.parametrize(
    ("status", "codes", "means"),
    [
        (500, ["InsufficientInstanceCapacity"], CapacityRefused),
        (503, ["RequestLimitExceeded"], Throttled),
        (503, [], OutcomeUnknown),
        (429, [], Throttled),
        (400, [], RequestRejected),
        (403, [], RequestRejected),
        (404, [], RequestRejected),
        (408, [], OutcomeUnknown),
        (409, [], OutcomeUnknown),
        (200, [], OutcomeUnknown),
        (302, [], OutcomeUnknown),
        (599, ["NeverHeardOf"], OutcomeUnknown),
    ],
)
def test_codes_come_before_statuses(status: int, codes: list[str], means: type[Exception]) -> None:
    """AWS says no stock with a 500 and slow down with a 503; without a code the status alone must do."""
    assert means is libcloud_errors.meaning_of(status, codes, dialects.EC2)


def test_a_stranger_s_text_is_made_fit_for_a_log() -> None:
    """One line, no control letters, no secrets, no long encoded run, and an end."""
    text = "no\x1b[31m\r\nINFO forged line " + "QUJD" * 30 + " the-secret " + "word " * 200

    clean = libcloud_errors.clean(text, ("the-secret",))

    assert clean.isprintable()
    assert len(clean) <= libcloud_errors.TEXT_LIMIT + 1
    assert "the-secret" not in clean
    assert "QUJDQUJD" not in clean


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("30", 30.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("inf", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    """RFC 9110 allows both; anything else is no advice. Now is 100 s after the epoch."""
    assert seconds == libcloud_errors.retry_after_s(header, 100.0)
