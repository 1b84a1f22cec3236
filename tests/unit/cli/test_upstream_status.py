"""`status` of a pool with an upstream file: how many stand there, who waits, and what went wrong."""

from __future__ import annotations

import time

from autoscaler.core.facts import Memory
from autoscaler.core.published import Published
from providers.contract import NodeName
from tests.unit.cli.office import Office
from tests.unit.core.builders import POOL, a_node

ONE, TWO, THREE = map(NodeName, ("n1", "n2", "n3"))


def test_a_pool_without_a_file_says_nothing_of_it(office: Office) -> None:
    """Most have none."""
    office.on_record(a_node())

    assert "published" not in office.command("status").out
    assert office.command("status", "--json").facts["pools"][0]["published"] is None


def test_status_tells_who_is_published_and_who_waits(office: Office) -> None:
    """In one line, with the file."""
    upstream = Published(file="/nginx/web.conf", servers=(ONE,), awaited=(TWO,), exposed=(THREE,))
    office.on_record(a_node(), memory=Memory(published={POOL: upstream}))

    told = " ".join(office.command("status").out.split())

    assert (
        "1 machine published, 1 more serving that cannot be reached yet, "
        "1 leaving until requests to it have ended: /nginx/web.conf"
    ) in told
    assert "not taken in" not in told
    facts = office.command("status", "--json").facts["pools"][0]["published"]
    assert (["n1"], ["n2"], ["n3"]) == (facts["servers"], facts["awaited"], facts["exposed"])


def test_status_tells_what_went_wrong_since_when(office: Office) -> None:
    """In the command's own words."""
    why = "/usr/bin/systemctl ended with 1: Job for nginx.service failed."
    upstream = Published(file="/nginx/web.conf", trouble=why, since_at=time.time() - 125)
    office.on_record(a_node(), memory=Memory(published={POOL: upstream}))

    told = " ".join(office.command("status").out.split())

    assert f"not taken in for 2 min 5 s: {why}" in told
