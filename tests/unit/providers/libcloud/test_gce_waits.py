"""Why Google Compute Engine is not offered, tried on libcloud's own driver, so that a mended one is noticed."""

from __future__ import annotations

import json
from typing import Any

import libcloud
from libcloud.compute.drivers.gce import GCEConnection, GCENodeDriver

from providers import clouds_page
from providers.dialects import DIALECTS, NOT_OFFERED

UNREACHABLE = {
    "items": {
        "zones/europe-west1-b": {"warning": {"code": "UNREACHABLE", "message": "could not be reached"}}
    },
    "unreachables": ["projects/a-project/zones/europe-west1-b"],
}


class _Answered:
    """An answer of 200."""

    def __init__(self, body: object) -> None:
        self.object = json.loads(json.dumps(body))


def test_gce_s_driver_takes_a_listing_without_a_zone_for_a_whole_one() -> None:
    """Its machines would count as gone. Once this fails, read NOT_OFFERED again: a reason of it has fallen."""
    driver: Any = object.__new__(GCENodeDriver)
    connection: Any = object.__new__(GCEConnection)
    connection.request = lambda *_, **__: _Answered(UNREACHABLE)
    connection.gce_params = None
    driver.connection = connection
    driver.zone = None
    driver._ex_volume_dict = {}

    assert [] == driver.list_nodes(), f"libcloud {libcloud.__version__} tells of zones that were not reached"


def test_who_looks_for_it_finds_why() -> None:
    """It is no dialect, and the page of clouds says why."""
    assert "gce" not in DIALECTS
    assert f"* `gce`: {NOT_OFFERED['gce']}\n" in clouds_page.render()
