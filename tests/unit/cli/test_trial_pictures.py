"""`simulate --optimum` and `simulate --plot`: what a script reads, what a person sees, what is said of a wrong word."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.cli.office import Office

HOSTILE = "<b>$x$&'.csv"


@pytest.fixture
def quick_office(office: Office) -> Office:
    office.rewrite('tick = "100ms"', 'tick = "10s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    office.secrets = {}
    return office


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A task every two minutes for half an hour, of half a minute each; the file's name is hostile."""
    file = tmp_path / HOSTILE
    rows = [f"{minute * 120},30" for minute in range(15)]
    file.write_text("\n".join(["submit_s,runtime_s", *rows]) + "\n")
    return file


def test_the_optimum_has_the_names_that_scripts_read(quick_office: Office, tasks: Path) -> None:
    """The bound, what kind of bound it is, and a gap whose parts add up."""
    pytest.importorskip("scipy")

    answer = quick_office.command("simulate", "--workload", str(tasks), "--optimum", "--json")

    assert (0, "") == (answer.code, answer.err)
    optimum = answer.facts["optimum"]
    assert {"cost": 0.1, "node_hours_billed": 1.0, "kind": "exact"}.items() <= optimum.items()
    own, gap = answer.facts["results"][0], optimum["gap"]
    assert own["cost"] - optimum["cost"] == pytest.approx(gap["cost"])
    assert gap["cost"] == pytest.approx(gap["not_knowing_the_future"] + gap["boot_time"] + gap["rule"])


def test_people_get_a_row_and_what_lies_between(quick_office: Office, tasks: Path) -> None:
    """Billed by the minute a machine that waits for the next task is paid for; that the next comes was not known."""
    pytest.importorskip("scipy")
    quick_office.rewrite("price_per_hour = 0.1", "price_per_hour = 60")
    quick_office.rewrite('billing_quantum = "1h"', 'billing_quantum = "1m"')

    answer = quick_office.command("simulate", "--workload", str(tasks), "--optimum")

    assert 0 == answer.code
    row, nothing, floor, ratio, future, boots, rule = answer.out.splitlines()[3:]
    assert (["lower", "bound"], "") == (row.split()[:2], nothing)
    assert floor.startswith(
        f"No schedule that starts every task in time costs less than {row.split()[2]}. That is a"
    )
    assert " times that, " in ratio
    assert "not knowing what comes" in future
    assert "boots, beyond the" in boots
    assert "the rule" in rule


def test_a_floor_that_the_bound_does_not_know_is_named(quick_office: Office, tasks: Path) -> None:
    """Else what the floor costs is taken for a mistake of the rule."""
    pytest.importorskip("scipy")
    ask = ("simulate", "--workload", str(tasks), "--optimum")
    without = quick_office.command(*ask)
    quick_office.rewrite("max_workers = 5", "max_workers = 5\nmin_workers = 3")

    answer = quick_office.command(*ask)

    assert "heeds no" not in without.out
    assert "The bound heeds no floor: what min_workers = 3 costs configured" in answer.out
    assert "heeds no ceiling" not in answer.out
    assert " more:" in answer.out


def test_a_policy_at_its_ceiling_may_cost_less_than_the_bound(quick_office: Office, tmp_path: Path) -> None:
    """It starts tasks late, which the bound does not; the ceiling is named, and no sum is negatively more."""
    pytest.importorskip("scipy")
    quick_office.rewrite("max_workers = 5", "max_workers = 1")
    file = tmp_path / "burst.csv"
    file.write_text("\n".join(["submit_s,runtime_s", *["5,60"] * 60]) + "\n")

    answer = quick_office.command("simulate", "--workload", str(file), "--optimum")

    assert 0 == answer.code
    ratio = next(line for line in answer.out.splitlines() if line.startswith("configured costs"))
    assert ratio.endswith(" less:")
    assert "-" not in ratio
    assert "it may rest on more machines than max_workers = 1, which configured reached." in answer.out
    assert "heeds no floor" not in answer.out


def test_without_the_libraries_a_sentence_says_what_to_install(
    quick_office: Office, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is computed, and with exit code 1. A page needs nothing."""

    real = importlib.import_module

    def missing(name: str) -> ModuleType:
        if name.partition(".")[0] in {"numpy", "scipy", "matplotlib"}:
            raise ImportError(f"No module named {name!r}")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    ask = ("simulate", "--workload", str(tasks))

    optimum = quick_office.command(*ask, "--optimum")
    png = quick_office.command(*ask, "--plot", str(tmp_path / "day.png"))
    page = quick_office.command(*ask, "--plot", str(tmp_path / "day.html"))

    assert [(1, ""), (1, "")] == [(answer.code, answer.out) for answer in (optimum, png)]
    assert "computed with scipy, which is not installed" in optimum.err
    assert "pip install 'vps-autoscaler[study]'" in optimum.err
    assert "pip install 'vps-autoscaler[plots]'" in png.err
    assert (0, True, False) == (page.code, (tmp_path / "day.html").exists(), (tmp_path / "day.png").exists())


@pytest.mark.parametrize("name", ["day.html", "day.HTML", "day.png"])
def test_a_plot_shows_ours_and_the_others(
    quick_office: Office, tasks: Path, tmp_path: Path, name: str
) -> None:
    """By the ending of its name; nothing else is left beside it, and no name becomes markup."""
    if name.endswith("png"):
        pytest.importorskip("matplotlib")
    place = tmp_path / "out" / name
    place.parent.mkdir()

    answer = quick_office.command(
        "simulate", "--workload", str(tasks), "--against", "keda,hpa", "--plot", str(place)
    )

    assert 0 == answer.code
    assert [name] == [file.name for file in place.parent.iterdir()]
    drawn = place.read_bytes()
    if name.endswith("png"):
        assert drawn.startswith(b"\x89PNG")
        return
    text = drawn.decode()
    assert "&lt;b&gt;$x$&amp;&#x27;.csv" in text
    assert "<b>" not in text
    assert all(f"</span>{policy}</button>" in text for policy in ("configured", "keda", "hpa"))
    assert answer.out.splitlines()[-1] in text


def test_the_bound_is_drawn_where_it_was_asked_for(quick_office: Office, tasks: Path, tmp_path: Path) -> None:
    """As a level across the cost, and in the table."""
    pytest.importorskip("scipy")
    place = tmp_path / "day.html"

    quick_office.command("simulate", "--workload", str(tasks), "--optimum", "--plot", str(place))

    assert "no schedule costs less" in place.read_text()
    assert '<th scope="row">optimum</th>' in place.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--plot", "day.svg"), "--plot 'day.svg' is neither .png nor .html"),
        (("--plot", "png"), "--plot 'png' is neither .png nor .html"),
        (("--optimum", "--optimum-within", "soon"), "--optimum-within 'soon' is no duration from 1s to 1d"),
        (("--plot", "a.html", "--timeline", "a.html"), "The plot would take the place of the timeline"),
    ],
)
def test_a_wrong_word_about_pictures_is_answered_with_the_right_ones(
    quick_office: Office, tasks: Path, arguments: tuple[str, ...], says: str
) -> None:
    """Exit code 2, as for any wrong usage."""
    answer = quick_office.command("simulate", "--workload", str(tasks), *arguments)

    assert (2, "", True) == (answer.code, answer.out, says in answer.err)


def test_a_plot_that_cannot_be_written_is_told_before_anything_is_computed(
    quick_office: Office, tasks: Path, tmp_path: Path
) -> None:
    """Exit code 1, with the reason."""
    answer = quick_office.command(
        "simulate", "--workload", str(tasks), "--plot", str(tmp_path / "no" / "a.html")
    )

    assert (1, "") == (answer.code, answer.out)
    assert "cannot be written: No such file" in answer.err
