"""Machines that become workers, or cannot: what their fleet hears of it over a real broker."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pika
import pytest

from testbed import hostile_tcp
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.enrolling import Fleet, Newcomer, heard, heard_failure

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PHASES = ["booted", "network", "disk", "packages", "application", "broker", "worker"]


@pytest.fixture
def fleet(broker: PrivateRabbitMQ) -> Iterator[Fleet]:
    """A fleet of its own, with a vhost of its own."""
    made = Fleet(broker, f"enrol-{secrets.token_hex(3)}")
    yield made
    made.close()


@pytest.fixture
def newcomer(fleet: Fleet, tmp_path: Path) -> Iterator[Callable[..., Newcomer]]:
    """Makes machines of that fleet."""
    made: list[Newcomer] = []

    def make(**settings: Any) -> Newcomer:
        made.append(Newcomer(tmp_path / str(len(made)), fleet, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_machine_becomes_a_worker_and_tells_each_phase(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """Each once, in seconds since power-on, none before what it needs; and no secret in what it writes."""
    machine = newcomer()
    code, said = machine.run()
    report = fleet.last_report()
    times = {phase["phase"]: (phase["from_s"], phase["to_s"]) for phase in report["phases"]}

    assert (0, sorted(PHASES), None) == (code, sorted(times), report["failed"])
    assert all(phase["ok"] for phase in report["phases"])
    assert times["booted"][0] == 0
    for before, after in [
        ("network", "broker"),
        ("disk", "packages"),
        ("packages", "application"),
        ("broker", "worker"),
    ]:
        assert times[before][1] <= times[after][0] + 0.001
    assert report["uptime_s"] >= times["worker"][1]
    assert quote(fleet.broker.password, safe="") not in machine.log + said
    assert (
        f"[program:{machine.node}]"
        in (machine.machine.root / "etc/supervisor/conf.d/celery-worker.conf").read_text()
    )


def test_running_it_again_does_no_harm(fleet: Fleet, newcomer: Callable[..., Newcomer]) -> None:
    """A worker that went by itself is not brought back, nothing is installed, nothing is reported."""
    machine = newcomer()
    machine.run()
    fleet.last_report()
    (machine.machine.root / "calls/supervisorctl.argv").unlink()
    code, said = machine.run()

    assert (0, True) == (code, "a worker already" in said)
    assert not (machine.machine.root / "calls/supervisorctl.argv").exists()
    assert fleet.next_report() is None


def test_a_failure_is_told_with_the_end_of_the_log_until_the_machine_is_ended(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """cloud-init learns at once that it failed; the fleet is told again and again, without a secret."""
    machine = newcomer(commands_after=["echo 'no shop for amqp://u:hunter22@h/' >&2\nexit 7\n"])
    code, _ = machine.run()
    report = heard_failure(fleet)
    failed = report["failed"]

    assert (1, "application") == (code, failed["phase"])
    assert "exit code 7" in failed["says"]
    assert any("no shop for amqp://********@h/" in line for line in failed["log"])
    assert not [
        line for line in failed["log"] if "hunter22" in line or quote(fleet.broker.password, safe="") in line
    ]
    assert "worker" not in {phase["phase"] for phase in report["phases"]}
    again = report
    while (
        again["uptime_s"] < report["uptime_s"] + 20
    ):  # phases that were under way end too, and are told at once
        again = heard(fleet, deadline_s=45)

    assert failed["says"] == again["failed"]["says"]


def test_a_slow_disk_keeps_a_machine_from_work(fleet: Fleet, newcomer: Callable[..., Newcomer]) -> None:
    """Nothing is installed on it, and the figures come with the refusal."""
    machine = newcomer(packages=["ffmpeg"])
    machine.machine.stand_in(
        "ioping", "echo 200 1098151000 182 70868214 53860 9790000 10193300 10646 201 1202906"
    )
    code, _ = machine.run()
    report = heard_failure(fleet)

    assert (1, "disk") == (code, report["failed"]["phase"])
    assert {"mean_ms": 9.79, "worst_ms": 10.1933, "requests": 200} == report["disk"]
    assert not (machine.machine.root / "calls/apt-get.argv").exists()


def test_a_worker_that_does_not_stay_up_brings_its_own_last_words(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """What its keeper gave up is told with what it wrote."""
    machine = newcomer()
    log = machine.machine.root / "var/log/supervisor/celery-worker.log"
    words = f'echo "ModuleNotFoundError: No module named shop" >{log}'
    machine.machine.stand_in(
        "supervisorctl", f'{words}; [ "$1" != status ] || echo "$2  FATAL  Exited too quickly"'
    )
    code, _ = machine.run()
    failed = heard_failure(fleet)["failed"]

    assert (1, "worker") == (code, failed["phase"])
    assert "Exited too quickly" in failed["says"]
    assert any("No module named shop" in line for line in failed["log"])


def test_a_broker_that_comes_late_is_waited_for(
    fleet: Fleet, newcomer: Callable[..., Newcomer], tmp_path: Path
) -> None:
    """Packages go on meanwhile; the time that it took is the phase's."""
    with hostile_tcp.tcp_proxy(fleet.broker.amqp_port) as proxy:
        proxy.manners = hostile_tcp.REFUSED
        machine = newcomer(broker={"url": fleet.url.replace(str(fleet.broker.amqp_port), str(proxy.port))})
        program = machine.begin()
        wait_until(lambda: proxy.accepted >= 3, 20, "three attempts")
        proxy.manners = hostile_tcp.FAIR
        code = program.wait(45)
        times = {phase["phase"]: phase["to_s"] for phase in fleet.last_report()["phases"]}

    assert 0 == code
    assert times["application"] < times["broker"]


def test_a_fleet_that_does_not_listen_yet_keeps_no_machine_from_work(
    broker: PrivateRabbitMQ, tmp_path: Path
) -> None:
    """The exchange is the daemon's to make; what was not heard is told once it is there."""
    fleet = Fleet(broker, f"deaf-{secrets.token_hex(3)}", declared=False)
    machine = Newcomer(tmp_path, fleet)
    try:
        program = machine.begin()
        wait_until(lambda: "nothing was reported" in machine.log, 20, "a report that nobody takes")
        fleet.declare()

        assert 0 == program.wait(45)
        assert PHASES[-1] in {phase["phase"] for phase in fleet.last_report()["phases"]}
    finally:
        machine.close()
        fleet.close()


def test_a_machine_without_a_brokers_address_becomes_a_worker_unheard(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """The app may know the broker by itself; then nothing can be reported, and nothing is waited for."""
    machine = newcomer(broker={"url": ""})

    assert 0 == machine.run()[0]
    assert fleet.next_report() is None


def test_credentials_of_its_own_take_the_place_of_those_in_the_user_data(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """It asks, takes the grant that is proven and no other, and goes on under it; the first password is dead."""
    node, user = "shop-images-7k2f", f"autoscaler.{fleet.name}.shop-images-7k2f"
    mailbox = f"autoscaler.node.{node}"
    fleet.channel.queue_declare(mailbox, durable=True)
    fleet.put_user(user, "of-the-user-data", write=r"^autoscaler\.enrolment$", read=rf"^{mailbox}$")

    def url(password: str) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{fleet.broker.amqp_port}/{fleet.name}"

    machine = newcomer(credentials="node", broker={"url": url("of-the-user-data")}, packages=[])
    program = _packed_for(machine, "grant")
    running = program.begin()
    heard(fleet, wants="grant")
    forged = {"v": 1, "broker_url": url("forged"), "environment": {"LD_PRELOAD": "/evil.so"}}
    fleet.grant(node, forged, token="another")
    fleet.put_user(user, "of-the-grant", write=r"^autoscaler\.enrolment$", read=rf"^{mailbox}$")
    grant = {"v": 1, "broker_url": url("of-the-grant"), "environment": {"API_KEY": "it's\nså hemlig"}}
    fleet.grant(node, grant)

    assert 0 == running.wait(45)
    report = fleet.last_report()
    environment = (machine.machine.root / "etc/autoscaler/worker.env").read_text()
    assert (None, None, 7) == (report["failed"], report["wants"], len(report["phases"]))
    assert f"CELERY_BROKER_URL='{url('of-the-grant')}'".replace("'", "") in environment.replace("'", "")
    assert "API_KEY='it'\"'\"'s\nså hemlig'\n" in environment
    assert "LD_PRELOAD" not in environment
    assert "of-the-grant" not in machine.log
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(url("of-the-user-data")))


def test_a_wish_that_nobody_answered_is_told_again(fleet: Fleet, newcomer: Callable[..., Newcomer]) -> None:
    """With nothing else to tell: the daemon heard the first one, and its broker's API was away."""
    fleet.channel.queue_declare("autoscaler.node.shop-images-7k2f", durable=True)
    machine = _packed_for(newcomer(credentials="node", packages=[]), "grant")
    machine.begin()
    wait_until(lambda: "application: done" in machine.log, 20, "all else to be done")
    heard(fleet, wants="grant")
    heard(fleet, wants="grant", deadline_s=25)
    heard(fleet, wants="grant", deadline_s=25)


def _packed_for(machine: Newcomer, module: str) -> Newcomer:
    """The same machine with the program of a pool that has a use for this module."""
    from bootstrap import program  # noqa: PLC0415

    wanted = {"grant": {"credentials": "node"}, "lease": {"lease": {"after_s": 1}}}[module]
    machine.machine.program("become-worker").write_text(program.packed(program.modules_for(wanted)))
    return machine


def test_a_machine_that_does_not_hear_its_fleet_finishes_and_stops_until_it_does(
    fleet: Fleet, newcomer: Callable[..., Newcomer]
) -> None:
    """TERM once, the word of it to the fleet, and a start when it is heard again; beats keep a worker at work."""
    voice = f"autoscaler.fleet.{fleet.name}"
    fleet.channel.exchange_declare(voice, "fanout")
    machine = _packed_for(newcomer(lease={"after_s": 5}), "lease")
    root = machine.machine.root
    state = root / "state"
    state.write_text("RUNNING   pid 812, uptime 0:01:05")
    machine.machine.stand_in(
        "supervisorctl",
        f'[ "$1" = status ] && echo "$2  $(cat {state})" && exit; echo "$*" >>{root}/told;'
        f"[ $1 = signal ] && echo EXITED >{state} || echo RUNNING pid 813 >{state}",
    )
    machine.begin("keep-lease")
    ear = f"{voice}.{machine.node}"
    wait_until(partial(_is_bound, fleet, ear), 20, "its ear")
    for _ in range(4):
        fleet.channel.basic_publish(voice, "", b"{}")
        assert not (root / "told").exists()
        fleet.channel.connection.sleep(2)
    report = heard(fleet, deadline_s=20, wants="fenced")
    wait_until(lambda: "is down" in machine.log, 10, "the worker's end")
    fleet.channel.basic_publish(voice, "", b"{}")
    heard(fleet, deadline_s=20, wants=None)

    assert machine.node == report["node"]
    assert [f"signal TERM {machine.node}", f"start {machine.node}"] == (
        root / "told"
    ).read_text().splitlines()


def _is_bound(fleet: Fleet, queue: str) -> bool:
    channel = fleet.channel.connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    channel.close()
    return True
