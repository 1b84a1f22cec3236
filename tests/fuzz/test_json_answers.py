"""Whatever a cloud that speaks JSON answers: one of the contract's errors, or machines that bear our mark.

One law for every world on loopback: its server's own answer, with some of its parts spoiled, is put in place of it.
"""

from __future__ import annotations

import copy
import importlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract import Instance, Provider, ProviderError
from providers.dialects import DIALECTS
from providers.dialects.contract import Json
from providers.libcloud import marks
from testbed.clouds.exchange import Answer, Asked, Exchange, Fault, Kind
from tests.contract import worlds
from tests.contract.loopback import LoopbackWorld
from tests.fuzz import odd

FLEET = "production"
SECRETS = ("token", "secret", "secret_key", "password")
NAMES = ("images-1", "images-2")
TIMEOUT_S = 5.0
ON_LOOPBACK = [
    kind
    for kind in worlds.kinds()
    if "import LoopbackWorld" in (Path(worlds.__file__).parent / f"{kind}.py").read_text()
]


class Stage:
    """A world in which two of our machines stand, and the server's honest answers to what is spoiled here."""

    def __init__(self, world: LoopbackWorld) -> None:
        self.world = world
        self.provider: Provider = world.open(FLEET)
        self._headers: dict[Kind, Mapping[str, str]] = {}
        self.secrets = [value for key, value in world.options.items() if key in SECRETS]
        for name in NAMES:
            self.provider.create(world.spec(name=name, fleet=FLEET, pool="images"), timeout_s=TIMEOUT_S)
        assert worlds.eventually(world, lambda: set(NAMES) == self.listed())
        self.made = self._heard(Kind.CREATE)
        self.listing = self._heard(Kind.LIST)
        honest = as_read(json.dumps(self.listing).encode())
        self.mark = FLEET if FLEET in honest else "images-"  # where the name alone is the mark

    def listed(self) -> set[str]:
        return {each.name for each in self.provider.list_instances(timeout_s=TIMEOUT_S).instances}

    def spoil(self, kind: Kind, body: bytes, status: int = 200) -> None:
        """The next answer of this kind is that, under the honest one's headers, and nothing is done for it."""
        self.world.calm()
        answer = Answer(status=status, body=body, headers=self._headers[kind])
        self.world.cloud.server.meet(Fault(answer=answer), kind=kind)

    def asked(self, kind: Kind) -> int:
        return self.world.cloud.server.count(kind)

    def _heard(self, kind: Kind) -> Any:
        found: list[Exchange] = [
            each for each in self.world.cloud.server.exchanges if each.route and each.route.kind is kind
        ]
        # The one that says most: a last page may be all but empty.
        honest = max((each.answer for each in found if each.answer), key=lambda answer: len(answer.content))
        self._headers[kind] = honest.headers
        return json.loads(honest.content)


@pytest.fixture(scope="module", params=ON_LOOPBACK)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    module = importlib.import_module(f"tests.contract.{request.param}")
    with module.open_world(tmp_path_factory.mktemp(request.param)) as world:
        assert isinstance(world, LoopbackWorld)
        yield Stage(world)


def check_told(error: ProviderError, stage: Stage) -> None:
    assert 0 < len(str(error)) < 1_000
    assert not [each for each in stage.secrets if str(each) in f"{error} {error.__cause__}"]


def as_read(body: bytes) -> str:
    """The document in one spelling; bytes that are no UTF-8 are passed over, as they are by whoever reads it."""
    return json.dumps(odd.plain(body.decode(errors="replace").encode()), default=str).casefold()


@given(data=st.data(), status=st.sampled_from([200, 200, 200, 200, 204, 404, 408, 429, 500]))
def test_a_listing_is_machines_with_our_mark_or_an_error(
    stage: Stage, data: st.DataObject, status: int
) -> None:
    """No other exception leaves the adapter, and what it lists has an id, a name and a birth that is an instant."""
    body = data.draw(odd.bodies(stage.listing))
    stage.spoil(Kind.LIST, body, status)
    try:
        found = stage.provider.list_instances(timeout_s=TIMEOUT_S)
    except ProviderError as error:
        check_told(error, stage)
        return

    assert 200 <= status < 300
    for instance in found.instances:
        assert instance.instance_id
        assert instance.name
        assert instance.created_at is None or math.isfinite(instance.created_at)
    if found.instances:
        assert stage.mark in as_read(body)
    if body == odd.text(stage.listing):
        assert (True, set(NAMES)) == (found.complete, {each.name for each in found.instances})


@odd.fewer(2)
@given(data=st.data(), status=st.sampled_from([200, 201, 202, 200, 201, 202, 204, 500, 503]))
def test_a_create_that_was_answered_oddly_is_never_called_refused(
    stage: Stage, data: st.DataObject, status: int
) -> None:
    """Where a success cannot be read, something may have been made; and one order is sent, whatever came back."""
    stage.spoil(Kind.CREATE, data.draw(odd.bodies(stage.made)), status)
    before = stage.asked(Kind.CREATE)
    made: Instance | None = None
    told = ""
    try:
        made = stage.provider.create(
            stage.world.spec(name="images-9", fleet=FLEET, pool="images"), timeout_s=TIMEOUT_S
        )
    except ProviderError as error:
        check_told(error, stage)
        told = type(error).__name__

    assert before + 1 == stage.asked(Kind.CREATE)
    assert made is not None or "OutcomeUnknown" == told
    if made is not None:
        assert made.instance_id


@odd.fewer(2)
@given(data=st.data(), wanted=st.sampled_from(["images-1", "images-7"]))
def test_only_a_machine_seen_under_our_mark_is_ever_ended(
    stage: Stage, data: st.DataObject, wanted: str
) -> None:
    """What is asked to end stands in the answer, and the other machine is left alone."""
    body = data.draw(odd.bodies(stage.listing))
    stage.spoil(Kind.LIST, body)
    stage.world.cloud.server.meet(Fault(answer=Answer(status=503, body="no")), kind=Kind.END, times=5)
    before = len(stage.world.cloud.server.exchanges)
    try:
        stage.provider.destroy(wanted, None, timeout_s=TIMEOUT_S)
    except ProviderError as error:
        check_told(error, stage)

    asked = stage.world.cloud.server.exchanges[before:]
    for each in asked:
        if each.route and each.route.kind is Kind.END:
            assert ended_by(each.asked)
            assert all(named.encode() in body for named in ended_by(each.asked))
            assert b"images-7" in body or "images-1" == wanted


def ended_by(asked: Asked) -> list[str]:
    """The machine that a request ends, as it is named in its path, its document or its form."""
    if asked.places:
        return [*asked.places.values()][-1:]
    lists = [named for named in asked.parts.values() if isinstance(named, list)]
    return [str(each) for named in lists for each in named] or [*asked.form["id"]]


@pytest.mark.parametrize(
    "key", ["?tag_name=production", "../images/1", "1/actions", "a b", "%2e%2e", "", None, True, []]
)
def test_an_id_that_leads_elsewhere_is_none(stage: Stage, key: object) -> None:
    """Drivers put ids into paths as they are, and some paths end more than one machine."""
    listing = copy.deepcopy(stage.listing)
    reads = DIALECTS[str(stage.world.options["driver"])].listing.reads
    assert isinstance(reads, Json)
    rows = marks.dig(listing, reads.rows)
    assert isinstance(rows, list)
    assert rows[0].pop(reads.id)
    rows[0][reads.id] = key
    stage.spoil(Kind.LIST, json.dumps(listing).encode())
    before = stage.asked(Kind.END)

    with pytest.raises(ProviderError):
        stage.provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert before == stage.asked(Kind.END)


def test_the_good_answers_are_believed(stage: Stage) -> None:
    """Else every law above would hold of an adapter that refuses everything."""
    stage.spoil(Kind.LIST, json.dumps(stage.listing).encode())

    found = stage.provider.list_instances(timeout_s=TIMEOUT_S)

    assert found.complete
    assert set(NAMES) == {instance.name for instance in found.instances}
