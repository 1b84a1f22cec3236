"""The dialects hold together: each names a driver libcloud has and arguments that driver takes."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceState,
    OutcomeUnknown,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from providers.dialects import DIALECTS, Dialect
from providers.dialects.contract import Goes, Place, Shape, Xml
from providers.libcloud import errors
from providers.libcloud.adapter import open_libcloud

EVERY = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda each: each.driver)
EC2 = DIALECTS["ec2"]


def driver_of(dialect: Dialect) -> Any:
    module, _, name = dialect.driver_class.partition(":")
    return getattr(importlib.import_module(module), name)


@EVERY
def test_every_argument_is_one_the_driver_takes(dialect: Dialect) -> None:
    """A misspelt argument would only be found by buying a machine."""
    driver = driver_of(dialect)
    creates = inspect.signature(driver.create_node).parameters
    lists = inspect.signature(driver.list_nodes).parameters
    named = {
        dialect.user_data.argument,
        dialect.mark.argument,
        dialect.location.argument,
        dialect.once_argument,
        dialect.password_argument,
        *dialect.always,
        *(option.argument for option in dialect.options.values() if option.to is Goes.MACHINE),
    }
    listed = {*dialect.listing.arguments}
    listed |= {dialect.listing.filter.key} if dialect.listing.filter.place is Place.ARGUMENT else set()

    ends = inspect.signature(driver.destroy_node).parameters
    anything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in creates.values())

    assert anything or not {argument.partition(".")[0] for argument in filter(None, named)} - set(creates)
    assert set() == set(dialect.at_the_end) - set(ends)
    assert set() == listed - set(lists)
    assert not dialect.listing.address_lookup or hasattr(driver, dialect.listing.address_lookup)
    assert not dialect.state_map or hasattr(driver, dialect.state_map)
    assert [] == [member for member in dialect.members if not hasattr(driver, member)]


@EVERY
def test_a_driver_asks_over_its_connection_only(dialect: Dialect) -> None:
    """Some call `requests` by themselves: no time-out of ours, no single send and no leave would hold of that."""
    named = {each.__module__ for each in inspect.getmro(driver_of(dialect))}
    drivers = [each for each in named if each.startswith(("libcloud.compute.drivers.", "providers."))]
    past = re.compile(r"\brequests\.(get|post|put|patch|delete|request|Session)\b|\burlopen\(|http\.client")

    assert drivers
    assert [] == [name for name in drivers if past.search(inspect.getsource(importlib.import_module(name)))]


@EVERY
def test_an_account_can_be_opened_with_what_its_options_say(dialect: Dialect) -> None:
    """The driver's constructor takes every argument that the options name, and nothing is sent."""
    given = {name: option.choices[0] if option.choices else "something" for name, option in dialect.options.items()
             if option.to is Goes.ACCOUNT and option.shape is Shape.TEXT}  # fmt: skip
    given |= {name: ["something"] for name, option in dialect.options.items()
              if option.required and option.shape is Shape.TEXTS}  # fmt: skip
    given |= {"region": "us-east-1"} if given.get("region") == "something" else {}
    given |= {name: "http://127.0.0.1:1" for name in given if name.endswith("url")}

    open_libcloud(
        name="any", fleet="production", options={"driver": dialect.driver, **given}, clock=SystemClock()
    ).close()


@EVERY
def test_every_pattern_can_be_read(dialect: Dialect) -> None:
    """Patterns compile, and those that capture have their group."""
    for rule in dialect.errors.rules:
        re.compile(rule.codes + rule.text + rule.asked)
    captures = [dialect.errors.code, dialect.errors.text]
    captures += [dialect.listing.cursor.next_cursor] if dialect.listing.cursor else []
    reads = dialect.listing.reads
    others = [reads.sign, reads.row_sign] if isinstance(reads, Xml) else [reads.path]
    others += [dialect.order_sign, dialect.names.pattern, dialect.mark.value]

    assert [] == [each for each in captures if re.compile(each).groups != 1]
    assert others == [re.compile(each).pattern for each in others]


@EVERY
def test_every_option_that_needs_another_names_one(dialect: Dialect) -> None:
    """A need that is no option could never be met."""
    needs = {option.needs for option in dialect.options.values() if option.needs}

    assert set() == needs - set(dialect.options)


@EVERY
def test_a_dialect_is_data(dialect: Dialect) -> None:
    """Nothing in it can be called, and its file imports contracts only: a cloud is added without writing a program."""
    called = [each.name for each in dataclasses.fields(dialect) if callable(getattr(dialect, each.name))]
    source = ast.parse(
        Path(str(importlib.import_module(f"providers.dialects.{dialect.driver}").__file__)).read_text()
    )
    imported = {each.module for each in ast.walk(source) if isinstance(each, ast.ImportFrom)}
    plain = [alias.name for each in ast.walk(source) if isinstance(each, ast.Import) for alias in each.names]

    assert [] == called
    assert [] == plain
    words = {f"providers.dialects.{each}" for each in ("contract", "leaving", "looks", "times")}
    assert imported <= {"__future__", "collections.abc", "providers.contract", *words}


@EVERY
def test_what_a_cloud_does_not_tell_is_said_and_nothing_is_said_twice(dialect: Dialect) -> None:
    """A check is never silent about price, quota and network, and looks for what is an option only."""
    looks = dialect.looks
    told = [
        bool(option in dialect.options and (dialect.options[option].required or named.unsaid))
        for option, named in looks.named.items()
        if named.subject == "network" and named.ask
    ]
    named = {*looks.named, *(each.instead for each in looks.named.values())}
    named |= {option for each in looks.quota.meters for option in (each.option, each.without)}

    assert bool(looks.quota.meters) is not bool(looks.quota.untold)
    assert bool(looks.price.of) is not bool(looks.price.untold)
    assert bool(looks.network) is not any(told)
    assert set() == named - {""} - set(dialect.options)
    assert [] == [option for option in looks.named if dialect.options[option].secret]


@EVERY
def test_countries_are_countries(dialect: Dialect) -> None:
    """Two capital letters each, as ISO 3166-1 has them, and nowhere is none of them."""
    countries = dialect.location.countries

    assert [] == [code for code in countries.values() if not re.fullmatch("[A-Z]{2}", code)]
    assert "" not in countries


def test_ec2_leaves_out_only_what_is_no_more() -> None:
    """A stopped or ending machine is listed: it may be billed. A terminated one is not."""
    assert ["terminated"] == [word for word, state in EC2.states.items() if state is None]
    assert InstanceState.ENDING is EC2.states["shutting-down"]
    assert InstanceState.STOPPED is EC2.states["stopped"]


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
    assert means is errors.meaning_of(status, codes, EC2)


@pytest.mark.parametrize(
    ("driver", "status", "code", "sentence", "means"),
    [
        ("ec2", 400, "MaxSpotInstanceCountExceeded", "", QuotaRefused),
        ("ec2", 400, "Unsupported", "", CapacityRefused),
        ("hetzner", 403, "resource_limit_exceeded", "server limit exceeded", QuotaRefused),
        ("hetzner", 412, "resource_unavailable", "error during placement", CapacityRefused),
        ("digitalocean", 422, "unprocessable_entity", "this will exceed your droplet limit", QuotaRefused),
        (
            "digitalocean",
            422,
            "unprocessable_entity",
            "Size is not available in this region.",
            CapacityRefused,
        ),
        ("linode", 400, "", "Account Limit reached. Please open a support ticket.", QuotaRefused),
        ("linode", 400, "", "This plan is currently unavailable in the selected region", CapacityRefused),
        ("openstack", 403, "forbidden", "Quota exceeded for cores: Requested 4", QuotaRefused),
        ("openstack", 403, "forbidden", "Maximum number of ports exceeded", QuotaRefused),
        ("openstack", 400, "badRequest", "No more IP addresses available on network", CapacityRefused),
    ],
)
def test_a_full_account_is_told_from_an_empty_shelf(
    driver: str, status: int, code: str, sentence: str, means: type[Exception]
) -> None:
    """After the one no other offer of the account is asked, after the other the next one is."""
    asked = "POST /servers"

    found = errors.meaning_of(status, [code], DIALECTS[driver], sentence=sentence, asked=asked)

    assert means is found


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
@pytest.mark.parametrize("driver", sorted(DIALECTS))
@pytest.mark.parametrize("sentence", ["currently unavailable, out of stock", "quota exceeded, limit reached"])
def test_a_servers_own_trouble_refuses_nothing(driver: str, status: int, sentence: str) -> None:
    """What was asked may have been done all the same, whatever the sentence, where no code or status was documented."""
    documented = [rule for rule in DIALECTS[driver].errors.rules if rule.status == status]

    found = errors.meaning_of(status, [], DIALECTS[driver], sentence=sentence, asked="POST /v2/servers")

    assert documented or found is OutcomeUnknown


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
    assert seconds == errors.retry_after_s(header, 100.0)
