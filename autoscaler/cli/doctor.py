"""`doctor`: everything that a report on trouble needs, in one document without secrets.

It ends with 0 even where much cannot be seen: that is when it is wanted. What never happens here: the document leaves
this computer; whoever asked for it reads it first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from autoscaler.cli import examining, files, options, output
from autoscaler.config import config_path

_LINE = 110
_READ_IT = "No secret of the configuration is in it, but names of hosts, queues and machines: read it first."


def doctor(
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there.", show_default=False),
    ] = None,
    last: Annotated[
        int,
        typer.Option("--last", metavar="N", min=0, max=1_000, help="So many decisions, moves and errors."),
    ] = 20,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            help="The daemon's log, where it is not systemd's or this user may not read that; - is standard input.",
            show_default=False,
        ),
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Gather what a report on trouble needs, without secrets: versions, configuration, findings, journal, log.

    Each part that cannot be seen says why; the exit code is 0 all the same.
    """
    document = examining.report(config_path(config), last=last, log=log)
    if as_json:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=_LINE)
    if target is None:
        typer.echo(text, nl=False)
    else:
        with files.placed(target, "the report") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
        output.note(f"{target} is written.")
    output.note(_READ_IT)
