"""A fleet's configuration as benchmarks have it: pools alike, one account, and a broker that may be there or not.

What differs goes in, TOML comes out. What never happens here: a file, a look at one.
"""

from __future__ import annotations

from collections.abc import Iterable

FLEET = "shop"
NOWHERE = "http://127.0.0.1:1"
"""A broker that nobody looks at."""
_HEAD = """\
[loop]
tick = "{tick_s:g}s"
{loop}

[fleet]
name = "{name}"
{fleet}

[broker]
management_url = "{management_url}"
amqp_url = "amqp://127.0.0.1:{amqp_port}"
username = "{user}"
password = {{ env = "PASSWORD" }}

[journal]
url = "sqlite:///{file}"

[web]
listen = "127.0.0.1:0"

[providers.cloud]
{account}
"""
_POOL = """
[pools.{name}]
queues = [{queues}]
slots = 2

[pools.{name}.limits]
max_workers = {most}
allow_large = true

[[pools.{name}.policies]]
{policy}

[[pools.{name}.offers]]
provider = "cloud"
location = "osl"
size = "s"
image = "debian-13"
price_per_hour = 0.05
billing_quantum = "60s"

[pools.{name}.bootstrap]
app = "shop.tasks"
{more}"""


def head(  # noqa: PLR0913 - what differs, by name
    file: object,
    account: str,
    *,
    name: str = FLEET,
    tick_s: float,
    loop: str = "",
    fleet: str = "",
    management_url: str = NOWHERE,
    amqp_port: int = 1,
    user: str = "autoscaler",
) -> str:
    """All but the pools. `account`, `loop`, `fleet`: lines of the only account's section and, further ones, of those
    sections; the journal is that `file`."""
    return _HEAD.format(
        name=name,
        fleet=fleet,
        loop=loop,
        file=file,
        account=account,
        tick_s=tick_s,
        management_url=management_url,
        amqp_port=amqp_port,
        user=user,
    )


def pool(name: str, policy: str, *, most: int, queues: Iterable[str] = (), more: str = "") -> str:
    """A pool. `policy`: the lines of its only policy; its queue is called like it, unless others are named. `more`:
    further lines of its bootstrap."""
    named = ", ".join(f'"{each}"' for each in queues or (name,))
    return _POOL.format(name=name, policy=policy, most=most, queues=named, more=more)
