"""The program as it is called: every command under its name, and the one place where errors become exit codes.

What never happens here: what the commands do.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, MutableMapping
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from autoscaler.cli import exits
from autoscaler.cli.listing import COMMANDS, Listed

_DEBUG = "AUTOSCALER_DEBUG"
_OF_TYPER: tuple[type[Exception], ...] = (typer.Exit, typer.Abort, *typer.BadParameter.__bases__)
"""How commands end in order, and words that are wrong; the error of those has no public name in Typer."""


class _Loaded(MutableMapping[str, Any]):
    """The commands themselves; each is imported when it is asked for, and never just because another one is."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, COMMANDS[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS or name in self._loaded

    def __iter__(self) -> Iterator[str]:
        return iter({**COMMANDS, **self._loaded})

    def __len__(self) -> int:
        return len({**COMMANDS, **self._loaded})

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


def _load(name: str, listed: Listed) -> Any:
    alone = typer.Typer(add_completion=False)
    gc.disable()  # nothing that a module makes is garbage, and to look for some takes 0.04 s
    try:
        function = getattr(importlib.import_module(f"autoscaler.cli.{listed.module}"), listed.function)
    finally:
        gc.enable()
    alone.command(name, rich_help_panel=listed.panel)(function)
    return typer.main.get_command(alone)


class Commands(TyperGroup):
    """The group of all commands. Trouble that can be foreseen ends in its sentence and its exit code."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "commands": None})
        self.commands = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's word for it
        """All their names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        """One as it is listed: help and completion ask for each of them, and want its name and its words."""
        listed = COMMANDS.get(cmd_name)
        return listed and TyperCommand(cmd_name, help=listed.says, rich_help_panel=listed.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The one that is meant, itself."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else self.commands[name], rest

    def invoke(self, ctx: Any) -> Any:
        """Run one command."""
        try:
            return super().invoke(ctx)
        except _OF_TYPER:
            raise
        except KeyboardInterrupt:
            raise typer.Exit(exits.INTERRUPTED) from None
        except Exception as error:
            # What is foreseen is told by the errors of every room, which no page of help needs.
            from autoscaler.cli import foreseen, output  # noqa: PLC0415

            if not isinstance(error, foreseen.FORESEEN):
                raise
            output.complain(str(error))
            raise typer.Exit(foreseen.code_of(error)) from error


app = typer.Typer(
    name="autoscaler",
    cls=Commands,
    help="Buys and gives back rented machines so that Celery workers keep up with RabbitMQ.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 69 a service is not reachable, 75 another daemon holds the "
    "lease, 78 the configuration is wrong.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)


def _version(asked: bool) -> None:
    if asked:
        from autoscaler.cli import identity, output  # noqa: PLC0415 - help needs neither

        output.say(f"autoscaler {identity.version()}")
        raise typer.Exit


@app.callback()
def everywhere(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="PATH", help="The same option of every command.", show_default=False
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=_DEBUG, help="Show the traceback of an error nobody foresaw.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - Typer calls `_version` with it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command's name."""
    if debug:
        sys.excepthook = sys.__excepthook__
    if config is not None:
        # A command's own --config wins over this one, as the closer word.
        context.default_map = {name: {"config": str(config)} for name in COMMANDS}


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show an arrow shows its escape; it is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _last_word
    # The command itself and not the `Typer` around it, which would put its own traceback in place of ours.
    typer.main.get_command(app)(prog_name="autoscaler")


def _last_word(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """For what nobody foresaw: one line. Python then exits with 1, or as Ctrl-C does."""
    if issubclass(kind, KeyboardInterrupt):
        return
    from autoscaler.cli import output  # noqa: PLC0415 - as above

    output.complain(f"Something went wrong that should not: {kind.__name__}: {error}")
    output.complain(f"With {_DEBUG}=1 the traceback is shown; please report it.")
