"""The driver for Hetzner Cloud against a project on loopback: libcloud's words in, the API's documents out and back."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from libcloud.common.exceptions import RateLimitReachedError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import Node, NodeAuthPassword, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

from providers.libcloud.drivers import hetzner
from providers.libcloud.drivers.hetzner import HetznerError, HetznerNodeDriver
from testbed.clouds import descriptions, exchange
from testbed.clouds import hetzner as server
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Fault, Kind

COUNTRIES = {"fsn1": "DE", "nbg1": "DE", "hel1": "FI", "ash": "US", "hil": "US", "sin": "SG"}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with server.serving() as running:
        yield running
        heard = [each for each in running.server.exchanges if not each.faulty]
        assert [] == descriptions.held(heard, running.descriptions, running.deviations)[1]


@pytest.fixture
def driver(cloud: Cloud) -> Iterator[HetznerNodeDriver]:
    driver = opened(cloud)
    yield driver
    driver.connection.connection.session.close()


def opened(cloud: Cloud, token: str = server.TOKEN) -> HetznerNodeDriver:
    return hetzner.register()(token, secure=False, host="127.0.0.1", port=cloud.server.port)


def order(driver: HetznerNodeDriver, name: str = "images-1", **more: Any) -> Node:
    size = NodeSize(more.pop("size", "cx23"), "", 0, 0, None, 0.0, driver)
    image = NodeImage(more.pop("image", "debian-13"), "", driver)
    where = more.pop("where", "fsn1")
    location = NodeLocation(where, where, "", driver) if where else None
    return driver.create_node(name, size, image, location, **more)


def sent(cloud: Cloud) -> dict[str, Any]:
    """The body of the last request."""
    body = cloud.server.exchanges[-1].asked.body
    assert isinstance(body, dict)
    return body


def test_an_order_says_all_that_it_was_given_and_nothing_else(
    cloud: Cloud, driver: HetznerNodeDriver
) -> None:
    """Every argument becomes its field; what was left out is not sent, but for what the caller always decides."""
    order(
        driver,
        ex_userdata=b"#cloud-config\n# \xc3\xa6\n",
        ex_labels={"autoscaler-fleet": "production"},
        ex_ssh_keys=["ops", 7],
        ex_networks=["12"],
        ex_firewalls=[NodeImage("38", "", driver)],
        ex_placement_group="5",
        ex_enable_ipv4=False,
    )
    assert {
        "name": "images-1",
        "server_type": "cx23",
        "image": "debian-13",
        "location": "fsn1",
        "user_data": "#cloud-config\n# æ\n",
        "labels": {"autoscaler-fleet": "production"},
        "ssh_keys": ["ops", "7"],
        "networks": [12],
        "firewalls": [{"firewall": 38}],
        "placement_group": 5,
        "public_net": {"enable_ipv4": False, "enable_ipv6": True},
        "start_after_create": True,
    } == sent(cloud)

    order(driver, "images-2", where="")
    assert {"name", "server_type", "image", "public_net", "start_after_create"} == set(sent(cloud))


def test_what_was_ordered_is_listed_as_the_api_says_it(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """State, addresses, birth, labels, place and country are read; the root password stays with the order's answer."""
    made = order(driver, ex_labels={"pool": "images"}, ex_networks=[12], ex_placement_group=5)
    assert NodeState.PENDING == made.state
    assert made.extra["password"]
    assert "password" not in order(driver, "images-2", ex_ssh_keys=["ops"]).extra
    cloud.machines.clock.turn(10)

    seen = driver.list_nodes(ex_name="images-1")[0]
    assert (made.id, "images-1", NodeState.RUNNING, made.created_at) == (
        seen.id,
        seen.name,
        seen.state,
        seen.created_at,
    )
    assert ["203.0.113.2", "2001:db8:1::1"] == seen.public_ips
    assert ["10.0.0.3"] == seen.private_ips
    assert all(ipaddress.ip_address(each) for each in seen.public_ips)
    told = {
        key: seen.extra[key] for key in ("labels", "location", "country", "server_type", "placement_group")
    }
    assert {
        "labels": {"pool": "images"},
        "location": "fsn1",
        "country": "DE",
        "server_type": "cx23",
        "placement_group": 5,
    } == told
    assert "password" not in seen.extra
    assert seen.extra == driver.ex_get_node(seen.id).extra


def test_without_ipv4_there_is_an_ipv6_address_only(driver: HetznerNodeDriver) -> None:
    """No IPv4 address is bought where none was wanted."""
    assert ["2001:db8:1::1"] == order(driver, ex_enable_ipv4=False).public_ips


def test_every_page_is_read(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """A listing goes on until the API names no next page, in pages of the most that it gives."""
    for number in range(120):
        order(driver, f"images-{number}")

    assert 120 == len(driver.list_nodes())
    looks = [each.asked for each in cloud.server.exchanges if each.route and each.route.kind is Kind.LIST]
    assert [("1", "50"), ("2", "50"), ("3", "50")] == [
        (each.parameter("page"), each.parameter("per_page")) for each in looks
    ]


def test_a_next_page_that_is_not_the_next_is_no_listing(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """Pages in a circle would be read for ever, and a jump would leave machines out."""
    circle = {"servers": [], "meta": {"pagination": {"next_page": 1}}}
    cloud.server.meet(Fault(answer=Answer(body=circle)))

    with pytest.raises(LibcloudError, match="followed by 1"):
        driver.list_nodes()


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("pool==images", ["a"]),
        ("pool=images", ["a"]),
        ("pool!=images", ["b", "c"]),
        ("canary", ["b"]),
        ("!canary", ["a", "c"]),
        ("pool in (images, other)", ["a", "b"]),
        ("pool notin (images,other)", ["c"]),
        ("pool==other,canary", ["b"]),
    ],
)
def test_labels_select(driver: HetznerNodeDriver, selector: str, names: list[str]) -> None:
    """Selectors reach the API as they are and pick what its reference says, the newest first."""
    order(driver, "a", ex_labels={"pool": "images"})
    order(driver, "b", ex_labels={"pool": "other", "canary": ""})
    order(driver, "c")

    assert names[::-1] == [node.name for node in driver.list_nodes(ex_label_selector=selector)]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"name": "taken"}, 409, "uniqueness_error"),
        ({"name": "no_hostname"}, 422, "invalid_input"),
        ({"size": "cx99"}, 404, "not_found"),
        ({"image": "debian-1"}, 404, "not_found"),
        ({"where": "oslo1"}, 404, "not_found"),
        ({"size": "cx23", "where": "ash"}, 422, "invalid_input"),
        ({"ex_labels": {"a": "no spaces"}}, 422, "invalid_input"),
        ({"ex_userdata": "æ" * 16_385}, 422, "invalid_input"),
        ({"ex_enable_ipv4": False, "ex_enable_ipv6": False}, 422, "invalid_input"),
        ({"size": "cx33"}, 412, "resource_unavailable"),
        ({"ex_placement_group": 9}, 422, "placement_error"),
    ],
)
def test_a_refusal_bears_its_code(
    cloud: Cloud, driver: HetznerNodeDriver, more: dict[str, Any], status: int, code: str
) -> None:
    """The API's code and status are in the exception, and nothing was made."""
    cloud.api.sold_out.add(("cx33", "fsn1"))
    order(driver, "taken")
    for number in range(server.PER_GROUP if "ex_placement_group" in more else 0):
        order(driver, f"beside-{number}", ex_placement_group=9)
    before = len(cloud.machines.standing())

    with pytest.raises(HetznerError) as refused:
        order(driver, **more)

    assert (status, code) == (refused.value.code, refused.value.error_code)
    assert before == len(cloud.machines.standing())


def test_a_full_project_says_which_limit(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """`resource_limit_exceeded`, with the limit's name in the details."""
    cloud.api.server_limit = 1
    order(driver)

    with pytest.raises(HetznerError, match="resource_limit_exceeded") as refused:
        order(driver, "images-2")

    assert {"limits": [{"name": "server_limit"}]} == refused.value.details


def test_wrong_credentials_and_reading_ones_are_told_apart_from_nothing(cloud: Cloud) -> None:
    """An unknown token and one that may only read are refused as credentials, the latter when it orders."""
    with pytest.raises(InvalidCredsError, match="unauthorized"):
        opened(cloud, "another").list_nodes()

    reader = opened(cloud, server.READ_ONLY_TOKEN)
    assert [] == reader.list_nodes()
    with pytest.raises(InvalidCredsError, match="token_readonly"):
        order(reader)


def test_the_rate_limit_is_told_and_met() -> None:
    """What is left is noted from every answer; one request too many is libcloud's own exception."""
    with server.serving(requests_an_hour=2) as cloud:
        driver = opened(cloud)
        driver.list_nodes()
        assert (2, 1) == (driver.connection.rate_limit.limit, driver.connection.rate_limit.remaining)
        driver.list_nodes()
        with pytest.raises(RateLimitReachedError):
            driver.list_nodes()
        assert 0 == driver.connection.rate_limit.remaining
        assert driver.connection.rate_limit.reset_at > cloud.machines.clock.now()


def test_an_answer_that_is_none_of_the_apis_is_no_machine(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """A proxy's page is an error with its status; a success that is no JSON is malformed."""
    cloud.server.meet(exchange.BAD_GATEWAY)
    with pytest.raises(Exception, match="502"):
        driver.list_nodes()
    cloud.server.meet(Fault(answer=Answer(body="<html>")))
    with pytest.raises(MalformedResponseError):
        driver.list_nodes()


def test_sizes_have_the_prices_of_their_location(driver: HetznerNodeDriver) -> None:
    """Net an hour, at that location or else at the cheapest, and only what is sold there."""
    in_europe = {size.id: size for size in driver.list_sizes(NodeLocation("hel1", "hel1", "FI", driver))}
    in_asia = {size.id: size for size in driver.list_sizes(NodeLocation("sin", "sin", "SG", driver))}
    anywhere = {size.id: size for size in driver.list_sizes()}

    assert {"cx23", "cx33", "cax11", "ccx13"} == set(in_europe)
    assert {"cpx11", "ccx13"} == set(in_asia)
    assert {*in_europe, *in_asia} == set(anywhere)
    assert (0.02, 0.025, 0.02) == (in_europe["ccx13"].price, in_asia["ccx13"].price, anywhere["ccx13"].price)
    assert (4096, 40, "arm") == (
        in_europe["cax11"].ram,
        in_europe["cax11"].disk,
        in_europe["cax11"].extra["architecture"],
    )


def test_locations_say_their_countries(driver: HetznerNodeDriver) -> None:
    """From the API, not from a table of ours."""
    assert COUNTRIES == {each.name: each.country for each in driver.list_locations()}


def test_an_image_is_found_by_id_or_by_name(driver: HetznerNodeDriver) -> None:
    """A snapshot has no name but an id; what is there in two architectures is found once."""
    assert "workers-2026" == driver.get_image("4711").name
    assert "debian-13" == driver.get_image("debian-13").name
    assert ["4711"] == [image.id for image in driver.list_images(ex_type="snapshot")]
    for unknown in ("debian-1", "42"):
        with pytest.raises(HetznerError, match="not_found"):
            driver.get_image(unknown)


def test_a_server_is_switched_changed_and_ended(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """Each verb is one request; a second end finds nothing."""
    node = order(driver)
    cloud.machines.clock.turn(10)
    assert driver.stop_node(node)
    assert NodeState.STOPPED == driver.ex_get_node(node.id).state
    assert driver.start_node(node)
    assert driver.reboot_node(node)
    assert driver.ex_shutdown_node(node)
    assert {"a": "b"} == driver.ex_update_node(node, labels={"a": "b"}).extra["labels"]
    assert "images-9" == driver.ex_update_node(node, name="images-9").name
    done = [action["command"] for action in driver.ex_list_actions(node)]
    assert ["create_server", "start_server", "poweroff_server", "poweron_server"] == done[:4]
    assert "success" == driver.ex_get_action(node.extra["action"]["id"])["status"]

    assert driver.destroy_node(node)
    assert [] == driver.list_nodes()
    with pytest.raises(HetznerError, match="server with ID '1' not found"):
        driver.destroy_node(node)


@pytest.mark.parametrize(("field", "code"), [("locked", "locked"), ("protection", "protected")])
def test_a_server_that_may_not_be_ended_is_not(
    cloud: Cloud, driver: HetznerNodeDriver, field: str, code: str
) -> None:
    """Another action's lock and a person's protection are refusals, never a success."""
    node = order(driver)
    (machine,) = cloud.machines.standing()
    machine.body[field] = True if "locked" == field else {"delete": True, "rebuild": True}

    with pytest.raises(HetznerError, match=code):
        driver.destroy_node(node)

    assert (machine,) == cloud.machines.standing()


def test_keys_are_imported_and_listed(driver: HetznerNodeDriver) -> None:
    """A public key becomes known under its name, once."""
    key = driver.import_key_pair_from_string("ops", "ssh-ed25519 AAAA ops")

    assert [(key.name, key.fingerprint)] == [
        (each.name, each.fingerprint) for each in driver.list_key_pairs()
    ]
    with pytest.raises(HetznerError, match="uniqueness_error"):
        driver.import_key_pair_from_string("ops", "ssh-ed25519 AAAA ops")


def test_an_id_that_is_no_number_is_never_sent(cloud: Cloud, driver: HetznerNodeDriver) -> None:
    """What ends up in a path is a number."""
    for wrong in ("1/actions/poweroff", "../ssh_keys", ""):
        with pytest.raises(ValueError, match="is no id"):
            driver.ex_get_node(wrong)
    with pytest.raises(LibcloudError, match="ex_ssh_keys"):
        order(driver, auth=NodeAuthPassword("x"))

    assert () == cloud.server.exchanges


def test_what_comes_and_goes_between_two_pages_hides_nobody(
    cloud: Cloud, driver: HetznerNodeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ends on the first page and one is made: the total stays, and each of the others is listed all the same."""
    monkeypatch.setattr(hetzner, "PER_PAGE", 3)
    made = [order(driver, f"images-{number}") for number in range(1, 6)]
    cloud.machines.clock.turn(60)
    look = driver._get

    def amid(path: str, params: Any = None) -> Any:
        answer = look(path, params)
        if params["page"] == 1:
            driver.destroy_node(made[3])
            cloud.machines.clock.turn(60)
            order(driver, "images-9")
        return answer

    monkeypatch.setattr(driver, "_get", amid)

    assert {node.id for node in made} <= {node.id for node in driver.list_nodes()}
