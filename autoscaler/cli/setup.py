"""`init` and `check`: before the first daemon runs.

`init` writes a configuration to start from, `check` tells what is wrong with one. What never happens here: a change to
anything but the file that `init` was asked to write.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from autoscaler.cli import checking, exits, opened, options, output
from autoscaler.cli.checking import Checked
from autoscaler.config import ConfigError, config_path

_GRAVEST_FIRST = (exits.CONFIG, exits.UNREACHABLE, exits.FAILED)


def check(
    online: Annotated[
        bool, typer.Option("--online", help="Look at the broker, the journal and every offer, too.")
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell every problem of the configuration. Changes nothing."""
    try:
        settings = opened.settings(config)
    except ConfigError as error:
        if not as_json:
            raise
        output.say_json({"ok": False, "problems": [asdict(p) for p in error.problems], "findings": []})
        raise typer.Exit(exits.CONFIG) from error
    found: list[Checked] = []
    with opened.works(settings) as works:
        found += checking.configuration(settings, works)
        if online:
            found += checking.services(settings, works)
            found += checking.offers(settings, works)
    codes = {checked.code for checked in found if not checked.finding.ok}
    if as_json:
        findings = [{"where": checked.where, **asdict(checked.finding)} for checked in found]
        output.say_json({"ok": not codes, "problems": [], "findings": findings})
    else:
        _tell(found, source=str(config_path(config)), online=online)
    raise typer.Exit(next((code for code in _GRAVEST_FIRST if code in codes), exits.DONE))


def _tell(found: list[Checked], *, source: str, online: bool) -> None:
    for checked in found:
        mark, style = ("ok", output.OK) if checked.finding.ok else ("problem", output.BAD)
        where = f"{checked.where}: {checked.finding.subject}: "
        output.say(Text.assemble((f"{mark:<9}", style), output.words(f"{where}{checked.finding.says}")))
    bad = sum(not checked.finding.ok for checked in found)
    if bad:
        output.say("", output.words(f"{source}: {bad} of {len(found)} looks found a problem.", output.BAD))
        return
    looked = (
        "" if online else " `autoscaler check --online` looks at the broker, the journal and the offers, too."
    )
    output.say("", output.words(f"{source} is fine.{looked}", output.OK))
