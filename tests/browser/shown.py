"""A fleet that is worth a look: real tasks wait and run, machines come and go, and one account cannot be seen.

In go a broker and a directory, out come a stage whose daemon serves, and the addresses of its pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web.served import KEYS, TOKEN, get, url

POOL = "flood"
TASKS, TASK_S = 400, 2.0
"""Some minutes of work for what the pool may have."""
_ELSEWHERE = """
[providers.elsewhere]
kind = "external"
command = ["/bin/false"]

[pools.elsewhere]
queues = ["elsewhere"]
slots = 1

[pools.elsewhere.limits]
max_workers = 2

[[pools.elsewhere.policies]]
kind = "backlog"
messages_per_worker = 5

[[pools.elsewhere.offers]]
provider = "elsewhere"
price_per_hour = 0.02

[pools.elsewhere.bootstrap]
app = "nothing"
source = "image"
broker_url = { env = "ELSEWHERE_BROKER" }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A stage, and what is on show there."""

    stage: Stage

    def url(self, path: str) -> str:
        """An address of its page's."""
        return url(self.stage, path)

    def asked(self, path: str) -> Any:
        """What its API says."""
        answer = get(self.stage, path)
        assert answer.ok, answer.text
        return answer.json()

    def serving(self) -> list[str]:
        """The nodes that serve."""
        nodes = self.asked(f"/api/v1/nodes?pool={POOL}")["nodes"]
        return [each["name"] for each in nodes if each["state"] == "ready"]

    def done(self) -> int:
        """Tasks of the last hour that the daemon saw completed."""
        return self.asked(f"/api/v1/history?pool={POOL}&since=3600")["totals"]["tasks_done"] or 0

    def pages(self) -> dict[str, str]:
        """Every kind of page: name → path, with things that are there now."""
        decided = self.asked(f"/api/v1/decisions?pool={POOL}")["at"]
        return {
            "overview": "/",
            "attention": "/attention",
            "orders": "/orders",
            "pool": f"/pools/{POOL}",
            "history": f"/pools/{POOL}/history?since=1h",
            "what-if": f"/pools/{POOL}/what-if",
            "decision": f"/pools/{POOL}/decisions/{decided}",
            "node": f"/nodes/{self.serving()[0]}",
            "nothing": "/nodes/nobody",
        }


def show(broker: PrivateRabbitMQ, directory: Path, fleet: str, *, workers: int = 2, **settings: Any) -> Shown:
    """Start it, and wait until so many workers serve and more waits."""
    stage = Stage(
        directory=directory,
        broker=broker,
        fleet=fleet,
        vhost=fleet,
        web=KEYS,
        secrets={"WEB_TOKEN": TOKEN, "ELSEWHERE_BROKER": "amqp://broker.example:5672"},
        more_pools=_ELSEWHERE,
        **{"listen": "127.0.0.1:0", "slots": 1, "ceiling": workers, **settings},
    )
    try:
        stage.start_daemon()
        stage.wait_until_said("web.opened")
        stage.send(dict.fromkeys(range(TASKS), TASK_S))
        wait_until(lambda: get(stage, "/readyz").ok, 30, "the first tick")
        found = Shown(stage=stage)
        wait_until(
            lambda: len(found.serving()) == workers,
            60,
            lambda: f"{workers} workers to serve\n{stage.tail()}",
        )
    except BaseException:
        stage.close()
        raise
    return found
