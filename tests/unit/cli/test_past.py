"""`history`: a pool's time as a table and a chart, as JSON, as a page and as an image."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest

from autoscaler.cli import plotting
from autoscaler.core.facts import Memory
from autoscaler.journal import TickRecord
from autoscaler.plots import image
from autoscaler.plots.contract import PlotsUnavailable
from tests.unit.cli.office import Office, a_decision
from tests.unit.views.test_history import a_sample


@pytest.fixture
def past(office: Office) -> Office:
    """An hour of ticks: a burst in its middle, and the number that followed."""
    office.rewrite('tick = "100ms"', 'tick = "5s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "2s"')
    began_at = time.time() - 3600
    burst = range(300, 400)
    samples = [
        a_sample(
            began_at + 5 * tick, backlog=120 if tick in burst else 0, wait_s=90.0 if tick in burst else 0.0,
            serving=4 if tick in burst else 1, wanted=4 if tick in burst else 1,
        )
        for tick in range(719)
    ]  # fmt: skip
    decision = a_decision(at=began_at + 5 * 300, backlog=35)
    with office.journal() as journal:
        journal.commit(
            TickRecord(at=time.time(), samples=tuple(samples), decisions=(decision,), memory=Memory())
        )
    return office


def test_a_time_is_told_as_figures_and_drawn(past: Office) -> None:
    """The most that waited, what it cost and would have cost, the chart with its axis, and what changed the number."""
    answer = past.command("history", "images", "--since", "1h")

    assert 0 == answer.code
    assert ["waiting", "0", "17", "120", "0"] in [line.split() for line in answer.out.splitlines()]
    assert "a fixed fleet for its peak  0.40  4 workers all the time" in answer.out
    assert any(line.startswith("     200 │") for line in answer.out.splitlines())
    assert "█" in answer.out
    assert "1 → 4" in answer.out
    assert all(len(line) <= 100 for line in answer.out.splitlines() if "│" in line)
    assert "\x1b" not in answer.out


def test_the_price_of_a_paas_is_compared_where_it_is_known(past: Office) -> None:
    """`web.paas_price_per_month` says it."""
    past.rewrite("[providers.cloud]", "[web]\npaas_price_per_month = 730.0\n\n[providers.cloud]")

    answer = past.command("history", "images", "--since", "1h")
    facts = past.command("history", "images", "--since", "1h", "--json").facts

    assert "a PaaS for its peak" in answer.out
    assert 4.0 == pytest.approx(facts["paas"]["cost"], rel=0.01)


def test_the_facts_are_json(past: Office) -> None:
    """Points with what was seen at them, the change with its sentence, the totals."""
    facts = past.command("history", "images", "--since", "1h", "--json").facts

    assert 120 == max(point["backlog"] for point in facts["points"])
    assert (1, 4) == (facts["changes"][0]["before"], facts["changes"][0]["after"])
    assert facts["changes"][0]["sentence"]
    assert 4 == facts["totals"]["most_serving"]


def test_it_is_drawn_into_a_file(past: Office, tmp_path: Path) -> None:
    """A page that holds what it shows, or an image."""
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "past.html", tmp_path / "past.png"

    assert 0 == past.command("history", "images", "--since", "1h", "--plot", str(page)).code
    assert 0 == past.command("history", "images", "--since", "1h", "--plot", str(picture)).code

    assert "images: the last 1 h" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_the_library_it_says_what_to_install(
    past: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read, and no half a file is left."""

    sound = image.importlib.import_module

    def missing(name: str) -> ModuleType:
        """Others are there: a command is imported by its call."""
        if name.startswith("matplotlib"):
            raise ImportError(f"No module named {name!r}")
        return sound(name)

    monkeypatch.setattr(image.importlib, "import_module", missing)
    with pytest.raises(PlotsUnavailable):
        plotting.drawer(tmp_path / "past.png")

    answer = past.command("history", "images", "--plot", str(tmp_path / "past.png"))

    assert 1 == answer.code
    assert "pip install 'vps-autoscaler[plots]'" in answer.err
    assert not (tmp_path / "past.png").exists()


def test_a_time_without_looks_says_where_there_are_some(office: Office) -> None:
    """And what to do; a script gets an empty document."""
    with office.journal() as journal:
        old = tuple(a_sample(time.time() - 7200 + tick) for tick in range(3))
        journal.commit(TickRecord(at=time.time(), samples=old, memory=Memory()))

    answer = office.command("history", "images", "--since", "1h")

    assert 1 == answer.code
    assert "the last one was 1 h 59 min ago. Reach further back with --since." in answer.err
    assert [] == office.command("history", "images", "--since", "1h", "--json").facts["points"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("images", "--since", "soon"), "expected one such as 12h, 7d or 4w"),
        (("nobody",), "the configuration has: images"),
        (("images", "--plot", "past.gif"), "expected a name that ends in one of them"),
    ],
)
def test_what_cannot_be_meant_says_what_can(past: Office, arguments: tuple[str, ...], says: str) -> None:
    """Usage errors name what is expected."""
    answer = past.command("history", *arguments)

    assert 2 == answer.code
    assert says in answer.err


def test_a_pool_that_was_never_watched_says_so(office: Office) -> None:
    """And whom to ask."""
    office.on_record()

    answer = office.command("history", "images")

    assert 1 == answer.code
    assert "no daemon has watched it yet. `autoscaler status` says whether one runs" in answer.err
