"""Byte-level parsers under atheris, which steers by the branches it has seen: `make fuzz-atheris TARGET=configuration`.

Each target takes bytes and raises only where a law is broken. Optional, and no part of `make test`: see decision 0018.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["autoscaler", "tomllib", "json"]):
    from autoscaler import config
    from autoscaler.config import ConfigError, lines
    from autoscaler.gateways import celery_control, celery_events, documents, rabbitmq_rows
    from autoscaler.gateways.contract import FactUnavailable

from tests.fuzz.test_celery_messages import EVENTS, IDLE
from tests.fuzz.test_management_api import a_row
from tests.unit.config.documents import DOCUMENT, ENVIRON


def configuration(data: bytes) -> None:
    """Settings or a report."""
    try:
        config.parse(data.decode(errors="replace"), ENVIRON)
    except ConfigError as error:
        if ENVIRON["PASSWORD"] in str(error):
            raise AssertionError("a secret is told") from error


def scanner(data: bytes) -> None:
    """Any text has lines, or none."""
    lines.locate(data.decode(errors="replace"))


def events(data: bytes) -> None:
    """Only printable names speak."""
    for event in celery_events.read(data):
        if not event.worker.isprintable():
            raise AssertionError(event)


def replies(data: bytes) -> None:
    """An object or nothing."""
    if not isinstance(celery_control.read(data), dict):
        raise TypeError(data)


def row(data: bytes) -> None:
    """Figures or a reason."""
    try:
        found = rabbitmq_rows.named(documents.decoded(data), "images")
        rabbitmq_rows.queue_demand(found, "images")
        rabbitmq_rows.counters(found, "images", 0.0)
        rabbitmq_rows.connection_of(found, "images")
    except (FactUnavailable, ValueError):
        pass


TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "configuration": (configuration, (DOCUMENT.encode(), Path("config.example.toml").read_bytes())),
    "scanner": (scanner, (DOCUMENT.encode(),)),
    "events": (events, tuple(str(event).replace("'", '"').encode() for event in EVENTS)),
    "replies": (replies, (IDLE,)),
    "row": (row, (str(a_row("images")).replace("'", '"').encode(),)),
}


def main(name: str, corpus: str, *options: str) -> None:
    """Run one target from its seeds; what it finds on the way stays in `corpus` for the next run."""
    target, seeds = TARGETS[name]
    Path(corpus).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", corpus], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
