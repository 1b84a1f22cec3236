"""What `check --online` finds that only some clouds have: several limits at once, projects, regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import Finding
from testbed.clouds import cloudstack, gce
from testbed.clouds import openstack as nova
from tests.contract.loopback import LoopbackWorld

TIMEOUT_S = 20.0
FLEET = "few"


def opened(name: str, directory: Path) -> Any:
    return import_module(f"tests.contract.world_{name}").open_world(directory)


def told(world: LoopbackWorld, subject: str, *, options: Any = None, **purchase: object) -> Finding:
    """The one finding about a subject. An option that is None is left out."""
    (found,) = [each for each in check(world, options, **purchase) if each.subject == subject]
    return found


def check(world: LoopbackWorld, options: Any = None, **purchase: object) -> Sequence[Finding]:
    """All findings."""
    given = {key: value for key, value in {**world.options, **(options or {})}.items() if value is not None}
    account = open_provider("libcloud", name="few", fleet=FLEET, options=given, clock=SystemClock())
    wanted = replace(world.purchase(), **purchase)  # type: ignore[arg-type]
    findings: Sequence[Finding] = account.check(wanted, timeout_s=TIMEOUT_S)
    account.close()
    return findings


def test_of_several_limits_the_nearest_one_counts(tmp_path: Path) -> None:
    """Four instances would fit, and cores for two only; of memory there is no limit."""
    with opened("openstack", tmp_path) as world:
        world.cloud.api.instances, world.cloud.api.cores = 4, 9

        found = told(world, "quota", size="m1.large", options={"networks": None}, machines=3)

    assert (
        "instances: 0 of 4 in use; cores: 0 of 9 in use, 4 each; MiB of memory: 0 in use, no limit; room for 2 more; "
        "the pool may want 3"
    ) == found.says
    assert (True, True) == (found.ok, found.note)


@pytest.mark.parametrize(
    ("size", "everywhere", "says"),
    [
        ("e2-standard-2", 32.0, "cores of the region: 0 of 24 in use, 2 each; room for 12 more"),
        ("n2-standard-4", 32.0, "N2 cores of the region: 0 of 8 in use, 4 each; room for 2 more"),
        ("n2-standard-4", 4.0, "room for 1 more"),
        ("n2-standard-4", 3.0, "no room for one more"),
    ],
)
def test_a_family_of_sizes_has_a_limit_of_its_own(
    tmp_path: Path, size: str, everywhere: float, says: str
) -> None:
    """And all of them one together, which a new project meets first."""
    with opened("gce", tmp_path) as world:
        world.cloud.api.cores_everywhere = everywhere

        found = told(world, "quota", size=size)

    assert found.says.endswith(says)
    assert found.ok is (everywhere >= 4)


def test_a_network_that_is_relied_on_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`default` can be deleted; somebody else's network can be used and not be looked up."""
    monkeypatch.setattr(gce, "NETWORKS", ("workers",))
    shared = "projects/host-project/regions/europe-west1/subnetworks/shared"
    with opened("gce", tmp_path) as world:
        relied = told(world, "network")
        named = told(world, "network", options={"network": "global/networks/workers"})
        others = told(world, "network", options={"subnetwork": shared})

    assert (False, "network: 'global/networks/default' is not there; nearest: global/networks/workers") == (
        relied.ok,
        relied.says,
    )
    assert named.ok
    assert (True, True) == (others.ok, others.note)
    assert others.says.endswith("is somebody else's and cannot be looked up")


def test_a_project_has_limits_of_its_own(tmp_path: Path) -> None:
    """They are its own and not its account's that are asked for; of another's nothing is told, which is no failure."""
    with opened("cloudstack", tmp_path) as world:
        ours = told(world, "quota", options={"project": cloudstack.PROJECT})
        asked = [each.asked.parameter("command") for each in world.cloud.server.exchanges]
        unseen = told(world, "quota", options={"project": cloudstack.NETWORK})

    assert (
        "machines: 0 of 10000 in use; cores: 0 in use, no limit; MiB of memory: 0 of 40960 in use"
        in ours.says
    )
    assert "listProjects" in asked
    assert "listAccounts" not in asked
    assert (True, True) == (unseen.ok, unseen.note)
    assert "could not be looked at" in unseen.says


def test_what_is_used_is_summed_up_over_all_pages(tmp_path: Path) -> None:
    """A page that the server makes shorter than it was asked for is not the last one."""
    with opened("upcloud", tmp_path) as world:
        provider = world.open(FLEET)
        for number in range(3):
            spec = world.spec(name=f"images-{number}", fleet=FLEET, pool="images")
            provider.create(spec, timeout_s=TIMEOUT_S)
        world.pass_time(60.0)
        world.cloud.api.page_most, world.cloud.api.core_limit = 2, 5

        found = told(world, "quota", pool="images", machines=6)

    assert found.says.startswith(
        "cores: 3 of 5 in use; MiB of memory: 3072 of 1024000 in use, 1024 each; room for 2"
    )
    assert found.says.endswith("the pool may want 6, of which 3 stand")


def test_a_region_may_be_dearer_than_others(tmp_path: Path) -> None:
    """By the cloud's own word; elsewhere the common price holds."""
    with opened("linode", tmp_path) as world:
        dear = told(world, "price", location="br-gru")
        usual = told(world, "price", location="us-east")

    assert ("0.0105 USD an hour, without tax", "0.0075 USD an hour, without tax") == (dear.says, usual.says)


def test_a_zone_is_looked_for_among_those_of_all_regions(tmp_path: Path) -> None:
    """Where the driver has no list of zones, the API's regions have."""
    with opened("cloudscale", tmp_path) as world:
        right = told(world, "location", location="lpg1")
        wrong = told(world, "location", location="lpg2")

    assert right.ok
    assert (False, "'lpg2' is not a location here; known: rma1, lpg1") == (wrong.ok, wrong.says)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("digitalocean", "ssh_keys", ["289794"]), ("openstack", "security_groups", [nova.GROUP_ID])],
)
def test_what_an_option_takes_as_well_is_found_too(
    tmp_path: Path, name: str, option: str, value: object
) -> None:
    """An id where people usually write something else is no slip."""
    with opened(name, tmp_path) as world:
        findings = [each for each in check(world, {option: value}) if each.says.startswith(f"{option}: ")]

    assert [True] == [each.ok and each.says.endswith(" exists") for each in findings]
