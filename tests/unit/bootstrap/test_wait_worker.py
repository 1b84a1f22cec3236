"""What waits while the machine boots: it becomes the very worker that `run-worker` would start, or has that started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.waiting import wait_until
from tests.unit.bootstrap.waiting import ENVIRONMENT, PROGRAM, SHOP, Waiting


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    found = Waiting(tmp_path)
    yield found
    found.close()


def its_own(waiting: Waiting) -> dict[str, Any]:
    """What the program sees where `run-worker` starts it, as ever."""
    done = subprocess.run(
        ["/bin/sh", str(waiting.lib / "run-worker")],
        env={"AUTOSCALER_ROOT": str(waiting.root), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        | {"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_it_becomes_the_worker_that_would_have_been_started(waiting: Waiting) -> None:
    """Same words, variables, directory, user and groups, in the process that waited."""
    waiting.begin()
    waiting.say_the_word()
    said, trouble = waiting.end()

    assert "" == trouble
    assert waiting.process is not None
    assert waiting.process.pid == said.pop("pid")
    assert said.pop("loaded")
    assert "__main__" == said["name"]
    assert said["argv"] == waiting.words
    assert ENVIRONMENT.items() <= said["environ"].items()
    assert str(waiting.work) == said["directory"]
    if os.getuid() == 0:  # setpriv gives root alone another user
        ever = its_own(waiting)
        assert not ever.pop("loaded")
        ever.pop("pid")
        assert ever == said


def test_it_waits_for_the_word_and_goes_when_it_is_told_to(waiting: Waiting) -> None:
    """A machine that fails before its worker starts ends with what waits there."""
    waiting.begin()
    assert waiting.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.process.wait(1.5)
    waiting.process.terminate()

    assert -signal.SIGTERM == waiting.process.wait(10)


def test_a_word_that_came_before_is_not_waited_for(waiting: Waiting) -> None:
    """The keeper may be slower than all the rest."""
    waiting.go.unlink()
    waiting.begin()

    assert waiting.end()[0]["loaded"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user: run-worker itself needs it")
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"variables": {"LANG": "nl_NL.UTF-8"}}, "LANG counts"),
        ({"variables": {"PYTHONUNBUFFERED": ""}}, "PYTHONUNBUFFERED counts"),
        ({"variables": {"LC_CTYPE": "C.utf8"}}, "LC_CTYPE counts"),
        ({"variables": {"PYTHONHASHSEED": "1"}}, "PYTHONHASHSEED counts from the start"),
        ({"variables": {"PYTHONPATH": "/srv/own"}}, "PYTHONPATH counts"),
        ({"variables": {"C_FORCE_ROOT": "1"}}, "C_FORCE_ROOT counts"),
        ({"variables": {"CELERY_CUSTOM_WORKER_POOL": "x:Y"}}, "CELERY_CUSTOM_WORKER_POOL counts"),
        ({"variables": {"KOMBU_LOG_DEBUG": "1"}}, "KOMBU_LOG_DEBUG counts"),
        ({"variables": {"LD_PRELOAD": ""}}, "LD_PRELOAD counts"),
        ({"variables": {"REMAP_SIGTERM": "SIGQUIT"}}, "REMAP_SIGTERM counts"),
        ({"variables": {"PICKLE_PROTOCOL": "2"}}, "PICKLE_PROTOCOL counts"),
        ({"variables": {"TZ": "Europe/Amsterdam"}}, "TZ counts"),
        ({"shadow": "kombu.py"}, "has its own kombu"),
        ({"shadow": "click"}, "has its own click"),
        ({"words": "--loglevel=DEBUG"}, "other words"),
        ({"keeper": {"PYTHONPATH": "/srv/own"}}, "PYTHONPATH counted"),
        ({"text": "exec env X=1 "}, "nothing is known"),
    ],
    ids=str,
)
def test_where_it_would_make_a_difference_the_worker_is_started_as_ever(
    waiting: Waiting, case: dict[str, Any], reason: str
) -> None:
    """In doubt: nothing that was loaded here is used, and the reason stands in the worker's log."""
    waiting.environ(ENVIRONMENT | case.get("variables", {}))
    if "shadow" in case:
        (waiting.work / case["shadow"]).mkdir()
    if "words" in case:
        waiting.run_worker(case["words"])
    if "text" in case:
        path = waiting.lib / "run-worker"
        path.write_text(path.read_text().replace('\nexec "$@"', f'\n{case["text"]}"$@"'))
    waiting.begin(**case.get("keeper", {}))
    waiting.say_the_word()
    said, trouble = waiting.end()

    assert reason in trouble
    assert not said["loaded"]
    assert (ENVIRONMENT | case.get("variables", {})).items() <= said["environ"].items()
    assert waiting.process is not None
    assert waiting.process.pid == said["pid"]


def test_real_celery_works_and_ends_in_order(tmp_path: Path) -> None:
    """Its pool's children are forked from what waited, and do a task; TERM ends it with 0 as ever."""
    real = (PROGRAM.parent / "run-celery").read_text()
    waiting = Waiting(tmp_path, real.replace("/run/autoscaler/drained", f"{tmp_path}/drained"))
    (waiting.work / "shop.py").write_text(SHOP.format(folder=str(tmp_path)))
    waiting.words += ["--concurrency=1", "--without-mingle", "--without-gossip", "--pool=prefork"]
    waiting.run_worker()
    variables = {name: value for name, value in ENVIRONMENT.items() if name != "CELERY_BROKER_URL"}
    waiting.environ(variables)
    waiting.begin()
    try:
        waiting.say_the_word()
        wait_until((tmp_path / "done").exists, 40, "a task to be done")
        assert waiting.process is not None
        waiting.process.terminate()
        _, trouble = waiting.process.communicate(timeout=30)

        assert "started anew" not in trouble
        assert 0 == waiting.process.returncode
        assert ENVIRONMENT["SHOP_KEY"] == (tmp_path / "done").read_text()
    finally:
        waiting.close()
