"""The commands as a page for people: `docs/commands.md`, written from what `--help` says so that the two cannot differ.

`make pages` renews it; a test holds them together. What never happens here: a word about a command that is not its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from autoscaler.cli import app

_HEAD = """\
# Commands

Generated from `autoscaler --help` by `make pages`; change it there.

Every command prints for people, and as JSON with `--json` where it prints facts. The configuration is `--config PATH`,
else `$AUTOSCALER_CONFIG`, else `/etc/autoscaler/config.toml`; the option may stand before or after the command's name.
Instants are shown in local time with their offset; in JSON they are seconds since 1970 (UTC).

Commands read the journal and write orders into it, so they work from any shell that may open that file, whether a
daemon runs or not. An order waits in the journal until a daemon takes it up. Commands that look at the journal alone
need no secrets; those that look further need the daemon's environment.

| Exit code | Means |
|---|---|
| 0 | done |
| 1 | failed, with the reason |
| 2 | usage: an option, a name or a value is wrong |
| 69 | a service we need is not reachable, or there is no journal yet |
| 70 | the daemon met an error of its own and wants a fresh start; its supervisor gives it |
| 71 | the daemon ended itself: no tick, or no look at the lease, ended any more; its supervisor starts another |
| 75 | another daemon holds the lease, or took it over |
| 78 | the configuration is wrong |
| 130 | ended by Ctrl-C |
"""


def render() -> str:
    """The whole page, in Markdown."""
    group: Any = typer.main.get_command(app.app)
    lines = [_HEAD, *_options(group), ""]
    panel = ""
    for name, command in group.commands.items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            lines += [f"## {panel}", ""]
        lines += [f"### {name}", "", f"`{_usage(name, command)}`", "", command.help or "", ""]
        lines += [*_options(command), ""]
    return "\n".join(lines).rstrip() + "\n"


def _usage(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    shown = [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
    return " ".join(("autoscaler", name, *shown, "[OPTIONS]"))


def _options(command: Any) -> Iterator[str]:
    yield "| Option | Means |"
    yield "|---|---|"
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            spelled = f"`{parameter.metavar}`"
        else:
            value = "" if parameter.is_flag else f" {parameter.metavar}"
            spelled = ", ".join(f"`{option}{value}`" for option in parameter.opts)
        yield f"| {spelled} | {parameter.help}{_default(parameter)} |".replace("\n", " ")


def _default(parameter: Any) -> str:
    flag = getattr(parameter, "is_flag", False)
    if parameter.required:
        return " Required."
    default = getattr(parameter.default, "value", parameter.default)
    return (
        ""
        if flag or not getattr(parameter, "show_default", False) or default is None
        else f" Default: `{default}`."
    )
