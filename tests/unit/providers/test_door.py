"""The door of the room where machines come from: every kind by its name, nothing loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

import providers
from autoscaler.clock import SystemClock
from providers.contract import ProviderOptionsWrong


def open_kind(kind: str, **options: object) -> Any:
    return providers.open_provider(
        kind, name="here", fleet="production", options=options, clock=SystemClock()
    )


@pytest.mark.parametrize("kind", sorted(providers.BUILT_IN))
def test_every_kind_that_is_built_in_can_be_imported(kind: str) -> None:
    """The table names modules and callables that exist."""
    module, _, attribute = providers.BUILT_IN[kind].partition(":")

    assert callable(getattr(import_module(module), attribute))


def test_the_door_loads_no_kind_before_it_is_opened() -> None:
    """A daemon on one cloud never pays for another's library."""
    program = "import providers, sys; print(sorted({'libcloud', 'psutil'} & set(sys.modules)))"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert "[]" == said.stdout.strip()


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    """The message names the setting, what was found and every kind that could have been meant."""
    with pytest.raises(
        ProviderOptionsWrong, match=r"providers\.here\.kind.*'clowd'.*libcloud, local, simulated"
    ):
        open_kind("clowd")


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, object], None]:
    """Lets another distribution provide a kind."""

    def provide(kind: str, opener: object) -> None:
        def found(*, group: str) -> tuple[SimpleNamespace, ...]:
            assert "autoscaler.providers" == group
            return (SimpleNamespace(name=kind, load=lambda: opener),)

        monkeypatch.setattr(providers, "entry_points", found)

    return provide


def test_other_peoples_kinds_come_through_the_entry_points(plug_in: Callable[[str, object], None]) -> None:
    """They are handed name, fleet, options and clock, as ours are, and are among the known ones."""
    handed: dict[str, object] = {}
    plug_in("elsewhere", lambda **arguments: handed.update(arguments) or "opened")

    assert "opened" == open_kind("elsewhere", rack=7)
    assert ("here", "production", {"rack": 7}) == (handed["name"], handed["fleet"], handed["options"])
    with pytest.raises(ProviderOptionsWrong, match="elsewhere, external, libcloud"):
        open_kind("clowd")


def test_nobody_replaces_a_kind_that_is_built_in(plug_in: Callable[[str, object], None]) -> None:
    """An installed package of the same kind is not asked."""
    plug_in("simulated", lambda **_: pytest.fail("a stranger was opened"))

    assert open_kind("simulated").traits.settle_s > 0
