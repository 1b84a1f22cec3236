"""What a machine does where its disk, its image or its fleet is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.bootstrap import on_machine


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The program's modules, under a root of their own with a log."""
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "etc/autoscaler").mkdir(parents=True)
    with on_machine.loaded(tmp_path) as modules:
        yield modules


@pytest.mark.parametrize(
    "name", ["LANGCHAIN_API_KEY", "PATHWAY_TOKEN", "PYTHON_INDEX_PASSWORD", "AUTOSCALER_SIDE_KEY"]
)
def test_a_secret_is_masked_however_its_variable_begins(
    name: str, here: SimpleNamespace, tmp_path: Path
) -> None:
    """Only our own variables are no secrets, and an operator's may begin like one of these."""
    (tmp_path / "etc/autoscaler/worker.env").write_text(
        f"LANG=C.UTF-8\nPYTHONUNBUFFERED=1\n{name}=geheim99\n"
    )
    here.machine.hide("")

    assert "it is ********" == here.machine.masked("it is geheim99")
