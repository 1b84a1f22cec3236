"""The parts of the long run: a broker of its own, and a stage of three pools that share one account of processes.

In go a directory, out comes the stage; when it is left nothing runs. What never happens here: a task, a look.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration.stage import APP, SLOTS, Stage

WORKERS = 6
"""Of all pools together, at most."""
_POOL = """
[pools.{name}]
queues = [{queues}]
slots = {slots}

[pools.{name}.limits]
max_workers = {most}

[[pools.{name}.policies]]
{policy}

[pools.{name}.stabilize]
scale_in_window = "5s"
scale_in_cooldown = "0s"

[pools.{name}.timeouts]
create = "15s"
enrol = "60s"
silence = "30s"
stop = "10s"

[[pools.{name}.offers]]
provider = "here"
price_per_hour = 0.02

[pools.{name}.bootstrap]
app = "flood_tasks"
source = "image"
python = "{python}"
directory = "{app}"

[pools.{name}.bootstrap.environment]
FLOOD_LEDGER = "{directory}/ledger"
FLOOD_ACKS_LATE = "1"
FLOOD_PREFETCH = "1"
"""


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[Stage]:
    """Three pools of six workers at most, on one account."""
    with PrivateRabbitMQ(directory / "rabbitmq", statistics_interval_s=1.0) as broker:
        fleet = f"soak-{secrets.token_hex(3)}"
        broker.add_vhost(fleet)
        place = directory / fleet
        stage = Stage(
            directory=place,
            broker=broker,
            fleet=fleet,
            vhost=fleet,
            tick="2s",
            scale_in_window="5s",
            listen="127.0.0.1:0",
            more_pools=_pool("wide", '"wide-a", "wide-b"', 2, 'kind = "wait"\ntarget_wait = "20s"', place)
            + _pool("small", '"small"', 1, 'kind = "backlog"\nmessages_per_worker = 10', place),
        )
        try:
            yield stage
        finally:
            stage.close()


def _pool(name: str, queues: str, most: int, policy: str, place: Path) -> str:
    return _POOL.format(
        name=name,
        queues=queues,
        most=most,
        policy=policy,
        python=sys.executable,
        app=APP,
        directory=place,
        slots=SLOTS,
    )
