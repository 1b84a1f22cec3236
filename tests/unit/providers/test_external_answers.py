"""What an operator's program answers: believed where it is a document of protocol 1, and in no other case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from providers.contract import InstanceId, InstanceState, ListingUnavailable, OutcomeUnknown
from providers.external import answers
from providers.external.answers import Unreadable
from tests.unit.providers.external_stage import (
    CALLS,
    LISTED,
    MADE,
    PURCHASE,
    ROW,
    TIMEOUT_S,
    an_account,
    by_verb,
    printing,
    says,
)

UNREADABLE = {
    "nothing": "",
    "half a document": json.dumps(MADE)[:-9],
    "two documents": json.dumps(MADE) * 2,
    "a list": "[]",
    "a word": '"made"',
    "deeper than anybody reads": "[" * 100_000,
    "a key that stands twice": '{"protocol": 1, "protocol": 1, "machine": {}, "machines": [], "complete": true}',
    "not a number": '{"protocol": NaN}',
    "another protocol": json.dumps({**MADE, "protocol": 2}),
    "the protocol as a word": json.dumps({**MADE, "protocol": "1"}),
    "the protocol as a truth": json.dumps({**MADE, "protocol": True}),
    "no protocol": json.dumps({"machine": ROW}),
    "a key nobody knows": json.dumps({**MADE, **LISTED, "machines_total": 1}),
}
BAD_ROWS = {
    "no object": "images-1",
    "no id": {**ROW, "id": None},
    "an id that is a number": {**ROW, "id": 17},
    "an id with a space": {**ROW, "id": "vm 1"},
    "an empty id": {**ROW, "id": ""},
    "no name": {**ROW, "name": ""},
    "a name with a line end": {**ROW, "name": "images-1\n"},
    "a name with half a letter": {**ROW, "name": "\ud800"},
    "a long name": {**ROW, "name": "a" * 256},
    "another state": {**ROW, "state": "active"},
    "no state": {**ROW, "state": None},
    "a state that is a list": {**ROW, "state": ["running"]},
    "a birth in milliseconds": {**ROW, "created_at": 1.7e12},
    "an age": {**ROW, "created_at": 30},
    "a birth that is text": {**ROW, "created_at": "2026-01-02T03:04:05Z"},
    "a birth beyond numbers": {**ROW, "created_at": 10**400},
    "a birth that is true": {**ROW, "created_at": True},
    "addresses that are a text": {**ROW, "addresses": "192.0.2.1"},
    "an address that is a number": {**ROW, "addresses": [7]},
    "a mark that is no text": {**ROW, "fleet": ["shop"]},
    "a key nobody knows": {**ROW, "plan": "small"},
}


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_is_none_leaves_everything_unknown(tmp_path: Path, said: str) -> None:
    """It ended well and said nothing that can be read: the order may have been carried out, and nothing was seen."""
    (tmp_path / "said").write_text(said)
    provider = an_account(tmp_path, 'cat >/dev/null; cat "$here/said"')

    with pytest.raises(OutcomeUnknown, match=r"panel: create images-1: the answer cannot be read"):
        CALLS["create"](provider)
    with pytest.raises(ListingUnavailable, match=r"panel: list: the answer cannot be read"):
        CALLS["list"](provider)


def test_an_answer_without_an_end_is_cut_off(tmp_path: Path) -> None:
    """More than four megabytes are read from nobody, and who sends them is ended."""
    provider = an_account(tmp_path, "cat >/dev/null; exec yes")

    with pytest.raises(OutcomeUnknown, match="ended by us: it answered more than 4194304 bytes"):
        CALLS["create"](provider)
    with pytest.raises(ListingUnavailable, match="ended by us"):
        CALLS["list"](provider)


def test_noise_is_no_answer(tmp_path: Path) -> None:
    """Bytes that are no text."""
    provider = an_account(tmp_path, "cat >/dev/null; head -c 10000 /dev/urandom")

    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        CALLS["create"](provider)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**ROW, "name": "images-2"}, "machine.name is not the one that was ordered"),
        ({**ROW, "fleet": "staging"}, "machine.fleet is not ours"),
        ({**ROW, "fleet": None}, "machine.fleet is not ours"),
        *((row, "machine") for row in BAD_ROWS.values()),
    ],
)
def test_a_create_answered_with_another_machine_is_unknown(row: object, why: str) -> None:
    """Ours may stand all the same."""
    with pytest.raises(Unreadable, match=why):
        answers.machine(json.dumps({"protocol": 1, "machine": row}).encode(), fleet="shop", name="images-1")


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_cannot_be_read_makes_a_listing_incomplete(row: object) -> None:
    """It proves the presence of the others, and the absence of nobody."""
    other = {**ROW, "name": "images-2", "id": "vm-2"}
    listing = answers.listing(json.dumps({**LISTED, "machines": [other, row]}).encode(), fleet="shop")

    assert ["vm-2"] == [each.instance_id for each in listing.instances]
    assert not listing.complete
    assert "machines[1]" in listing.why_incomplete


def test_only_rows_with_our_mark_are_ours() -> None:
    """Another fleet's and unmarked ones are left out, whatever else they say, and make nothing incomplete."""
    rows = [ROW, {**ROW, "id": "vm-2", "fleet": "shop-2"}, {"fleet": None, "odd": 1}, {"id": 7}]
    listing = answers.listing(json.dumps({**LISTED, "machines": rows}).encode(), fleet="shop")

    assert ["vm-1"] == [each.instance_id for each in listing.instances]
    assert listing.complete


def test_one_id_for_two_machines_is_a_contradiction() -> None:
    """Neither is believed; the same row twice is one machine."""
    rows = [ROW, ROW, {**ROW, "id": "vm-2"}, {**ROW, "id": "vm-2", "name": "images-2"}]
    listing = answers.listing(json.dumps({**LISTED, "machines": rows}).encode(), fleet="shop")

    assert ["vm-1"] == [each.instance_id for each in listing.instances]
    assert "machines[3].id stands twice" in listing.why_incomplete
    assert not listing.complete


@pytest.mark.parametrize("complete", [None, 1, "true"])
def test_a_listing_that_does_not_say_whether_it_is_complete_is_none(complete: object) -> None:
    """Absence is too much to conclude from a key that was forgotten."""
    with pytest.raises(Unreadable, match="complete"):
        answers.listing(json.dumps({**LISTED, "complete": complete}).encode(), fleet="shop")


def test_an_incomplete_listing_says_why(tmp_path: Path) -> None:
    """In the program's words, or that there were none."""
    cut = {**LISTED, "complete": False, "why_incomplete": "page 2 did not come"}
    assert "page 2 did not come" == an_account(tmp_path, says(cut)).list_instances(timeout_s=9).why_incomplete
    assert answers.listing(json.dumps({**LISTED, "complete": False}).encode(), fleet="shop").why_incomplete


def test_everything_that_is_told_of_a_machine_is_taken(tmp_path: Path) -> None:
    """Every key of a row."""
    row = {
        **ROW,
        "size": "small",
        "location": "no-1",
        "created_at": 1_767_323_045.5,
        "addresses": ["192.0.2.1"],
    }
    (seen,) = an_account(tmp_path, says({**LISTED, "machines": [row]})).list_instances(timeout_s=9).instances

    assert ("images-1", InstanceId("vm-1"), InstanceState.RUNNING, "images") == (
        seen.name, seen.instance_id, seen.state, seen.pool,
    )  # fmt: skip
    assert ("small", "no-1", 1_767_323_045.5, ("192.0.2.1",)) == (
        seen.size, seen.location, seen.created_at, seen.addresses,
    )  # fmt: skip


def test_a_check_tells_what_the_program_found(tmp_path: Path) -> None:
    """After whether it speaks the protocol, and before what we know ourselves."""
    found = [{"subject": "size", "ok": False, "says": "there is no small"}]
    provider = an_account(tmp_path, says({"protocol": 1, "findings": found}))

    findings = provider.check(PURCHASE, timeout_s=TIMEOUT_S)

    assert [
        ("program", True), ("size", False), ("price", True), ("quota", True), ("network", True), ("user data", True),
    ] == [(f.subject, f.ok) for f in findings]  # fmt: skip
    assert {"the program does not tell it"} == {f.says for f in findings[2:5]}


@pytest.mark.parametrize(
    "found",
    [None, [7], [{"subject": "size", "ok": 1, "says": "x"}], [{"subject": "", "ok": True, "says": "x"}],
     [{"subject": "size", "ok": True}], [{"subject": "size", "ok": True, "says": "x", "more": 1}],
     [{"subject": "size", "ok": True, "says": "x"}] * 65],
)  # fmt: skip
def test_a_check_that_cannot_be_read_is_a_finding(tmp_path: Path, found: object) -> None:
    """Trouble is told, and nothing of it believed."""
    provider = an_account(tmp_path, says({"protocol": 1, "findings": found}))

    (program, _) = provider.check(PURCHASE, timeout_s=TIMEOUT_S)

    assert ("program", False) == (program.subject, program.ok)


def test_a_destroy_that_was_answered_oddly_is_unknown(tmp_path: Path) -> None:
    """It is asked for again once a listing shows the machine."""
    provider = an_account(tmp_path, by_verb(list=printing(LISTED), destroy="echo done"))

    with pytest.raises(OutcomeUnknown, match="destroy images-1: the answer cannot be read"):
        CALLS["destroy"](provider)
