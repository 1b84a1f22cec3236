"""Marks and names as each shape of cloud can bear them: read back exactly, or refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects import DIALECTS, Dialect
from providers.dialects.contract import FLEET_KEY, Mark, MarkShape, Names
from providers.libcloud import marks
from providers.libcloud.marks import Owner, Unspeakable

BASE = DIALECTS["digitalocean"]
NAME_ONLY = replace(BASE, mark=Mark(shape=MarkShape.NAME), names=Names(pattern="[a-z0-9-]+", longest=120))
ONE_TEXT = replace(
    BASE, mark=Mark(shape=MarkShape.TEXT, argument="ex_user_data", found_in="tag", value="[a-z0-9:-]{1,255}")
)
SHAPES = {
    "keys with values": DIALECTS["ec2"], "texts": BASE, "texts without the name": DIALECTS["linode"],
    "metadata": DIALECTS["openstack"], "one text": ONE_TEXT, "the name only": NAME_ONLY,
}  # fmt: skip

WORD = st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True)
NODE = st.from_regex(r"[a-z][a-z0-9-]{0,30}[a-z0-9]{2}", fullmatch=True)


def row_of(dialect: Dialect, mark: object) -> dict[str, object]:
    """A machine's row that bears this mark where the cloud would show it."""
    return {dialect.mark.found_in: mark} if dialect.mark.found_in else {}


def there(dialect: Dialect, *, fleet: str, pool: str, name: str) -> tuple[dict[str, object], str]:
    """A machine as the cloud shows it after we made it: its row, and its name there."""
    whose = {"fleet": fleet, "pool": pool, "name": name}
    spelt = marks.spelt_name(dialect, **whose)
    return row_of(dialect, marks.spelt_mark(dialect, **whose)), spelt


@pytest.mark.parametrize("shape", SHAPES)
@given(fleet=WORD, pool=WORD, name=NODE)
def test_what_we_made_is_ours_under_its_name(shape: str, fleet: str, pool: str, name: str) -> None:
    """Whatever letters fleet, pool and name are of: fleet, pool and name are read back as they were."""
    dialect = SHAPES[shape]
    row, spelt = there(dialect, fleet=fleet, pool=pool, name=name)

    assert Owner(fleet=fleet, pool=pool, name=name) == marks.owner_of(
        dialect, fleet=fleet, row=row, name=spelt
    )


@pytest.mark.parametrize("shape", SHAPES)
@given(fleet=WORD, other=WORD, pool=WORD, name=NODE)
def test_what_another_fleet_made_is_not_ours(
    shape: str, fleet: str, other: str, pool: str, name: str
) -> None:
    """Not even where one fleet's name begins like the other's, and the names of machines are the same."""
    dialect = SHAPES[shape]
    # A fleet's name has at most 20 letters.
    for theirs in {other, f"{fleet[:18]}-2", f"{fleet}-{pool}"[:20]} - {fleet}:
        row, spelt = there(dialect, fleet=theirs, pool=pool, name=name)

        assert marks.owner_of(dialect, fleet=fleet, row=row, name=spelt) is None


def test_a_fleet_never_takes_what_a_fleet_of_a_longer_name_made() -> None:
    """Fleet `web` has a pool `2-images`, and fleet `web-2` a pool `images`: their names could be the same."""
    _, spelt = there(NAME_ONLY, fleet="web-2", pool="images", name="web-2-images-a1")

    assert marks.owner_of(NAME_ONLY, fleet="web", row={}, name=spelt) is None
    assert Owner(fleet="web-2", pool="images", name="web-2-images-a1") == marks.owner_of(
        NAME_ONLY, fleet="web-2", row={}, name=spelt
    )


@pytest.mark.parametrize(
    "name", ["", "-", "web-images-a1", "web-images-a1-", "web-images-a1-aaaaaaaaaa", "a-" * 400]
)
def test_a_name_without_our_checksum_is_nobody_s(name: str) -> None:
    """People name machines as they like, and some like our way."""
    assert marks.owner_of(NAME_ONLY, fleet="web", row={}, name=name) is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "odd", [None, 5, "text", [], [5, None, "x"], ["autoscaler-fleet"], {}, {"a": []}, {FLEET_KEY: ["web"]}]
)
def test_a_mark_of_another_shape_is_none(shape: str, odd: object) -> None:
    """Answers are a stranger's: what is no mark is not read as one, and ends no listing."""
    dialect = SHAPES[shape]

    assert marks.owner_of(dialect, fleet="web", row=row_of(dialect, odd), name="odd") is None


def test_a_tag_that_somebody_spelt_in_capitals_is_the_same() -> None:
    """DigitalOcean keeps the first spelling of a tag, whoever used it."""
    row = {"tags": ["Autoscaler-Fleet:Web", "AUTOSCALER-POOL:images", "autoscaler-node:web-images-a1"]}

    assert Owner(fleet="web", pool="images", name="web-images-a1") == marks.owner_of(
        BASE, fleet="web", row=row, name="anything"
    )


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        (DIALECTS["linode"], "1st-of-all"),
        (DIALECTS["linode"], "a"),
        (DIALECTS["linode"], "a" * 65),
        (DIALECTS["digitalocean"], "ends-with-"),
        (NAME_ONLY, "n" * 115),
    ],
    ids=["begins with a digit", "too short", "too long", "ends with a hyphen", "no room for a checksum"],
)
def test_a_name_that_the_cloud_cannot_bear_is_refused(dialect: Dialect, name: str) -> None:
    """Before anything is sent, and by name."""
    with pytest.raises(Unspeakable, match=name[:20]):
        marks.spelt_name(dialect, fleet="web", pool="images", name=name)


def test_two_hyphens_are_spelt_so_that_linode_takes_them() -> None:
    """And read again."""
    linode = DIALECTS["linode"]
    for name in ("web--images-a1", "web---images-a1", "web----images-a1"):
        spelt = marks.spelt_name(linode, fleet="web-", pool="images", name=name)

        assert "--" not in spelt
        assert name == marks.read_name(linode, spelt)


def test_a_mark_too_long_for_the_cloud_is_refused() -> None:
    """Linode's tags have 50 letters at most."""
    with pytest.raises(Unspeakable, match="autoscaler-pool"):
        marks.spelt_mark(DIALECTS["linode"], fleet="web", pool="p" * 40, name="web-a1")


def test_texts_that_name_two_fleets_make_a_machine_nobodys() -> None:
    """Whichever came last would end the other's."""
    tags = ["autoscaler-fleet:shop", "autoscaler-pool:images", "autoscaler-fleet:web"]

    for fleet in ("shop", "web"):
        owner = marks.owner_of(
            DIALECTS["digitalocean"], fleet=fleet, row={"tags": tags}, name="shop-images-1"
        )
        assert owner is None


def test_a_mark_may_be_shown_as_a_list_of_pairs() -> None:
    """It is read as a dictionary would be; a key with two values, or a pair that is none, marks nothing."""
    dialect = replace(
        BASE, mark=Mark(shape=MarkShape.DICT, argument="ex_tags", found_in="tags", pairs=("key", "value"))
    )
    ours = [{"key": FLEET_KEY, "value": "shop"}, {"key": "autoscaler-pool", "value": "images"}]

    def owner(tags: object) -> Owner | None:
        return marks.owner_of(dialect, fleet="shop", row={"tags": tags}, name="images-1")

    assert Owner(fleet="shop", pool="images", name="images-1") == owner(ours)
    for odd in (
        [*ours, {"key": FLEET_KEY, "value": "others"}],
        [{"key": FLEET_KEY}],
        ["text", None],
        None,
        "text",
    ):
        assert owner(odd) is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", {"Vms": [{"VmId": "i-1"}, {}], "0": "named"}),
        ("Vms.0.VmId", "i-1"),
        ("Vms.1.VmId", None),
        ("Vms.2", None),
        ("Vms.VmId", None),
        ("0", "named"),
    ],
)
def test_a_number_in_a_path_picks_from_a_list(path: str, found: object) -> None:
    """Some answer a create with a list of one; what is not there is nothing, and never an error."""
    assert found == marks.dig({"Vms": [{"VmId": "i-1"}, {}], "0": "named"}, path)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"items": {"a": {"rows": [1]}, "b": {"rows": [2, 3]}, "c": {"warning": {}}}}, [1, 2, 3]),
        ({"items": {}}, []),
        ({"items": {"a": {"rows": "none"}, "b": {"rows": [1]}}}, None),
        ({"items": [1]}, None),
        ({}, None),
    ],
)
def test_a_star_in_a_path_joins_lists_or_finds_none(row: object, found: object) -> None:
    """Where one of them is no list, none is told: a row that is left out would count as gone."""
    assert found == marks.dig(row, "items.*.rows")
