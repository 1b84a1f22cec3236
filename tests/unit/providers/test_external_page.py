"""docs/providers/external.md is what programs are written from: its examples are the protocol, word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from autoscaler.config.providers import ExternalProvider
from providers.contract import InstanceId, InstanceSpec, NodeName, Purchase
from providers.external import answers, protocol
from providers.external.account import OPTIONS, PASSED_ON
from providers.external.protocol import Exit, Verb

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "external.md").read_text(encoding="utf-8")
DOCUMENTS: list[dict[str, Any]] = [
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
]
ASKED = {each["verb"]: each for each in DOCUMENTS if "verb" in each}
ANSWERED = [each for each in DOCUMENTS if "verb" not in each]
NAME = "shop-images-4c9k2m7qa"
BODIES = {
    Verb.CREATE: protocol.create(
        InstanceSpec(
            name=NodeName(NAME), fleet="shop", pool="images", size="s-2", image="debian-12", location="osl",
            user_data=b"#cloud-config\n",
        )
    ),
    Verb.DESTROY: protocol.destroy(NAME, InstanceId("17")),
    Verb.CHECK: protocol.check(
        Purchase(size="s-2", image="debian-12", location="osl", user_data_bytes=3121)
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", BODIES)
def test_an_example_of_a_request_is_what_a_program_is_sent(verb: Verb) -> None:
    """Key by key."""
    example = ASKED[verb]
    sent = protocol.document(
        verb,
        BODIES[verb],
        fleet="shop",
        timeout_s=example["timeout_s"],
        settings=example["settings"],
        secrets=example["secrets"],
    )

    assert example == json.loads(sent)


def test_an_example_of_an_answer_is_understood() -> None:
    """Each by the reader of its call."""
    made, listed, found = (json.dumps(each).encode() for each in ANSWERED)

    assert "17" == answers.machine(made, fleet="shop", name=NAME).instance_id
    listing = answers.listing(listed, fleet="shop")
    assert (True, ["17"]) == (listing.complete, [each.instance_id for each in listing.instances])
    assert [True, False] == [finding.ok for finding in answers.findings(found)]


def test_the_example_of_a_refusal_is_understood() -> None:
    """It stands within a sentence."""
    (example,) = re.findall(r"`(\{\"protocol\": 1, \"message\".*?\})`", PAGE)

    assert 30 == answers.refusal(example.encode()).retry_after_s


def test_every_exit_code_stands_in_the_table() -> None:
    """And no other number does."""
    rows = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)

    assert sorted(Exit) == sorted(map(int, rows))


def test_every_key_of_a_row_and_every_variable_is_named() -> None:
    """What is not on the page is refused, so all that is taken must be on it."""
    keys = [*answers.ROW_KEYS, *PASSED_ON]

    assert [] == [key for key in keys if f"`{key}`" not in PAGE]


def test_the_configuration_names_every_option() -> None:
    """The model's keys are what the provider takes."""
    assert set(OPTIONS) == set(ExternalProvider.model_fields) - {"kind", "calls_per_minute", "country"}
