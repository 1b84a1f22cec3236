"""`check` over accounts at a cloud: names that it cannot bear, notes, and lines that stand together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.clouds import digitalocean
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Kind
from tests.unit.cli.office import Office

AT_A_CLOUD = """\
kind = "libcloud"
driver = "{driver}"
token = {{ env = "OFFICE_CLOUD" }}
"""
SOURCE = """\
app = "shop.tasks"
source = "pip"
reference = "shop"
broker_url = { env = "OFFICE_BROKER" }
"""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with digitalocean.serving() as running:
        yield running


def move(office: Office, driver: str, *, more: str = "") -> None:
    """Buy the office's machines at a cloud."""
    office.secrets |= {"OFFICE_CLOUD": digitalocean.TOKEN, "OFFICE_BROKER": "amqp://u:p@rabbit.example:5672"}
    office.rewrite(
        f'kind = "local"\ndirectory = "{office.directory}/nodes"\n', AT_A_CLOUD.format(driver=driver) + more
    )
    office.rewrite('app = "shop.tasks"\n', SOURCE)
    office.rewrite(
        'provider = "cloud"\n',
        'provider = "cloud"\nsize = "s-1vcpu-1gb"\nimage = "debian-13-x64"\nlocation = "fra1"\n',
    )


def at(cloud: Cloud) -> str:
    return f'host = "127.0.0.1"\nport = {cloud.server.port}\nsecure = false\n'


def test_a_name_that_a_cloud_cannot_bear_is_found_without_a_look_outside(office: Office) -> None:
    """The longest that the pool may get: else it would be told at the first order, or at the 257th of one tick."""
    url, fleet, pool = 'url = "https://cloud.example"\nkey = { env = "OFFICE_CLOUD" }\n', "f" * 20, "p" * 20
    move(office, "cloudstack", more=url)
    office.rewrite('token = { env = "OFFICE_CLOUD" }', 'secret = { env = "OFFICE_CLOUD" }')
    office.rewrite('"shop"', f'"{fleet}"')
    office.rewrite("pools.images", f"pools.{pool}")
    office.rewrite("max_workers = 5", "max_workers = 256")
    fits = office.command("check", "--json").facts
    office.rewrite("max_workers = 256", "max_workers = 257")
    too_long = office.command("check", "--json")

    (name,) = [each for each in fits["findings"] if each["subject"] == "name"]
    assert name["ok"], name
    assert name["says"].startswith(f"cloud: {fleet}-{pool}-")
    assert name["says"].endswith("has 63 of at most 63 letters")
    (bad,) = [each for each in too_long.facts["findings"] if not each["ok"]]
    assert 78 == too_long.code
    assert ("name", f"pools.{pool}") == (bad["subject"], bad["where"])
    assert "at most 63 letters" in bad["says"]


def test_a_mark_that_a_cloud_cannot_bear_is_found_too(office: Office) -> None:
    """A pool's name is part of the mark, and a label there ends with a letter or digit."""
    move(office, "hetzner")
    office.rewrite("pools.images", "pools.images-")

    answer = office.command("check")

    assert 78 == answer.code
    assert "cloud: 'images-' is no mark there" in answer.out


def test_every_offer_is_told_in_one_place_with_price_quota_and_network(office: Office, cloud: Cloud) -> None:
    """Below its name, each subject once; what is worth reading is a note and no problem."""
    cloud.api.droplet_limit = 3
    move(office, "digitalocean", more=at(cloud))

    answer = office.command("check", "--online")
    (told,) = [
        each for each in answer.out.split("\n\n") if each.startswith("pools.images, offer cloud/fra1/")
    ]

    lines = {line[9:].split("  ")[0]: line for line in told.splitlines()[1:]}
    subjects = (
        "country",
        "credentials",
        "size",
        "image",
        "location",
        "price",
        "quota",
        "network",
        "user data",
    )
    assert subjects == tuple(lines)
    assert lines["quota"].startswith("note     quota ")
    assert lines["quota"].endswith("droplets: 0 of 3 in use; room for 3 more; the pool may want 5")
    assert lines["price"].endswith("0.00893 USD an hour, without tax; price_per_hour says 0.1 EUR")
    assert {"ok", "note"} == {line.split()[0] for line in lines.values()}
    assert 1 == len({len(line) - len(line[9:].split("  ", 1)[1].lstrip()) for line in lines.values()})
    assert 0 == cloud.server.count(Kind.CREATE)


def test_what_an_option_names_and_is_not_there_is_a_problem(office: Office, cloud: Cloud) -> None:
    """With the nearest right one, under the offer that would be refused."""
    move(office, "digitalocean", more=at(cloud) + 'vpc = "default"\n')

    facts = office.command("check", "--online", "--json").facts
    offers = [each for each in facts["findings"] if each["where"].startswith("pools.images, offer")]

    assert [f"vpc: 'default' is not there; nearest: {digitalocean.DEFAULT_VPC} (default-fra1)"] == [
        each["says"] for each in offers if not each["ok"]
    ]


def test_an_upstream_file_that_could_not_be_kept_is_a_problem(office: Office, cloud: Cloud) -> None:
    """Found before the first machine waits for it; nothing is written and no command is run."""
    move(office, "digitalocean", more=at(cloud))
    folder, reload = office.directory / "nginx", office.directory / "reload"
    reload.write_text(f"#!/bin/sh\ntouch {office.directory}/ran\n")
    reload.chmod(0o755)
    section = f'[pools.images.upstream]\nfile = "{folder}/images.conf"\nport = 8000\nreload = ["{reload}"]\n'
    office.config.write_text(f"{office.config.read_text()}\n{section}")

    def told() -> tuple[bool, str]:
        facts = office.command("check", "--online", "--json").facts
        (found,) = [each for each in facts["findings"] if each["subject"] == "upstream"]
        return found["ok"], found["says"]

    before = told()
    folder.mkdir()
    after = told()

    assert (False, f"{folder} is no directory") == before
    assert after[0]
    assert "can be written by this user" in after[1]
    assert [] == list(folder.iterdir())
    assert not (office.directory / "ran").exists()
