"""The program that runs Celery on a machine: what it keeps of the orders that a drain consists of."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bootstrap.contract import Application, ApplicationSource
from tests.unit.bootstrap import specs

PROGRAM = Path(__file__).resolve().parents[3] / "bootstrap" / "assets" / "run-celery"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("run_celery", str(PROGRAM))
    spec = importlib.util.spec_from_loader("run_celery", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def a_worker(*queues: str) -> Any:
    """The state that Celery gives its control commands."""
    return SimpleNamespace(
        app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues)))
    )


def handlers(program: ModuleType, mark: Path) -> dict[str, Any]:
    """Celery's own, which say what they were asked; wrapped."""

    def answering(name: str) -> Any:
        return lambda _state, queue, **options: f"{name} {queue} {options}"

    own = {name: answering(name) for name in ("cancel_consumer", "add_consumer", "shutdown")}
    program.remember(own, str(mark))
    return own


def test_a_worker_is_drained_when_no_queue_is_left(program: ModuleType, tmp_path: Path) -> None:
    """One queue of two is an operator's matter and no drain."""
    mark, state = tmp_path / "drained", a_worker("images", "thumbs")
    asked = handlers(program, mark)

    asked["cancel_consumer"](state, "images")
    assert not mark.exists()
    asked["cancel_consumer"](state, "thumbs")

    assert mark.exists()


def test_a_worker_that_is_taken_back_is_not_drained_any_more(program: ModuleType, tmp_path: Path) -> None:
    """Load came back: it may be started again after a crash."""
    mark, state = tmp_path / "drained", a_worker("images")
    asked = handlers(program, mark)
    asked["cancel_consumer"](state, "images")
    assert mark.exists()

    asked["add_consumer"](a_worker(), "images")  # Celery has taken the queue out of its list by then

    assert not mark.exists()


def test_orders_are_carried_out_as_before_whatever_becomes_of_the_mark(
    program: ModuleType, tmp_path: Path
) -> None:
    """A file system that is full or missing stops no drain, and every option is passed on."""
    asked = handlers(program, tmp_path / "missing" / "drained")

    assert "cancel_consumer images {}" == asked["cancel_consumer"](a_worker("images"), "images")
    assert "add_consumer images {'exchange': 'x'}" == asked["add_consumer"](
        a_worker("images"), "images", exchange="x"
    )


def test_a_worker_that_was_being_drained_is_not_started_again(tmp_path: Path) -> None:
    """The keeper is told an end in order, later than a start that failed would end."""
    spec = specs.a_spec(
        user="nobody",
        application=Application(source=ApplicationSource.IMAGE, python="python", directory=str(tmp_path)),
    )
    machine = specs.Machine(tmp_path / "machine", spec)
    for name in ("setpriv", "install", "sleep"):
        machine.stand_in(name)
    mark = machine.root / "run" / "autoscaler" / "drained"
    mark.parent.mkdir(parents=True)
    mark.touch()

    done = subprocess.run(
        [machine.program("run-worker")],
        env=machine.environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 0 == done.returncode
    assert "stays down" in done.stdout
    assert int(machine.argv_of("sleep")[0]) > 5
    assert not (machine.root / "calls" / "setpriv.argv").exists()
