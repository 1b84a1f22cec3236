"""The real daemon with `credentials = "node"`: machines that know only their user data become workers, and go."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pika.exceptions import AMQPConnectionError, ProbableAuthenticationError

from autoscaler.gateways.broker_rights import REPORTS, mailbox_of
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.contract import world_external_example
from tests.contract.world_external_example import PROGRAM, TOKEN, ExampleWorld
from tests.integration.node_users.stage import Stage as Scene
from tests.integration.node_users.stage import logged_in
from tests.integration.panel_machines import PanelMachines
from tests.integration.stage import Stage
from tests.integration.test_external_machines import a_worker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TASKS = 30


class Enrolling(PanelMachines):
    """Machines that are told nothing but their user data, and ask for the rest."""

    def __init__(self, world: ExampleWorld, stage: Stage) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self.texts: list[str] = []
        self._world, self._queue = world, stage.queue
        super().__init__(world, stage, self._worker)

    def _worker(self, _: int, name: str) -> Iterator[tuple[list[str], Mapping[str, str]]]:
        with self._world.panel.lock:
            text = next(s["user_data"] for s in self._world.panel.servers.values() if s["hostname"] == name)
        self.texts.append(text)
        files = {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}
        self.told[name] = json.loads(files["/etc/autoscaler/machine.json"])
        grant = self._granted(name)
        command = [*a_worker(self._queue, name), "--without-mingle"]
        yield command, {**grant["environment"], "CELERY_BROKER_URL": grant["broker_url"]}

    def _granted(self, name: str) -> dict[str, Any]:
        told = self.told[name]
        report = {"v": 1, "node": name, "token": told["token"], "uptime_s": 1.0, "phases": []}
        wish = json.dumps(report | {"failed": None, "disk": None, "wants": "grant"}).encode()
        with logged_in(told["broker"]["url"]) as channel:
            channel.confirm_delivery()
            channel.basic_publish(REPORTS, told["fleet"], wish, mandatory=True)
            found = wait_until(
                lambda: channel.basic_get(mailbox_of(name), auto_ack=True)[2], 20, f"{name} to be granted"
            )
        return dict(json.loads(found))


def a_stage(set_stage: Callable[..., Stage], broker: PrivateRabbitMQ, world: ExampleWorld) -> Stage:
    """A fleet whose machines come from the panel and have users of their own."""
    command = json.dumps([sys.executable, "-I", str(PROGRAM)])
    return set_stage(
        account=f'kind = "external"\ncommand = {command}\nsettle = "3s"\n'
        f'settings = {{ url = "http://127.0.0.1:{world.port}" }}\n'
        'secrets = { token = { env = "FJORD_TOKEN" } }',
        offer='size = "s-1"\nimage = "debian-12"\nlocation = "osl"',
        bootstrap='credentials = "node"\nbroker_url = { env = "FJORD_BROKER" }',
        # Of this address machines are given the place alone.
        secrets={
            "FJORD_TOKEN": TOKEN,
            "FJORD_BROKER": f"amqp://nobody:nothing@127.0.0.1:{broker.amqp_port}/nowhere",
        },
        create="30s",
    )


def test_machines_that_know_only_their_user_data_do_the_work_and_leave_no_user_behind(
    set_stage: Callable[..., Stage], broker: PrivateRabbitMQ, tmp_path: Path
) -> None:
    """From nothing to the ceiling and back, drained by the daemon; what their user data held is dead at once."""
    with world_external_example.open_world(tmp_path) as world:
        stage = a_stage(set_stage, broker, world)
        room = Enrolling(world, stage)
        try:
            stage.send(dict.fromkeys(range(TASKS), 0.3))
            stage.start_daemon()
            stage.wait_until_ended(TASKS, 90)

            assert Counter(range(TASKS)) == stage.noted("began") == stage.noted("ended")
            for told in room.told.values():
                with (
                    pytest.raises((AMQPConnectionError, ProbableAuthenticationError)),
                    logged_in(told["broker"]["url"]),
                ):
                    pass
            wait_until(
                lambda: not world.panel.servers and not stage.live(), 90, f"nothing to stand\n{stage.tail()}"
            )
            users = Scene(broker=stage.broker, vhost=stage.vhost, fleet=stage.fleet).users()
            wait_until(lambda: not users.nodes(), 60, f"no user to be left, not {users.nodes()}")

            assert 0 == stage.stop_daemon()
            log = (stage.directory / "daemon.log").read_text()
            for told in room.told.values():
                assert unquote(urlsplit(told["broker"]["url"]).password or "") not in log
                assert told["token"] not in log
            assert all(
                "FLOOD_LEDGER" not in text and stage.broker.password not in text for text in room.texts
            )
        finally:
            room.close()


def test_a_daemon_that_may_not_make_users_orders_nothing_and_says_why(
    set_stage: Callable[..., Stage], broker: PrivateRabbitMQ, tmp_path: Path
) -> None:
    """A definite no of our own: nothing was ordered, the offer rests for this pool, and `check` names the next step."""
    with world_external_example.open_world(tmp_path) as world:
        stage = a_stage(set_stage, broker, world)
        api = Scene(broker=broker, vhost=stage.vhost).api()
        login = {"password": "only looks", "tags": "monitoring"}
        api.put("users", "looker", document=login)
        api.put(
            "permissions", stage.vhost, "looker", document=dict.fromkeys(("configure", "write", "read"), ".*")
        )
        stage.config.write_text(
            stage.config.read_text().replace(f'username = "{broker.user}"', 'username = "looker"')
        )
        stage.secrets = {**stage.secrets, "FLOOD_PASSWORD": "only looks"}

        checked = stage.run("check", "--online")
        assert 0 != checked.returncode
        assert "rabbitmqctl set_user_tags USER administrator" in " ".join(checked.stdout.split())
        stage.send({0: 0.1})
        stage.start_daemon()
        stage.wait_until_said("call.refused", deadline_s=60)
        wait_until(
            lambda: [h["kind"] for h in stage.asked("status")["held_back"]] == ["unprepared"],
            60,
            f"the offer to rest\n{stage.tail()}",
        )

        assert {"gone"} == set(stage.nodes().values())
        assert not world.panel.servers
        assert 0 == stage.stop_daemon()
