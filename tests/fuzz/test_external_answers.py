"""Whatever an operator's program answers: machines of ours, or that it cannot be read; complete only if it is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers import words
from providers.contract import InstanceState
from providers.external import answers
from providers.external.answers import Unreadable
from tests.fuzz import odd

FLEET, NAME = "shop", "images-1"
ROW = {
    "name": NAME, "id": "vm-1", "state": "running", "fleet": FLEET, "pool": "images", "created_at": 1_767_323_045,
    "location": "no-1", "size": "small", "addresses": ["192.0.2.1", "2001:db8::1"],
}  # fmt: skip
LISTED = {
    "protocol": 1,
    "complete": True,
    "machines": [ROW, {**ROW, "id": "vm-2", "name": "images-2"}, {**ROW, "id": "vm-3", "fleet": "staging"}],
}
MADE = {"protocol": 1, "machine": ROW}
REFUSED = {"protocol": 1, "message": "sold out", "retry_after_s": 7}
FOUND = {"protocol": 1, "findings": [{"subject": "size", "ok": True, "says": "there is one"}]}
SECRET = "s3same/open&now"


def rows_of(body: bytes) -> list[Any]:
    document = odd.plain(body)
    rows = document.get("machines") if isinstance(document, dict) else None
    return rows if isinstance(rows, list) else []


def marked(rows: list[Any]) -> list[Any]:
    return [row for row in rows if isinstance(row, dict) and row.get("fleet") == FLEET]


def check_instance(instance: answers.Instance) -> None:
    assert instance.instance_id
    assert instance.instance_id.isprintable()
    assert instance.name
    assert instance.state in set(InstanceState)
    assert instance.created_at is None or math.isfinite(instance.created_at)
    assert all(isinstance(each, str) for each in (instance.size, instance.location, *instance.addresses))


@given(odd.bodies(LISTED))
@example(b'{"protocol": 1, "complete": true, "complete": false, "machines": []}')
@example(b'{"protocol": 1.0, "complete": true, "machines": []}')
@example(b'{"protocol": 1, "complete": true, "machines": [{"fleet": ["shop"]}]}')
def test_a_listing_holds_only_our_machines_and_is_complete_only_if_it_surely_is(body: bytes) -> None:
    """Every row with our mark is in a complete listing, and no other row is in any."""
    try:
        found = answers.listing(body, fleet=FLEET)
    except Unreadable:
        return

    rows = rows_of(body)
    told = [(row.get("id"), row.get("name")) for row in marked(rows)]
    assert all((instance.instance_id, instance.name) in told for instance in found.instances)
    ids = [instance.instance_id for instance in found.instances]
    assert len(set(ids)) == len(ids)
    for instance in found.instances:
        check_instance(instance)
    assert found.complete or found.why_incomplete
    if found.complete:
        assert odd.plain(body)["complete"] is True
        assert not odd.told_twice(body, "complete", "machines", "fleet", "id", "name")
        assert {row["id"] for row in marked(rows)} == set(ids)
        # What has another mark that is no text might be ours, and what is no object might be anything.
        assert all(isinstance(row, dict) for row in rows)
        assert all(row.get("fleet") is None or isinstance(row["fleet"], str) for row in rows)


@given(odd.bodies(MADE))
def test_a_create_is_done_only_by_the_machine_that_was_ordered(body: bytes) -> None:
    """By its mark and its name; all else is not understood."""
    try:
        made = answers.machine(body, fleet=FLEET, name=NAME)
    except Unreadable:
        return

    check_instance(made)
    row = odd.plain(body)["machine"]
    assert (FLEET, NAME, made.instance_id) == (row["fleet"], row["name"], row["id"])
    assert NAME == made.name


@given(odd.bodies(REFUSED), odd.bodies(FOUND))
def test_words_beside_a_refusal_and_findings_are_taken_or_refused_whole(refused: bytes, found: bytes) -> None:
    """No time that is none, no finding without a verdict."""
    try:
        said = answers.refusal(refused)
    except Unreadable:
        said = answers.Refusal()
    assert said.retry_after_s is None or (math.isfinite(said.retry_after_s) and said.retry_after_s >= 0)
    assert said.message.isprintable()
    try:
        findings = answers.findings(found)
    except Unreadable:
        return
    assert [row["ok"] for row in odd.plain(found)["findings"]] == [finding.ok for finding in findings]
    assert all(finding.subject and finding.says for finding in findings)


@given(st.lists(st.text(max_size=40) | st.just(SECRET), max_size=8), st.binary(max_size=200))
def test_words_are_clean_whatever_they_were(parts: list[str], noise: bytes) -> None:
    """One line, bounded, and without the secret wherever it stood."""
    text = " ".join((*parts, noise.decode(errors="replace")))
    told = words.clean(words.last_line(text), [SECRET])

    assert len(told) <= words.TEXT_LIMIT + 1
    assert told.isprintable()
    assert SECRET not in told


@pytest.mark.parametrize("body", [json.dumps(LISTED).encode(), json.dumps(LISTED, indent=2).encode() + b"\n"])
def test_the_good_answers_are_believed(body: bytes) -> None:
    """Else every law above would hold of a reader that refuses everything."""
    found = answers.listing(body, fleet=FLEET)

    assert found.complete
    assert ["vm-1", "vm-2"] == [instance.instance_id for instance in found.instances]
    assert "vm-1" == answers.machine(json.dumps(MADE).encode(), fleet=FLEET, name=NAME).instance_id
    assert 7 == answers.refusal(json.dumps(REFUSED).encode()).retry_after_s
    assert 1 == len(answers.findings(json.dumps(FOUND).encode()))
