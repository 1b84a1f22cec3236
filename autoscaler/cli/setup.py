"""`init` and `check`: before the first daemon runs.

`init` writes a configuration to start from, or the file by which systemd or supervisord run the daemon; `check` tells
what is wrong with a configuration. What never happens here: a change to anything but the file that `init` was asked to
write, or a secret in that file.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from autoscaler.cli import (
    checking,
    conformance,
    exits,
    identity,
    opened,
    options,
    output,
    services,
    starter,
)
from autoscaler.cli.checking import Checked
from autoscaler.cli.services import Supervisor
from autoscaler.config import ConfigError, config_path, parse
from policies.phrases import count
from providers.contract import Finding

_GRAVEST_FIRST = (exits.CONFIG, exits.UNREACHABLE, exits.FAILED)
_QUESTIONS: Mapping[str, str] = {
    "--fleet": "Name of the fleet, the mark on every machine (a-z, 0-9, -)",
    "--management-url": "Address of RabbitMQ's management plugin (http://rabbit.example:15672)",
    "--amqp-url": "Address of RabbitMQ itself (amqp://rabbit.example:5672)",
    "--username": "A RabbitMQ user with the tag `monitoring`",
    "--queue": "The queues to watch, with commas between",
    "--app": "The Celery app, as in `celery --app APP`",
}
"""What has no default: asked on a terminal, else required as options."""


def _must(flag: str, metavar: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=f"{_QUESTIONS[flag]}.", show_default=False)


_Systemd = Annotated[
    bool, typer.Option("--systemd", help="Write the unit by which systemd runs the daemon, instead.")
]
_Supervisord = Annotated[
    bool, typer.Option("--supervisord", help="Write the section by which supervisord does, instead.")
]
_ServiceUser = Annotated[
    str | None,
    typer.Option(
        "--service-user",
        metavar="NAME",
        help="Whom the daemon runs as there; else `autoscaler` if root asks, else whoever asks.",
        show_default=False,
    ),
]


def init(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="Where to; else where --config would look.", show_default=False),
    ] = None,
    *,
    fleet: Annotated[str | None, _must("--fleet", "NAME")] = None,
    management_url: Annotated[str | None, _must("--management-url", "URL")] = None,
    amqp_url: Annotated[str | None, _must("--amqp-url", "URL")] = None,
    username: Annotated[str | None, _must("--username", "NAME")] = None,
    queue: Annotated[str | None, _must("--queue", "NAMES")] = None,
    app: Annotated[str | None, _must("--app", "APP")] = None,
    vhost: Annotated[str, typer.Option("--vhost", metavar="VHOST", help="RabbitMQ's virtual host.")] = "/",
    password_variable: Annotated[
        str,
        typer.Option(
            "--password-env", metavar="NAME", help="The environment variable with the user's password."
        ),
    ] = "RABBITMQ_PASSWORD",  # noqa: S107 - the name of a variable
    provider: Annotated[
        starter.Kind,
        typer.Option(
            "--provider", metavar="libcloud/local", help="Machines of a cloud, or processes of this computer."
        ),
    ] = starter.Kind.LIBCLOUD,
    systemd: _Systemd = False,
    supervisord: _Supervisord = False,
    service_user: _ServiceUser = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: options.Config = None,
) -> None:
    """Write a commented configuration to start from, or the file by which systemd or supervisord run the daemon."""
    if systemd and supervisord:
        raise exits.CommandFailed(
            "Either --systemd or --supervisord: one daemon, one supervisor.", code=exits.USAGE
        )
    if systemd or supervisord:
        which = Supervisor.SYSTEMD if systemd else Supervisor.SUPERVISORD
        _write_service(which, path or services.USUAL_PLACES[which], service_user, config, force=force)
        return
    target = path or config_path(config)
    _require_free(target, force=force)
    given = {
        "--fleet": fleet,
        "--management-url": management_url,
        "--amqp-url": amqp_url,
        "--username": username,
        "--queue": queue,
        "--app": app,
    }
    told = _asked(given)
    text = starter.text(
        starter.Answers(
            fleet=told["--fleet"],
            management_url=told["--management-url"],
            amqp_url=told["--amqp-url"],
            username=told["--username"],
            vhost=vhost,
            password_variable=password_variable,
            queues=tuple(name for part in told["--queue"].split(",") if (name := part.strip())),
            app=told["--app"],
            kind=provider,
        )
    )
    _require_usable(text)
    _write(target, text)
    _tell_next(target, provider)


def _require_free(target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise exits.CommandFailed(f"{target} is there already; --force overwrites it.")


def _write_service(
    supervisor: Supervisor, target: Path, user: str | None, config: Path | None, *, force: bool
) -> None:
    """The file for this computer. Raises CommandFailed where something that it names is not there."""
    _require_free(target, force=force)
    where = config_path(config).absolute()
    name = user or ("autoscaler" if os.getuid() == 0 else identity.user())
    program = Path(sys.executable).with_name("autoscaler")
    if not program.exists():
        raise exits.CommandFailed(f"There is no program {program}: install this one with pip first.")
    here = services.Here(
        program=program, user=name, group=_group_of(name), config=where, state=_state_of(where)
    )
    _write(target, services.text(supervisor, here), mode=0o644)
    state = here.state or "its journal's server"
    output.say(
        output.words(f"Wrote {target}.", output.OK),
        f"The daemon will run as {name}: {where} must be readable, and {state} be writable, for that user. Then",
        *(f"  {line}" for line in _AFTER[supervisor]),
    )


_AFTER: Mapping[Supervisor, tuple[str, ...]] = {
    Supervisor.SYSTEMD: ("systemctl daemon-reload", "systemctl enable --now autoscaler"),
    Supervisor.SUPERVISORD: ("supervisorctl update", "supervisorctl status autoscaler"),
}


def _group_of(user: str) -> str:
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        raise exits.CommandFailed(
            f"There is no user {user!r} with a group here. Make one, or name another with --service-user:\n"
            f"  useradd --system --home-dir /var/lib/autoscaler --shell /usr/sbin/nologin {user}"
        ) from None


def _state_of(config: Path) -> Path | None:
    """The directory of the journal that the configuration names; None for one on a server. Where there is no
    configuration yet it is the one that a new configuration would name."""
    try:
        settings = opened.settings(config, secrets=False)
    except ConfigError:
        return Path("/var/lib/autoscaler")
    scheme, _, place = settings.journal.url.partition(":///")
    return Path(place).parent if scheme == "sqlite" else None


def _asked(given: Mapping[str, str | None]) -> dict[str, str]:
    """Every must: as given, or as answered now. Raises CommandFailed where something is missing and nobody is there."""
    left = [flag for flag, value in given.items() if value is None]
    if left and not sys.stdin.isatty():
        raise exits.CommandFailed(
            f"There is nobody to ask here; give it as options: still needed are {', '.join(left)}.",
            code=exits.USAGE,
        )
    return {
        flag: str(typer.prompt(_QUESTIONS[flag], err=True)) if value is None else value
        for flag, value in given.items()
    }


def _require_usable(text: str) -> None:
    """Raise ConfigError for answers that make no configuration, without the lines of a file that is not there."""
    try:
        parse(text, opened.EVERY_VARIABLE_SET)
    except ConfigError as error:
        problems = [replace(problem, line=None) for problem in error.problems]
        raise ConfigError(problems, source="What was answered") from None


def _write(target: Path, text: str, *, mode: int = 0o600) -> None:
    """Whole or not at all; a configuration for its owner alone: it may come to name what is nobody else's business."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise exits.CommandFailed(
            f"{target} cannot be written: {error.strerror}. {exits.ELSEWHERE}"
        ) from error


def _tell_next(target: Path, provider: starter.Kind) -> None:
    edit = {
        starter.Kind.LIBCLOUD: "the account, the offers (size, image, price) and the limits",
        starter.Kind.LOCAL: "the limits, and the application's directory",
    }[provider]
    output.say(
        output.words(f"Wrote {target}.", output.OK),
        f"Look through {edit}; set the environment variables it names; then",
        f"  autoscaler check --online --config {target}",
        f"  autoscaler run --config {target}",
    )


def check(
    online: Annotated[
        bool, typer.Option("--online", help="Look at the broker, the journal and every offer, too.")
    ] = False,
    conformance_of: conformance.Of = None,
    offer: conformance.OfferName = None,
    most_cost: conformance.MostCost = 1.0,
    within: conformance.Within = "10m",
    yes: conformance.SayYes = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell every problem of the configuration. Changes nothing, but for the one machine of --conformance.

    Each line is ok, a problem, or a note: nothing for which an order would be refused, and worth reading. With
    --online each offer's credentials, size, image, location, price, quota, network and user data are looked at, and
    whatever else its account names; a look that a token has no right to is a note.
    """
    if conformance_of is not None and not online:
        raise exits.CommandFailed("--conformance buys a machine: it wants --online too.", code=exits.USAGE)
    try:
        settings = opened.settings(config)
    except ConfigError as error:
        if not as_json:
            raise
        output.say_json({"ok": False, "problems": [asdict(p) for p in error.problems], "findings": []})
        raise typer.Exit(exits.CONFIG) from error
    if conformance_of is not None:
        asked = conformance.Asked(
            provider=conformance_of, offer=offer, within=within, most_cost=most_cost, yes=yes, as_json=as_json
        )
        conformance.run(settings, asked)
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
    groups: dict[str, list[Checked]] = {}
    for checked in found:
        groups.setdefault(checked.where, []).append(checked)
    width = max((len(checked.finding.subject) for checked in found), default=0)
    for where, group in groups.items():
        rows = [(_mark(each.finding), each.finding.subject, each.finding.says) for each in group]
        output.say(output.words(where, output.STRONG), output.rows(rows, widths=(len("problem"), width)), "")
    bad = sum(not checked.finding.ok for checked in found)
    if bad:
        output.say(output.words(f"{source}: {bad} of {len(found)} looks found a problem.", output.BAD))
        return
    looked = (
        "" if online else " `autoscaler check --online` looks at the broker, the journal and the offers, too."
    )
    notes = sum(checked.finding.note for checked in found)
    heed = f" {count(notes, 'note')} to read." if notes else ""
    output.say(output.words(f"{source} is fine.{heed}{looked}", output.OK))


def _mark(finding: Finding) -> Text:
    if not finding.ok:
        return Text("problem", output.BAD)
    return Text("note", output.NOTE) if finding.note else Text("ok", output.OK)
