"""Requests that only look: each is asked once, page by page, and what cannot be read is never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from providers.contract import Purchase
from providers.dialects import DIALECTS
from providers.dialects.looks import Ask, Pages, Reading, Turning
from providers.libcloud import asking
from providers.libcloud.asking import Asking
from providers.libcloud.options import Account

PURCHASE = Purchase(size="s-1", image="debian", location="eu-west1-b")


@dataclass
class Driver:
    """Answers what it is told to, and keeps what it was asked."""

    answers: Callable[[Mapping[str, Any]], Any]
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def ex_look(self, path: str, params: Mapping[str, Any]) -> Any:
        self.asked.append((path, params))
        return self.answers(params)


def an_asking(pages: Pages | None = None, **said: tuple[str, ...]) -> Asking:
    known = DIALECTS["digitalocean"]
    dialect = replace(known, looks=replace(known.looks, pages=pages))
    account = Account(
        dialect=dialect,
        settle_s=0.0,
        times=dialect.times,
        secrets=(),
        driver_arguments={},
        create_arguments=(),
        said=said,
    )
    return Asking(account=account, purchase=PURCHASE)


def numbered(params: Mapping[str, Any]) -> Any:
    rows = [{"id": number} for number in range(5)]
    begin = (params["page"] - 1) * params["size"]
    return {"rows": rows[begin : begin + params["size"]]}


def offset(params: Mapping[str, Any]) -> Any:
    # The server's own most is less than what was asked for.
    return {"rows": [{"id": number} for number in range(5)][params["page"] : params["page"] + 2]}


def by_cursor(params: Mapping[str, Any]) -> Any:
    at = int(params.get("page", 0))
    return {"rows": [{"id": at}, {"id": at + 1}][: 5 - at], "next": str(at + 2) if at + 2 < 5 else ""}


@pytest.mark.parametrize(
    ("turning", "answers"),
    [(Turning.NUMBER, numbered), (Turning.OFFSET, offset), (Turning.CURSOR, by_cursor)],
)
def test_all_pages_are_walked(turning: Turning, answers: Callable[[Mapping[str, Any]], Any]) -> None:
    """Whatever way the cloud turns them."""
    pages = Pages(turning=turning, param="page", size_param="size", size=2, next="next")
    driver = Driver(answers)

    rows = an_asking(pages).rows(driver, Ask(path="/rows", rows="rows"))

    assert [0, 1, 2, 3, 4] == [row["id"] for row in rows]


@pytest.mark.parametrize(
    "answer", [{"rows": [{"id": 1}, {"id": 2}], "next": "1"}, {"rows": [{"id": 1}, {"id": 2}], "next": 7}]
)
def test_pages_that_never_end_are_given_up(answer: object) -> None:
    """A cursor that comes again, or is none, or more pages than anybody has."""
    cursor = Pages(turning=Turning.CURSOR, param="page", size_param="size", size=2, next="next")
    endless = Pages(turning=Turning.NUMBER, param="page", size_param="size", size=2)

    with pytest.raises(ValueError, match="is no other"):
        an_asking(cursor).rows(Driver(lambda _: answer), Ask(path="/rows", rows="rows"))
    driver = Driver(lambda _: answer)
    with pytest.raises(ValueError, match="more than"):
        an_asking(endless).rows(driver, Ask(path="/rows", rows="rows"))
    assert asking.PAGES_MAX == len(driver.asked)


def test_a_request_is_sent_once_a_check() -> None:
    """Limit and use may stand in one answer, and several options in one list."""
    ask = Ask(path="/account", paged=False)
    driver = Driver(lambda _: {"limit": 3, "used": 1})
    once = an_asking()

    read = [once.value(driver, Reading(ask=ask, at=at)) for at in ("limit", "used", "limit")]

    assert ([3, 1, 3], 1) == (read, len(driver.asked))


def test_offer_and_options_stand_in_requests_and_nowhere_else() -> None:
    """What an operator wrote reaches a path as one part of it."""
    driver = Driver(lambda _: {"v": 1})
    asked = an_asking(project=("a/b?c",))
    asked.value(driver, Reading(ask=Ask(path="/p/{project}/{region}", params={"of": "{project}"}), at="v"))

    assert [("/p/a%2Fb%3Fc/eu-west1", {"of": "a/b?c"})] == driver.asked
    with pytest.raises(LookupError):
        asked.value(driver, Reading(ask=Ask(path="/{secret}"), at="v"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("quotas[metric=CPUS].limit", 8),
        ("quotas[metric=GPUS].limit", None),
        ("quotas[*].limit", [5, 8]),
        ("quotas.1.metric", "CPUS"),
        ("plan_{size}", 4),
        ("nothing.there", None),
        ("quotas.7", None),
    ],
)
def test_a_path_leads_to_what_stands_there(path: str, found: object) -> None:
    """Rows are picked by what they hold; nothing is found where nothing is."""
    document = {"quotas": [{"metric": "ALL", "limit": 5}, {"metric": "CPUS", "limit": 8}], "plan_s-1": 4}

    assert found == an_asking().picked(document, path)


@pytest.mark.parametrize("answer", [None, [], "text", 7, {"rows": None}, {"rows": "x"}, {"rows": [1]}])
def test_an_answer_that_is_no_list_is_no_empty_list(answer: object) -> None:
    """Not having seen is not having seen that there is nothing."""
    with pytest.raises(ValueError, match="no list"):
        an_asking().rows(Driver(lambda _: answer), Ask(path="/rows", rows="rows"))


def test_an_empty_list_may_be_left_out_where_that_is_honest() -> None:
    """By the dialect's word alone."""
    assert [] == an_asking().rows(Driver(lambda _: {}), Ask(path="/rows", rows="rows", left_out=True))


def test_xml_reads_like_everything_else() -> None:
    """Elements called `item` are a list, without their namespaces; an empty one has no rows."""
    some = ET.fromstring("<A xmlns='u:1'><set><item><id> s-1 </id></item></set></A>")
    none = ET.fromstring("<A xmlns='u:1'><set/></A>")
    deep = ET.fromstring("<a>" * 40 + "</a>" * 40)

    assert [{"id": "s-1"}] == an_asking().rows(Driver(lambda _: some), Ask(rows="set"))
    assert [] == an_asking().rows(Driver(lambda _: none), Ask(rows="set"))
    with pytest.raises(ValueError, match="too deep"):
        an_asking().rows(Driver(lambda _: deep), Ask(rows="set"))


@pytest.mark.parametrize(
    ("value", "read"),
    [(3, 3.0), ("3.5", 3.5), (True, None), ("many", None), (None, None), ([3], None), ("nan", None), ("1e999", None),
     (1e16, None), (10**400, None)],
)  # fmt: skip
def test_a_number_is_one_that_can_be_reckoned_with(value: object, read: float | None) -> None:
    """Whatever else was answered is none."""
    assert read == asking.number(value)


def test_what_a_stranger_calls_something_is_shown_on_one_line() -> None:
    """Without what a terminal would obey, and not for ever."""
    assert "a b" == asking.shown("a\nb")
    assert asking.SHOWN_LETTERS + 1 == len(asking.shown("x" * 1000))


def test_a_sum_needs_all_its_parts() -> None:
    """One row without a number would make it too small."""
    reading = Reading(ask=Ask(path="/rows", rows="rows"), at="cores", summed=True)
    whole = Driver(lambda _: {"rows": [{"cores": "2"}, {"cores": 3}]})
    part = Driver(lambda _: {"rows": [{"cores": 2}, {}]})

    assert 5.0 == an_asking().value(whole, reading)
    with pytest.raises(ValueError, match="lacks"):
        an_asking().value(part, reading)
