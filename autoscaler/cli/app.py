"""The program as it is called: every command under its name, and the one place where errors become exit codes.

What never happens here: what the commands do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autoscaler.cli import (
    backtest,
    control,
    demo,
    doctor,
    exits,
    identity,
    image,
    nodes,
    notify,
    orphans,
    output,
    past,
    plan,
    reasons,
    schedule,
    service,
    setup,
    status,
    study,
    trial,
    tune,
    user_data,
)

_DEBUG = "AUTOSCALER_DEBUG"
_PANELS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "Set up": {"init": setup.init, "check": setup.check, "image": image.image, "notify": notify.notify},
    "Run": {"demo": demo.demo, "run": service.run},
    "Look": {
        "status": status.status,
        "nodes": nodes.nodes,
        "history": past.history,
        "why": reasons.why,
        "plan": plan.plan,
        "schedule": schedule.schedule,
        "orphans": orphans.orphans,
        "cloud-init": user_data.cloud_init,
        "doctor": doctor.doctor,
    },
    "Study": {
        "simulate": trial.simulate,
        "backtest": backtest.backtest,
        "tune": tune.tune,
        "soak": study.soak,
    },
    "Order": {
        "drain": control.drain,
        "undrain": control.undrain,
        "destroy": control.destroy,
        "forget": control.forget,
        "replace": control.replace,
        "pause": control.pause,
        "resume": control.resume,
        "hold": control.hold,
        "wake": control.wake,
        "sweep": control.sweep,
        "reload": control.reload,
    },
}


class Commands(TyperGroup):
    """The group of all commands. Trouble that can be foreseen ends in its sentence and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run one command."""
        try:
            return super().invoke(ctx)
        except exits.FORESEEN as error:
            output.complain(str(error))
            raise typer.Exit(exits.code_of(error)) from error
        except KeyboardInterrupt:
            raise typer.Exit(exits.INTERRUPTED) from None


app = typer.Typer(
    name="autoscaler",
    cls=Commands,
    help="Buys and gives back rented machines so that Celery workers keep up with RabbitMQ.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 69 a service is not reachable, 75 another daemon holds the "
    "lease, 78 the configuration is wrong.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)


def _version(asked: bool) -> None:
    if asked:
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
        context.default_map = {name: {"config": str(config)} for names in _PANELS.values() for name in names}


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
    output.complain(f"Something went wrong that should not: {kind.__name__}: {error}")
    output.complain(f"With {_DEBUG}=1 the traceback is shown; please report it.")
