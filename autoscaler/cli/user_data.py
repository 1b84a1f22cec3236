"""`cloud-init`: what a new machine of a pool would be started with.

The document goes to the standard output, so that it can be piped; what is said about it goes to the standard error.
What never happens here: a secret, unless it was asked for.
"""

from __future__ import annotations

import gzip
import re
import sys
from typing import Annotated

import typer

from autoscaler.cli import exits, opened, options, output
from providers.contract import NodeName

_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_GZIP_MAGIC = b"\x1f\x8b"


def cloud_init(
    pool: options.Pool,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="The node's name.", show_default=False)
    ] = None,
    offer: Annotated[
        int, typer.Option("--offer", metavar="N", min=1, help="Of which offer, counted from 1.")
    ] = 1,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the secrets in it.")] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the user data of a new machine, secrets masked."""
    settings = opened.settings(config)
    name = opened.pool(settings, pool)
    if node is not None and not _NODE_NAME.fullmatch(node):
        raise exits.CommandFailed(
            f"{output.clean(node)!r} cannot be a node's name; expected 1 to 63 of a-z, 0-9 and `-`.",
            code=exits.USAGE,
        )
    with opened.works(settings) as works:
        offers = works.rulebook.pools[name].offers
        if offer > len(offers):
            raise exits.CommandFailed(
                f"{name} has {len(offers)} offers; there is no {offer}. Take --offer 1 to {len(offers)}.",
                code=exits.USAGE,
            )
        chosen = offers[offer - 1]
        traits = works.providers[chosen.provider].traits
        slots = works.rulebook.pools[name].slots_of(chosen.name)
        sample = NodeName(node or opened.sample_node(settings, name))
        made = opened.user_data(settings, name, sample, traits, slots=slots)
    compressed = made.content.startswith(_GZIP_MAGIC)
    text = _plain(made.content) if reveal else made.masked
    if as_json:
        output.say_json(
            {
                "pool": name,
                "offer": chosen.name,
                "format": traits.user_data_format,
                "bytes": len(made.content),
                "limit_bytes": traits.user_data_limit_bytes,
                "compressed": compressed,
                "revealed": reveal,
                "text": text,
            }
        )
        return
    sys.stdout.write(text)
    how = ", compressed" if compressed else ""
    limit = traits.user_data_limit_bytes
    output.note(f"{len(made.content)} of at most {limit} bytes for {output.offer(chosen)}{how}")


def _plain(content: bytes) -> str:
    return (gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content).decode()
