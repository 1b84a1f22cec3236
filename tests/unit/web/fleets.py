"""A configuration and a journal in memory for what is shown of fleets; nothing outside is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autoscaler.config import Settings, parse
from autoscaler.journal import Journal, open_journal
from autoscaler.journal.contract import TickRecord
from autoscaler.views import measures, standing
from autoscaler.views.measures import Measures

CONFIG = """
[fleet]
name = "shop"
max_cost_per_hour = 0.5
max_cost_per_month = 200.0

[broker]
management_url = "http://127.0.0.1:1"
amqp_url = "amqp://127.0.0.1:1"
username = "u"
password = { env = "SECRET" }

[providers.north]
kind = "simulated"

[providers.south]
kind = "simulated"

[pools.images]
queues = ["images"]
slots = 2

[pools.images.limits]
min_workers = 1
max_workers = 5
max_cost_per_hour = 0.4

[[pools.images.policies]]
kind = "wait"
target_wait = "30s"

[[pools.images.offers]]
provider = "north"
location = "osl"
size = "s"
image = "debian"
price_per_hour = 0.1
billing_quantum = "60s"

[pools.images.bootstrap]
app = "images_tasks"
source = "image"

[pools.mail]
queues = ["mail"]
slots = 1

[pools.mail.limits]
max_workers = 10

[[pools.mail.policies]]
kind = "backlog"
messages_per_worker = 10

[[pools.mail.policies]]
kind = "backlog"
messages_per_worker = 20

[[pools.mail.offers]]
provider = "south"
location = "osl"
size = "s"
image = "debian"
price_per_hour = 0.2
billing_quantum = "60s"

[pools.mail.bootstrap]
app = "mail_tasks"
source = "image"
"""


def settings() -> Settings:
    """Two pools at two accounts."""
    return parse(CONFIG, {"SECRET": "x"}, source="test")


@contextmanager
def journal(*ticks: TickRecord) -> Iterator[Journal]:
    """One that holds these ticks."""
    opened = open_journal("sqlite://")
    try:
        for tick in ticks:
            opened.commit(tick)
        yield opened
    finally:
        opened.close()


def look(opened: Journal, at: float) -> Measures:
    """What metrics tell of it."""
    nodes, memory = opened.live_nodes(), opened.memory()
    found = standing.look(opened, settings(), at, nodes=nodes, memory=memory)
    return measures.look(opened, settings(), found, nodes=nodes, memory=memory)
