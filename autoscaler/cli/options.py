"""Options and arguments that several commands take, each with one name and one meaning.

What never happens here: a default that differs from command to command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import completing

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="The configuration; else $AUTOSCALER_CONFIG, else /etc/autoscaler/config.toml.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]
Pool = Annotated[
    str,
    typer.Argument(
        metavar="POOL",
        help="A pool of the configuration.",
        show_default=False,
        autocompletion=completing.pools,
    ),
]
Node = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        help="A node's name, as `nodes` shows it.",
        show_default=False,
        autocompletion=completing.nodes,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the daemon's answer.")]
