"""An operator's desk: a configuration, a journal with something in it, and the commands.

Goes in: nodes and decisions as values. Comes out: what a command printed, and its exit code.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from autoscaler.cli.app import app
from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, OrderAnswer, PoolDecision, PoolName, Transition
from autoscaler.journal import Journal, TickRecord, open_journal
from autoscaler.journal.contract import BootRecord
from policies.contract import DecisionInput, History, Limits, PolicySpec, Stabilization, Supply
from policies.decide import decide
from policies.sentence import sentence
from tests.unit.core.builders import POOL, a_demand

CONFIG = """\
[fleet]
name = "shop"

[loop]
tick = "100ms"
observe_timeout = "500ms"

[broker]
management_url = "http://127.0.0.1:1"
amqp_url = "amqp://127.0.0.1:1"
username = "autoscaler"
password = {{ env = "OFFICE_PASSWORD" }}

[journal]
url = "sqlite:///{directory}/journal.db"

[providers.cloud]
kind = "local"
directory = "{directory}/nodes"

[pools.images]
queues = ["images"]
slots = 2

[pools.images.limits]
max_workers = 5

[[pools.images.policies]]
kind = "backlog"
messages_per_worker = 10

[[pools.images.offers]]
provider = "cloud"
price_per_hour = 0.1
billing_quantum = "1h"

[pools.images.bootstrap]
app = "shop.tasks"
environment = {{ SHOP_TOKEN = {{ env = "OFFICE_TOKEN" }} }}
"""
SECRETS = {"OFFICE_PASSWORD": "p@ss/word", "OFFICE_TOKEN": "t0ken-of-the-shop"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a command."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        return json.loads(self.out)


class Office:
    """One configuration in one directory, and the commands over it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.toml"
        self.config.write_text(CONFIG.format(directory=directory))
        self.secrets: dict[str, str] = dict(SECRETS)

    @property
    def journal_file(self) -> Path:
        return self.directory / "journal.db"

    def command(self, *arguments: str) -> Answer:
        """Give a command, as from a script: nobody is there to be asked."""
        environment = {"AUTOSCALER_CONFIG": str(self.config), **self.secrets}
        result = CliRunner().invoke(app, list(arguments), env=environment)
        return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)

    def rewrite(self, before: str, after: str) -> None:
        """Change the configuration."""
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        opened = open_journal(f"sqlite:///{self.journal_file}")
        try:
            yield opened
        finally:
            opened.close()

    def on_record(
        self,
        *nodes: Node,
        decisions: Iterable[PoolDecision] = (),
        memory: Memory | None = None,
        moves: Iterable[Transition] = (),
        boots: Iterable[BootRecord] = (),
        at: float | None = None,
    ) -> None:
        """Write one tick, as a daemon would, and end."""
        with self.journal() as journal:
            journal.commit(
                TickRecord(
                    at=time.time() if at is None else at,
                    new_nodes=nodes,
                    decisions=tuple(decisions),
                    transitions=tuple(moves),
                    boots=tuple(boots),
                    memory=memory or Memory(),
                )
            )

    @contextmanager
    def daemon(self, *, carried_out: bool = True, says: str = "as you wish") -> Iterator[None]:
        """Something that ticks and answers every order the same way."""
        done = threading.Event()
        claimed = threading.Event()

        def tick() -> None:
            with self.journal() as journal:
                journal.claim("test pid 1 user nobody")
                while not done.wait(0.02):
                    answers = tuple(
                        OrderAnswer(number=order.number, carried_out=carried_out, says=says)
                        for order in journal.waiting_orders()
                    )
                    journal.commit(TickRecord(at=time.time(), answers=answers, memory=Memory()))
                    claimed.set()

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            assert claimed.wait(10)
            yield
        finally:
            done.set()
            thread.join(10)


def a_decision(*, at: float, backlog: int = 0, **given: Any) -> PoolDecision:
    """What the daemon decides about pool `images` with two serving workers."""
    asked = DecisionInput(
        pool=POOL,
        at=at,
        demand=a_demand(backlog),
        supply=Supply(serving=2, arriving=0, leaving=0, lost=0, slots=2),
        history=History(good_looks=10),
        policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 10}),),
        limits=Limits(max_workers=5),
        stabilization=Stabilization(scale_in_window_s=0.0, scale_in_cooldown_s=0.0),
    )
    decision = decide(replace(asked, **given))
    return PoolDecision(pool=PoolName(POOL), at=at, decision=decision, sentence=sentence(decision))
