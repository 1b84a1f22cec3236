"""Programs of a few lines for the external provider, and the calls that its tests make of it.

A script goes in as the body of a shell program, out comes an opened provider that runs it. `$0`'s directory is the
test's own, where scripts leave what they want to be known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from autoscaler.clock import SystemClock
from providers.contract import InstanceId, InstanceSpec, MayAct, NodeName, Purchase, always
from providers.external import ExternalProvider, open_external

TIMEOUT_S = 20.0
SECRET = "s3same/open&now"
PURCHASE = Purchase(size="small", image="debian-12", location="no-1", user_data_bytes=100)
ROW = {"name": "images-1", "id": "vm-1", "state": "running", "fleet": "shop", "pool": "images"}
MADE = {"protocol": 1, "machine": ROW}
LISTED = {"protocol": 1, "machines": [ROW], "complete": True}


def a_spec(name: str = "images-1", user_data: bytes = b"#cloud-config\n") -> InstanceSpec:
    return InstanceSpec(
        name=NodeName(name), fleet="shop", pool="images", size="small", image="debian-12", location="no-1",
        user_data=user_data,
    )  # fmt: skip


def an_account(
    place: Path, script: str, *, arguments: tuple[str, ...] = (), may_act: MayAct = always, **options: object
) -> ExternalProvider:
    """A provider whose program is this shell script."""
    program = place / "program.sh"
    program.write_text(f'#!/bin/sh\nhere="$(dirname "$0")"\n{script}\n')
    program.chmod(0o700)
    given = {"command": [str(program), *arguments], "secrets": {"token": SECRET}, **options}
    return open_external(name="panel", fleet="shop", options=given, clock=SystemClock(), may_act=may_act)


def says(document: object, *, code: int = 0, complaint: str = "") -> str:
    """A script that reads what it is asked, answers this and ends so."""
    text = document if isinstance(document, str) else json.dumps(document)
    return f"cat >/dev/null\nprintf '%s' '{text}'\necho '{complaint}' >&2\nexit {code}"


def by_verb(**scripts: str) -> str:
    """A script for each verb; what was asked is kept in a file by the verb's name."""
    cases = "\n".join(f'*\'"verb": "{verb}"\'*) {script} ;;' for verb, script in scripts.items())
    return f'asked="$(cat)"\necho "$asked" >> "$here/asked"\ncase "$asked" in\n{cases}\nesac'


def printing(document: object) -> str:
    return f"printf '%s' '{json.dumps(document)}'"


CALLS: dict[str, Callable[[ExternalProvider], object]] = {
    "create": lambda provider: provider.create(a_spec(), timeout_s=TIMEOUT_S),
    "destroy": lambda provider: provider.destroy("images-1", InstanceId("vm-1"), timeout_s=TIMEOUT_S),
    "list": lambda provider: provider.list_instances(timeout_s=TIMEOUT_S),
    "check": lambda provider: provider.check(PURCHASE, timeout_s=TIMEOUT_S),
}
