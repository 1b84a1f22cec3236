"""What machines fetch and tell over HTTP: files of the folders that are offered, and receipts of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from testbed.virtual import depot as depots
from testbed.virtual.depot import Depot


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    (tmp_path / "simple" / "shop-tasks").mkdir(parents=True)
    (tmp_path / "simple" / "shop-tasks" / "shop_tasks-1.0-py3-none-any.whl").write_text("a wheel")
    (tmp_path / "secret").write_text("not offered")
    with depots.serving({"simple": tmp_path / "simple"}) as running:
        yield running


def asked(depot: Depot, path: str) -> requests.Response:
    return requests.get(f"{depot.address('127.0.0.1')}{path}", timeout=10)


def test_a_folder_is_shown_as_an_index_and_its_files_are_there(depot: Depot) -> None:
    """Links for pip to read, and what they lead to is the wheel."""
    assert "shop_tasks-1.0-py3-none-any.whl" in asked(depot, "/simple/shop-tasks/").text
    assert "a wheel" == asked(depot, "/simple/shop-tasks/shop_tasks-1.0-py3-none-any.whl").text


@pytest.mark.parametrize("path", ["/", "/secret", "/simple/../secret", "/simple/%2e%2e/secret", "/other/x"])
def test_nothing_else_is_offered(depot: Depot, path: str) -> None:
    """A path out of the folders leads nowhere."""
    assert 404 == asked(depot, path).status_code


def test_a_release_can_be_missing_for_a_while(depot: Depot) -> None:
    """As on an index that is out of order: an application that cannot be installed."""
    depot.refused.add("/simple/shop-tasks")
    assert 404 == asked(depot, "/simple/shop-tasks/").status_code

    depot.refused.clear()

    assert 200 == asked(depot, "/simple/shop-tasks/").status_code


def test_receipts_are_kept_in_order(depot: Depot) -> None:
    """Tasks that are done are counted by them."""
    for text in ("began 3 e2e-1", "ended 3 e2e-1", "nonsense"):
        requests.post(f"{depot.address('127.0.0.1')}/receipts", data=text, timeout=10)

    assert [("began", 3, "e2e-1"), ("ended", 3, "e2e-1")] == [
        (each.what, each.number, each.node) for each in depot.receipts
    ]


@pytest.mark.parametrize("path", ["/receipts", "/simple"])
def test_what_is_no_receipt_is_refused(depot: Depot, path: str) -> None:
    """And the server goes on."""
    answer = requests.post(f"{depot.address('127.0.0.1')}{path}", data="x" * 2000, timeout=10)

    assert 400 == answer.status_code
    assert () == depot.receipts
