"""A listing in JSON is held against what it says of itself: nothing falls between its pages without a word."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from providers.dialects.contract import Json
from providers.libcloud import rows
from providers.libcloud.wire import Answer

COUNTED = Json(rows="machines", total="meta.total", numbered=True, path=r"^GET /machines\b")
CHAINED = Json(rows="machines", path=r"^GET /machines\b")


def answer(document: object, asked: str = "GET /machines?page=1") -> Answer:
    return Answer(status=200, asked=asked, headers={}, body=json.dumps(document))


def page(*ids: int, total: int | None = None) -> Answer:
    told = {"machines": [{"id": each} for each in ids], "meta": {} if total is None else {"total": total}}
    return answer(told)


def nodes(*ids: int) -> list[Any]:
    return [SimpleNamespace(id=str(each)) for each in ids]


def test_a_page_that_holds_as_many_as_it_says_is_all() -> None:
    """One page, or several that agree: absence is proven, and each machine has its own row."""
    seen, doubt = rows.listed(COUNTED, nodes(1, 2, 3), [page(1, 2, total=3), page(3, total=3)])

    assert "" == doubt
    assert [(str(row["id"]), row["id"]) for _, row in seen] == [(node.id, int(node.id)) for node, _ in seen]
    assert ([], "") == rows.listed(COUNTED, [], [page(total=0)])


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        # One went from the first page before the second was asked for: the third machine was shown on neither.
        ([page(1, 2, total=4), page(4, total=3)], "disagree"),
        ([page(1, 2, total=4), page(4, total=4)], "4 machines were announced and 3 came"),
        ([page(1, 2, total=3), page(2, total=3)], "twice"),
        ([page(1, total=2)], "2 machines were announced and 1 came"),
        ([page(1, 2)], "does not say"),
    ],
    ids=["a total that changed", "a row short", "a row twice", "a page short", "no total"],
)
def test_pages_that_may_lack_a_machine_prove_no_absence(pages: list[Answer], why: str) -> None:
    """What they show is true, and the listing says why it may not be all."""
    shown = [row["id"] for each in pages for row in json.loads(each.body)["machines"]]

    seen, doubt = rows.listed(COUNTED, nodes(*shown), pages)

    assert why in doubt
    assert len(shown) == len(seen)


def test_counted_pages_without_any_total_are_never_all() -> None:
    """One page is; of several nobody knows."""
    silent = Json(rows="machines", numbered=True)

    assert "" == rows.listed(silent, nodes(1), [page(1)])[1]
    assert "counted" in rows.listed(silent, nodes(1, 2), [page(1), page(2)])[1]


def test_answers_to_other_questions_are_no_pages() -> None:
    """A login before the listing holds no machines."""
    login = answer({"token": {}}, asked="POST /auth/tokens")

    assert 1 == len(rows.listed(CHAINED, nodes(1), [login, page(1)])[0])


def test_rows_that_are_left_out_are_none_where_the_cloud_does_so() -> None:
    """Some say nothing of machines where there are none; elsewhere that is no listing."""
    told = [answer({"answer": {"count": 0}})]
    says_nothing = Json(rows="answer.machines", left_out=True)

    assert ([], "") == rows.listed(says_nothing, [], told)
    for odd in ({"answer": None}, {"answer": {"machines": None}}, {}):
        with pytest.raises(ValueError, match="listing"):
            rows.listed(says_nothing, [], [answer(odd)])
    with pytest.raises(ValueError, match="listing"):
        rows.listed(Json(rows="answer.machines"), [], told)


@pytest.mark.parametrize(
    ("read", "pages"),
    [
        ((), []),
        ((), [answer([])]),
        ((), [answer({"machines": None})]),
        ((), [answer({"machines": {}})]),
        ((), [answer({"machines": ["text"]})]),
        ((), [page(1, total=1)]),
        ((2,), [page(1, total=1)]),
        ((1, 2), [page(1, total=1)]),
    ],
    ids=[
        "none",
        "a list",
        "null",
        "an object",
        "texts",
        "one unread",
        "another one read",
        "one read too many",
    ],
)
def test_what_is_no_listing_is_not_read_as_an_empty_one(read: tuple[int, ...], pages: list[Answer]) -> None:
    """Nor one of which the driver read another number, or other machines."""
    with pytest.raises(ValueError, match=r"listing|machine"):
        rows.listed(COUNTED, nodes(*read), pages)


def test_where_rows_are_left_out_their_number_is_none() -> None:
    """An empty answer that says no total is empty; one with machines must still say how many there are."""
    shy = Json(rows="answer.machines", total="answer.count", path="", left_out=True)

    assert ([], "") == rows.listed(shy, [], [answer({"answer": {}})])
    _, doubt = rows.listed(shy, nodes(1), [answer({"answer": {"machines": [{"id": 1}]}})])
    assert "does not say" in doubt
    # The last machines went before the second page was asked for.
    moved = [answer({"answer": {"count": 2, "machines": [{"id": 1}]}}), answer({"answer": {}})]
    assert "disagree" in rows.listed(shy, nodes(1), moved)[1]


@pytest.mark.parametrize(
    ("pages", "doubt"),
    [
        ([page(1, 2), page(2, 3), page(3)], ""),
        ([page(1, 2), page(3, 4)], "moved"),
        ([page(1, 2), page(1, 2)], "moved"),
        ([page(1, 2), page()], "moved"),
    ],
    ids=["nothing moved", "one went", "one came", "the last one went"],
)
def test_pages_that_overlap_show_whether_something_moved(pages: list[Answer], doubt: str) -> None:
    """The row at the seam is on both pages, or a row may be on neither."""
    overlapping = Json(rows="machines", numbered=True, overlapping=True)
    shown = [[row["id"] for row in json.loads(each.body)["machines"]] for each in pages]
    ids = [*shown[0], *(id_ for each in shown[1:] for id_ in each[1:])]

    seen, why = rows.listed(overlapping, nodes(*ids), pages)

    assert (len(ids), True) == (len(seen), why == doubt or (bool(doubt) and doubt in why))


@pytest.mark.parametrize(
    ("headers", "doubt"),
    [({"x-total-count": "2"}, ""), ({"x-total-count": "3"}, "3 machines were announced and 2 came"),
     ({"x-total-count": "²"}, "does not say"), ({}, "does not say")],
)  # fmt: skip
def test_a_total_may_stand_in_a_header(headers: dict[str, str], doubt: str) -> None:
    """It is held against the rows as one in the body is; one that is missing or no number proves nothing."""
    counted = Json(rows="machines", numbered=True, total_header="x-total-count")
    told = Answer(status=200, asked="GET /machines", headers=headers, body=page(1, 2).body)

    assert doubt in rows.listed(counted, nodes(1, 2), [told])[1]
    assert bool(doubt) is bool(rows.listed(counted, nodes(1, 2), [told])[1])
