"""What the fleet grants a machine that proved itself: a broker's address of its own, and the worker's environment.

In goes a message of the daemon, proven by the token that only these two know; out come files for root, the worker's
environment in the system shell's syntax. What never happens here: a message that the broker forgets before it is on
this machine's disk.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shlex
import time
from typing import Any

from bootstrap.assets.enrol import amqp, machine

_GRANTED = machine.ETC + "granted.json"
_MARK = "# granted\n"
_PATIENCE_S = 600
_AGAIN_S = 10
"""A wish that could not be answered when it was heard is dropped, and nobody but us knows that it was."""


def look(connection: amqp.Connection, settings: machine.Settings) -> str:
    """The newest grant's address, once all is on disk; empty while there is none."""
    url = ""
    for body in connection.get(f"autoscaler.node.{settings.node}"):
        try:
            url = take(body, settings)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            machine.say(f"no grant: {type(error).__name__}")
    return url


def take(body: bytes, settings: machine.Settings) -> str:
    """The address that is granted. Raises what reading something else raises."""
    said = json.loads(body)
    proof, url = said.pop("proof"), said["broker_url"]
    # Others may be able to write into this queue, and what is in a grant runs as the worker.
    plain = json.dumps(said, sort_keys=True, separators=(",", ":"))
    ours = hmac.new(settings.token.encode(), plain.encode(), hashlib.sha256).hexdigest()
    if said["v"] != 1 or not hmac.compare_digest(ours.encode(), proof.encode()) or not amqp.places(url):
        raise ValueError
    variables = {"CELERY_BROKER_URL": url, **said["environment"]}
    lines = []
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or "\0" in value:
            raise ValueError
        lines.append(f"{name}={shlex.quote(value)}\n")
    # A grant that comes twice takes the place of the first.
    own = machine.read(machine.ENVIRONMENT).partition(_MARK)[0]
    machine.write(machine.ENVIRONMENT, own + _MARK + "".join(lines))
    machine.write(_GRANTED, json.dumps({"node": settings.node, "broker_url": url}))
    machine.hide(url)
    return str(url)


def taken(settings: machine.Settings) -> str:
    """The address that was granted to this node before; empty where none was. An image may hold that of another."""
    try:
        granted = json.loads(machine.read(_GRANTED))
        if granted["node"] == settings.node:
            return str(granted["broker_url"])
        os.unlink(_GRANTED)
    except (ValueError, TypeError, LookupError, OSError):
        pass  # there is none, or half of one
    return ""


def await_it(told: Any) -> str:
    """Ask, by these `Reports`, until it came and the broker let us in by it."""
    asked_s = told_s = machine.uptime_s()
    before, told.wants = told.url, "grant"
    told.change()
    while told.url == before or not told.reached.is_set():
        if machine.uptime_s() - asked_s > _PATIENCE_S:
            raise machine.Failed(f"nothing was granted within {_PATIENCE_S} s {told.trouble}")
        if told.wants and machine.uptime_s() - told_s > _AGAIN_S:
            told_s = machine.uptime_s()
            told.change()
        time.sleep(0.1)
    return f"granted after {machine.uptime_s() - asked_s:.1f} s"
