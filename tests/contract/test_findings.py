"""What `check --online` finds of an offer besides size, image and location: price, quota, and what the options name.

The same tests over every dialect that has a world on loopback; what is peculiar to each stands in `findings_cases.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import Finding
from providers.dialects import DIALECTS
from testbed.clouds.exchange import BAD_GATEWAY, Answer, Fault, Kind
from tests.contract.findings_cases import CASES, Case
from tests.contract.loopback import LoopbackWorld

FLEET = "findings"
TIMEOUT_S = 20.0
BESIDE_MAX = 60
"""More requests than one check makes."""
# Said in no way of the cloud's own: what a refusal looks like is held by other tests.
FORBIDDEN = Fault(answer=Answer(status=403, body="you may not", headers={"Content-Type": "text/plain"}))


class Stage:
    """One cloud, and what a check of it finds."""

    def __init__(self, name: str, world: LoopbackWorld) -> None:
        self.name = name
        self.world = world
        self.case: Case = CASES[name]
        self.looks = DIALECTS[name].looks

    def found(self, options: Mapping[str, object] | None = None, **purchase: object) -> Sequence[Finding]:
        """With the world's own options but for those that name something, and these."""
        given = {key: value for key, value in self.world.options.items() if key not in self.looks.named}
        given |= {key: self.world.options[key] for key in self._required() & self.world.options.keys()}
        account = open_provider(
            "libcloud", name="loopback", fleet=FLEET, options={**given, **(options or {})}, clock=SystemClock()
        )  # fmt: skip
        try:
            wanted = replace(self.world.purchase(), **purchase)  # type: ignore[arg-type]
            return account.check(wanted, timeout_s=TIMEOUT_S)
        finally:
            account.close()

    def told(self, subject: str, options: Mapping[str, object] | None = None, **purchase: object) -> Finding:
        """The one finding about a subject."""
        (found,) = [each for each in self.found(options, **purchase) if each.subject == subject]
        return found

    def _required(self) -> set[str]:
        return {name for name, option in DIALECTS[self.name].options.items() if option.required}


@pytest.fixture(scope="module", params=sorted(CASES))
def lasting_stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    module = importlib.import_module(f"tests.contract.world_{request.param}")
    with module.open_world(tmp_path_factory.mktemp(request.param)) as world:
        if request.param == "hetzner":
            key = {"id": 1, "name": "ops", "fingerprint": "7e:eb:ab:24", "public_key": "ssh-ed25519 AAAA ops"}
            world.cloud.api.keys.append({**key, "labels": {}, "created": "2025-01-01T00:00:00Z"})
        yield Stage(request.param, world)


@pytest.fixture
def stage(lasting_stage: Stage) -> Iterator[Stage]:
    """Calm, held against the published description where one is at hand, and with nothing ordered by a look."""
    world = lasting_stage.world
    world.calm()
    before = world.cloud.server.count(Kind.CREATE)
    yield lasting_stage
    world.calm()
    world.hold_against_descriptions()
    assert before == world.cloud.server.count(Kind.CREATE)


def bad(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.subject, each.says) for each in findings if not each.ok]


def test_every_dialect_is_tried_here() -> None:
    """EC2 has its tests where its server is."""
    assert set(DIALECTS) - {"ec2"} == set(CASES)


def test_every_option_that_names_something_is_tried(stage: Stage) -> None:
    """One that was never misspelt could be looked for anywhere."""
    assert set(stage.looks.named) == set(stage.case.wrong)


def test_what_is_there_is_told_and_is_fine(stage: Stage) -> None:
    """Each option that names something, by its name; nothing of it needs reading."""
    findings = stage.found(stage.case.right)
    beside = [each for each in findings if each.subject in {"network", "keys", "group"}]

    assert [] == bad(findings)
    assert [] == [each.says for each in beside if each.note]
    for option in stage.case.right:
        assert [True] == [" exist" in each.says for each in beside if each.says.startswith(f"{option}: ")]


def test_what_is_misspelt_is_told_with_what_comes_near(stage: Stage) -> None:
    """One slip is one finding, and everything else is as it was."""
    for option, (value, says) in stage.case.wrong.items():
        (slip,) = bad(stage.found({**stage.case.right, option: value}))

        assert slip[1].startswith(f"{option}: ")
        assert says in slip[1]


def test_what_stands_elsewhere_is_told(stage: Stage) -> None:
    """An order would be refused: networks do not reach from one place to another."""
    told = {option for option, named in stage.looks.named.items() if named.stands}
    assert told == set(stage.case.elsewhere)
    for option, (value, says) in stage.case.elsewhere.items():
        (slip,) = bad(stage.found({**stage.case.right, option: value}))

        assert says in slip[1]


def test_price_quota_and_network_are_never_passed_over(stage: Stage) -> None:
    """Nothing is named, and still each is told, or that it is not told."""
    findings = stage.found()

    assert [] == bad(findings)
    assert {"price", "quota", "network"} <= {each.subject for each in findings}
    assert [] == [each.subject for each in findings if not each.says]


@pytest.mark.parametrize("fault", [FORBIDDEN, BAD_GATEWAY], ids=["refused", "no answer"])
def test_a_look_that_is_refused_is_no_failure_of_any(stage: Stage, fault: Fault) -> None:
    """A token may lack the right: that is told, the other looks are as before, and an order may well be accepted."""
    options = {**stage.case.right}
    before = stage.found(options)
    beside = stage.world.cloud.server.count(Kind.BESIDE)
    stage.world.cloud.server.meet(fault, kind=Kind.BESIDE, times=BESIDE_MAX)
    findings = stage.found(options)

    unseen = [each for each in findings if "could not be looked at" in each.says]
    assert beside < stage.world.cloud.server.count(Kind.BESIDE)
    assert unseen
    assert [] == bad(findings)
    assert {True} == {each.note for each in unseen}
    assert [each.subject for each in before] == [each.subject for each in findings]
    assert [] == [each for each in findings if each not in unseen and each not in before]


def test_a_limit_is_told_with_what_is_used_and_for_how_many_there_is_room(stage: Stage) -> None:
    """A pool that may want more than fit is told so, which is no failure: its first machine would be accepted."""
    if not stage.case.limit:
        assert stage.looks.quota.untold == stage.told("quota").says
        return
    api, was = stage.world.cloud.api, getattr(stage.world.cloud.api, stage.case.limit)
    try:
        setattr(api, stage.case.limit, 2 * stage.case.takes)
        enough = stage.told("quota", machines=2)
        more = stage.told("quota", machines=3)
        setattr(api, stage.case.limit, 0)
        full = stage.told("quota", machines=2)
    finally:
        setattr(api, stage.case.limit, was)

    assert (True, False) == (enough.ok, enough.note), enough
    assert f": 0 of {2 * stage.case.takes} in use" in enough.says
    assert enough.says.endswith("room for 2 more")
    assert (True, True) == (more.ok, more.note)
    assert more.says.endswith("room for 2 more; the pool may want 3")
    if stage.case.zero_is_none:
        assert (True, False) == (full.ok, full.note)
        assert full.says.endswith("0 in use, no limit")
    else:
        assert not full.ok
        assert full.says.endswith("no room for one more")


def test_a_price_is_told_beside_the_one_that_is_configured(stage: Stage) -> None:
    """That they differ is told with both, and by how much; it is never a failure."""
    case = stage.case
    if not case.price:
        assert stage.looks.price.untold == stage.told("price").says
        return
    same = stage.told("price", price_per_h=case.price_per_h, currency=case.currency)
    dearer = stage.told("price", price_per_h=2 * case.price_per_h, currency=case.currency)
    nothing = stage.told("price", price_per_h=0.0, currency=case.currency)
    other = stage.told("price", price_per_h=case.price_per_h, currency="NOK")

    assert case.price == stage.told("price").says
    assert (f"{case.price}, as price_per_hour says", True, False) == (same.says, same.ok, same.note)
    assert f"{case.price}; price_per_hour says {2 * case.price_per_h:g}, " in dearer.says
    assert dearer.says.endswith(" % more")
    assert (True, True) == (dearer.ok, dearer.note)
    assert (f"{case.price}; price_per_hour says 0", True) == (nothing.says, nothing.note)
    assert (f"{case.price}; price_per_hour says {case.price_per_h:g} NOK", False) == (other.says, other.note)


def test_machines_that_stand_already_count_for_the_pool(tmp_path: Path) -> None:
    """What a pool may want is all of its machines, and those that stand take no more room."""
    with importlib.import_module("tests.contract.world_digitalocean").open_world(tmp_path) as world:
        provider = world.open(FLEET)
        provider.create(world.spec(name="images-1", fleet=FLEET, pool="images"), timeout_s=TIMEOUT_S)
        world.pass_time(30.0)
        world.cloud.api.droplet_limit = 3
        wanted = replace(world.purchase(), pool="images", machines=3)

        (fits,) = [each for each in provider.check(wanted, timeout_s=TIMEOUT_S) if each.subject == "quota"]
        more = provider.check(replace(wanted, machines=4), timeout_s=TIMEOUT_S)

        assert ("droplets: 1 of 3 in use; room for 2 more", False) == (fits.says, fits.note)
        assert "droplets: 1 of 3 in use; room for 2 more; the pool may want 4, of which 1 stand" in {
            each.says for each in more if each.note
        }
