"""`image`: how a golden image is made, the script for it, and what it saves by the boots on record."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Offer
from autoscaler.core.reports import Boot, Phase, PhaseTime
from autoscaler.journal.contract import BootRecord
from providers.contract import NodeName, ProviderName
from tests.unit.cli.office import Office
from tests.unit.core.builders import POOL, a_node

PLAIN = "debian-12"
AT = 1_000_000.0


@pytest.fixture
def rented(office: Office) -> Office:
    """A pool with two sizes of one image, and machines that are processes as the last resort."""
    office.rewrite(
        "[[pools.images.offers]]\n",
        f'[[pools.images.offers]]\nprovider = "cloud"\nlocation = "fra"\nsize = "small"\nimage = "{PLAIN}"\n\n'
        f'[[pools.images.offers]]\nprovider = "cloud"\nlocation = "fra"\nsize = "large"\nimage = "{PLAIN}"\n\n'
        "[[pools.images.offers]]\n",
    )
    office.rewrite('app = "shop.tasks"\n', 'app = "shop.tasks"\nsource = "pip"\nreference = "shop==1.4"\n')
    return office


def an_offer(size: str = "small", image: str = PLAIN) -> Offer:
    return Offer(
        provider=ProviderName("cloud"),
        location="fra",
        size=size,
        image=image,
        price_per_h=0.0,
        quantum_s=1,
    )


def boots(
    office: Office, *, packages_s: float, application_s: float, image: str = PLAIN, number: int = 3
) -> None:
    """Machines that became workers, of which the broker answered 1 s after packages began."""
    nodes, records = [], []
    ready_s = max(21.0, 20.0 + packages_s + application_s)
    for each in range(number):
        name = NodeName(f"{image}-{each}")
        enrolled_at = AT + 20.0 + ready_s + 7.0
        nodes.append(
            a_node(name, NodeState.GONE, ordered_at=AT, enrolled_at=enrolled_at, offer=an_offer(image=image))
        )
        spans: dict[Phase, tuple[float, float]] = {
            Phase.BOOTED: (0.0, 20.0),
            Phase.PACKAGES: (20.0, 20.0 + packages_s),
            Phase.APPLICATION: (20.0 + packages_s, 20.0 + packages_s + application_s),
            Phase.BROKER: (20.0, 21.0),
            Phase.WORKER: (ready_s, ready_s + 5.0),
        }
        phases = tuple(PhaseTime(phase=p, from_s=f, to_s=t) for p, (f, t) in spans.items())
        boot = Boot(power_at=AT + 20.0, phases=phases, worker_started=True)
        records.append(BootRecord(node=name, pool=POOL, offer=an_offer(image=image).name, at=AT, boot=boot))
    office.on_record(*nodes, boots=records)


def test_it_tells_what_to_do_and_which_lines_to_change(rented: Office) -> None:
    """Nothing is left to look up: the account, the command, the lines of this very file, and what happens then."""
    answer = rented.command("image", "images")
    lines = rented.config.read_text().splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if line == f'image = "{PLAIN}"']

    assert (0, "") == (answer.code, answer.err)
    assert f"At account cloud start a plain machine of image {PLAIN} (fra/small, fra/large)" in answer.out
    assert "autoscaler image images --script | ssh root@ADDRESS sh -s" in answer.out
    for offer, number in enumerate(numbers, 1):
        assert f"line {number}, offer {offer} of [[pools.images.offers]]:" in answer.out
    assert 2 == answer.out.count(f'- image = "{PLAIN}"')
    assert "canary" in answer.out
    assert 'bootstrap.source stays "pip"' in answer.out


def test_without_a_measured_boot_nothing_is_guessed(rented: Office) -> None:
    """It says so; and makes no journal."""
    answer = rented.command("image", "images")

    assert 2 == answer.out.count("not known, no machine of it has told of its boot yet")
    assert "about" not in answer.out.partition("How it is made")[0]
    assert not rented.journal_file.exists()


def test_what_it_saves_is_told_of_the_offers_own_boots(rented: Office) -> None:
    """In the middle and for the slow ones, without what ran beside the broker; other offers stay unknown."""
    boots(rented, packages_s=41.0, application_s=63.0)
    answer = rented.command("image", "images")
    facts = rented.command("image", "images", "--json").facts

    assert (
        "cloud/fra/small with image debian-12: packages 41 s + application 63 s of 151 s: boots would take about 48 s "
        "(median of 3 boots; the 95th percentile is 151 s, and would be about 48 s)"
    ) in answer.out
    assert "cloud/fra/large with image debian-12: not known" in answer.out
    small, large = facts["offers"]
    assert {"boots": 3, "golden": False}.items() <= small["saving"].items()
    assert {"p50_s": 103.0, "p95_s": 103.0} == small["saving"]["saved"]
    assert {"p50_s": 48.0, "p95_s": 48.0} == small["saving"]["then"]
    assert None is large["saving"]


def test_boots_of_another_image_say_nothing_of_this_one(rented: Office) -> None:
    """The plain image's boots are over once the offer names the golden one; and that one is told by its own."""
    boots(rented, packages_s=41.0, application_s=63.0)
    rented.rewrite(f'size = "small"\nimage = "{PLAIN}"', 'size = "small"\nimage = "golden-7"')
    before = rented.command("image", "images").out
    boots(rented, packages_s=0.1, application_s=0.0, image="golden-7")
    after = rented.command("image", "images").out

    assert "cloud/fra/small with image golden-7: not known" in before
    assert "start a plain machine of image golden-7 (fra/small)" in before
    assert "start a machine of the plain image that golden-7 was made from (fra/small)" in after
    assert (
        "cloud/fra/small with image golden-7: golden already, packages 0.1 s + application 0.0 s of 48 s"
        in after
    )


def test_commands_of_the_pools_own_are_told_to_stay(rented: Office) -> None:
    """Their time is in both phases, and an image does not take it away."""
    boots(rented, packages_s=41.0, application_s=63.0)
    rented.rewrite('app = "shop.tasks"\n', 'app = "shop.tasks"\ncommands_before = ["modprobe loop"]\n')

    assert "it is so much less" in rented.command("image", "images").out
    assert "modprobe" not in rented.command("image", "images", "--script").out
    assert "modprobe" in rented.command("image", "images", "--script", "--with-commands").out
    assert "--with-commands | ssh" in rented.command("image", "images", "--with-commands").out


def test_the_script_alone_needs_no_secret_and_holds_none(rented: Office) -> None:
    """Whoever makes images need not be the daemon; what is printed is what the shell reads, and no more."""
    rented.secrets = {}
    answer = rented.command("image", "images", "--script")

    assert (0, True) == (answer.code, answer.out.startswith("#!/bin/sh\n"))
    subprocess.run(["/bin/sh", "-n"], input=answer.out, text=True, check=True, timeout=30)
    assert answer.out == rented.command("image", "images", "--json").facts["script"]


def test_secrets_that_the_script_asks_for_are_told_beside_it(rented: Office) -> None:
    """What goes to the shell is the script alone; nobody here knows the proxy, the broker's authority or its users."""
    rented.secrets = {}
    rented.rewrite(
        'app = "shop.tasks"\n', 'app = "shop.tasks"\ncredentials = "node"\nproxy = { env = "SHOP_PROXY" }\n'
    )
    rented.rewrite('amqp_url = "amqp://', 'ca_file = "/nonexistent/ca.pem"\namqp_url = "amqps://')
    answer = rented.command("image", "images", "--script")

    assert (0, True) == (answer.code, answer.out.startswith("#!/bin/sh\n"))
    assert "The script needs https_proxy" in answer.err
    assert "unset" not in answer.out


def test_the_script_can_be_had_as_a_file(rented: Office) -> None:
    """The steps then name it."""
    path = rented.directory / "make-image"
    answer = rented.command("image", "images", "--output", str(path))

    assert path.read_text() == rented.command("image", "images", "--script").out
    assert f"cat {path} | ssh root@ADDRESS sh -s" in answer.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["image", "sounds"], 2, "There is no pool 'sounds'"),
        (["image", "images", "--script", "--json"], 2, "give one of them"),
        (["image", "images", "--output", "/nonexistent/x"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], code: int, says: str, rented: Office) -> None:
    """As every command does."""
    answer = rented.command(*arguments)

    assert (code, True) == (answer.code, says in answer.err)


def test_a_pool_whose_machines_boot_no_image_has_none(office: Office) -> None:
    """Processes on a large machine are started at once."""
    answer: Any = office.command("image", "images")

    assert 1 == answer.code
    assert "No offer of images names an image" in answer.err
