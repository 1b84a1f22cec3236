"""The web tier of examples/stack on real parts: nginx, two application processes under supervisord, RabbitMQ, a worker.

`make stack-load` is the same at length, with the daemon and its pool. Here the load is small and short, and a process
is killed in the middle of it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from testbed import ports
from testbed.asked import Asked
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until

ROOT = Path(__file__).parents[2]
STACK = ROOT / "examples" / "stack"
PYTHON = ROOT / ".venv-stack" / "bin" / "python"
sys.path.append(str(STACK))

import evidence  # noqa: E402 - the example's modules can be found only now
import ground  # noqa: E402
import judge  # noqa: E402
from parts import Parts, StackFailed  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
UPLOAD = "0123456789abcdef" * 2
RATE_PER_S, LOAD_S = 30, 4

Open = Callable[[str], tuple[ground.Ground, Parts]]


@pytest.fixture
def open_web(tmp_path: Path) -> Iterator[Open]:
    """Starts application nodes and nginx for a broker's URL; all of it is ended, and nothing is left."""
    assert PYTHON.exists(), "the example's environment is missing: make .venv-stack/.ready"
    directory = tmp_path / "with space"
    with ExitStack() as everything:

        def start(broker_url: str) -> tuple[ground.Ground, Parts]:
            where = ground.take(directory, python=PYTHON, work_s=0.02)
            everything.callback(os.close, where.lock)
            started = Parts(where, Asked(), everything, lambda _: None)
            started.start_nodes(broker_url)
            started.start_nginx()
            return where, started

        yield start
    assert [] == _left(directory)


def _left(directory: Path) -> list[str]:
    """What runs with this directory in its command line or environment, or works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            said = [process.cwd(), *process.cmdline(), *process.environ().values()]
        except (psutil.Error, OSError):
            continue
        if any(str(directory) in word for word in said) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.cmdline()))
    return found


@pytest.fixture
def vhost_url(broker: PrivateRabbitMQ) -> str:
    """The broker's URL, in a vhost of this test's own."""
    if not broker.running:
        broker.start()
    broker.add_vhost("stack")
    return broker.amqp_url_for("stack")


@pytest.fixture
def start_worker() -> Iterator[Callable[[ground.Ground, str], None]]:
    """Starts a Celery worker as one of the pool's machines does, and ends it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(where: ground.Ground, broker_url: str) -> None:
        command = [
            where.python, "-m", "celery", "--app=uploads_tasks", "worker", "--queues=uploads", "--concurrency=4",
            "--without-gossip", "--without-mingle", "--hostname=worker@stack",
        ]  # fmt: skip
        environment = {
            "CELERY_BROKER_URL": broker_url,
            "UPLOADS_DIRECTORY": str(where.store),
            "UPLOADS_WORK_S": "0.02",
        }
        with (where.directory.parent / "worker.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    command, cwd=ground.APP, env={**os.environ, **environment}, stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, start_new_session=True,
                )
            )  # fmt: skip

    yield start
    for worker in started:
        worker.terminate()
        try:
            worker.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, 9)
            worker.wait()


def _post(
    where: ground.Ground, url: str, body: bytes, name: str = "a.bin", **headers: str
) -> requests.Response:
    return requests.post(
        f"{url}/uploads",
        params={"name": name},
        data=body,
        headers=headers,
        verify=str(where.authority),
        timeout=30,
    )


def test_a_process_killed_in_mid_load_costs_no_answer_and_no_upload(
    open_web: Open, vhost_url: str, start_worker: Callable[..., None]
) -> None:
    """Every upload is answered with 202 and processed once, though a node dies twice; what it left is handed on.

    Then the requests that no client should send, and the upload that comes twice.
    """
    where, web = open_web(vhost_url)
    start_worker(where, vhost_url)
    client = subprocess.Popen(
        [
            PYTHON, STACK / "load.py", "--url", web.url, "--ca", where.authority, "--answers", where.answers,
            "--rate", str(RATE_PER_S), "--seconds", str(LOAD_S),
        ]
    )  # fmt: skip
    try:
        for already in (40, 80):  # answers, of 120
            wait_until(lambda already=already: len(evidence.requests_seen(where)) > already, 60, "answers")
            wait_until(lambda: _killed(web), 30, "the node to have a process")
        assert 0 == client.wait(60)
    finally:
        client.kill()
        client.wait()
    answers = evidence.answers(where)
    wait_until(lambda: len(evidence.results(where)) >= len(answers), 60, "all of it to be processed")

    figures = judge.record(_load(where, answers))
    assert {"202": RATE_PER_S * LOAD_S} == figures["answers"], answers
    assert (0, 0, 0, 0) == tuple(figures[what] for what in ("errors", "lost", "processed_twice", "spoiled"))
    assert figures["handed_on"], "no upload met the dead node"
    _state_is_told(where, web.url, answers[0])
    _hostile_requests_are_refused(where, web)
    _what_comes_twice_is_queued_once(where, web)


def _killed(web: Parts) -> bool:
    try:
        return bool(web.kill_node(1))
    except StackFailed:  # there is none between two of them
        return False


def _load(where: ground.Ground, answers: list[dict[str, Any]]) -> judge.Load:
    return judge.Load(
        rate_per_s=RATE_PER_S, seconds=LOAD_S, answers=answers, results=evidence.results(where),
        acts=evidence.acts(where), handed_on=evidence.handed_on(evidence.requests_seen(where)),
        samples=(), ceiling=0, kills=(),
    )  # fmt: skip


def _state_is_told(where: ground.Ground, url: str, answer: dict[str, Any]) -> None:
    told = requests.get(f"{url}/uploads/{answer['upload']}", verify=str(where.authority), timeout=30)

    assert ("done", answer["sha256"]) == (told.json()["state"], told.json()["sha256"])
    for unknown in (UPLOAD, "x", "..%2f..%2fbroker-url"):
        asked = requests.get(f"{url}/uploads/{unknown}", verify=str(where.authority), timeout=30)
        assert asked.status_code in {400, 404}  # nginx itself refuses what leads out of the root


def _hostile_requests_are_refused(where: ground.Ground, web: Parts) -> None:
    node = f"http://127.0.0.1:{web.nodes[1]}"
    before = len(evidence.results(where))

    assert 413 == _post(where, web.url, b"x" * (8 * 1024 * 1024 + 1)).status_code
    assert 413 == _post(where, node, b"x" * (8 * 1024 * 1024 + 1)).status_code
    assert 400 == _post(where, web.url, b"x", name="a\nb").status_code
    assert 400 == _post(where, web.url, b"x", name="").status_code
    assert 400 == _post(where, node, b"x", **{"X-Upload-Id": "../" * 10 + "ab"}).status_code
    # What a client says of itself is replaced by nginx, the upload's name included.
    named = _post(
        where, web.url, b"mine", name="../../x.bin", **{"X-Upload-Id": UPLOAD, "X-Real-IP": "10.9.8.7"}
    )
    assert 202 == named.status_code
    assert UPLOAD not in named.headers["Location"]
    logs = "".join(file.read_text() for file in where.supervisord.glob("node-*.log"))
    assert "10.9.8.7" not in logs
    wait_until(lambda: len(evidence.results(where)) == before + 1, 30, "the one good upload")
    upload = named.headers["Location"].rpartition("/")[2]
    assert "x.bin" == json.loads((where.store / "results" / upload[:2] / upload).read_text())["name"]


def _what_comes_twice_is_queued_once(where: ground.Ground, web: Parts) -> None:
    """Each node is given the same upload, as nginx hands it on; then as if the first had died before its mark."""
    for port in web.nodes:
        taken = _post(where, f"http://127.0.0.1:{port}", b"twice", **{"X-Upload-Id": UPLOAD})
        assert (202, f"/uploads/{UPLOAD}") == (taken.status_code, taken.headers["Location"])
    once = [(UPLOAD, "recorded")]  # noted after the result is there
    wait_until(
        lambda: once == [act for act in evidence.acts(where) if act[0] == UPLOAD], 30, "the upload to be done"
    )

    (where.store / "queued" / UPLOAD[:2] / UPLOAD).unlink()
    assert (
        202
        == _post(where, f"http://127.0.0.1:{web.nodes[0]}", b"twice", **{"X-Upload-Id": UPLOAD}).status_code
    )
    twice = [(UPLOAD, "recorded"), (UPLOAD, "again")]
    wait_until(
        lambda: twice == [act for act in evidence.acts(where) if act[0] == UPLOAD], 30, "a second delivery"
    )


def test_a_broker_that_is_down_is_said_and_not_promised_over(open_web: Open) -> None:
    """503 and when to come again, never 202; nothing is marked as queued, and nginx does not call the node dead."""
    secret = "s3cret"
    where, web = open_web(f"amqp://user:{secret}@127.0.0.1:{ports.free_port()}//")

    answers = [_post(where, web.url, b"x") for _ in range(3)]

    assert [503] * 3 == [answer.status_code for answer in answers]
    assert all(answer.headers["Retry-After"] for answer in answers)
    assert [] == [file for file in (where.store / "queued").rglob("*") if file.is_file()]
    assert 0 == evidence.handed_on(evidence.requests_seen(where))
    assert not any(secret in file.read_text(errors="replace") for file in where.directory.rglob("*.log"))


def test_a_port_that_is_taken_is_refused_in_plain_words(tmp_path: Path) -> None:
    """Before anything is started: exit code 1 and a sentence that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [
                sys.executable, STACK / "run.py", "--directory", tmp_path / "stack", "--build", tmp_path,
                "--port", str(port), "--python", PYTHON,
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert 1 == ended.returncode
    assert f"Port {port} cannot be had" in ended.stderr
