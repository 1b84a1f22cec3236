"""`image`: how a pool's golden image is made, and what it saves by the boots that were measured.

A script does the work on a machine that its operator boots, for the daemon buys nothing that is in no record. It may be
read before anybody runs it. What never happens here: a machine, a snapshot, a secret, a guess at seconds.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from autoscaler.cli import exits, files, opened, options, output
from autoscaler.config import Settings, config_path
from autoscaler.config.load import document_of, parse, text_of
from autoscaler.core import enrolment, golden
from autoscaler.core.golden import MiddleAndHigh, Saving
from autoscaler.core.model import Node, Offer, OfferName, PoolName
from autoscaler.journal import Journal, read
from bootstrap.contract import ImageScript
from policies.phrases import count
from providers.contract import ProviderName

_BOOTS = 20
"""The last of each offer: what boots were like a year ago says little of the next one."""
_NEW = "THE SNAPSHOT'S ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One offer that boots an image: its number in the pool and the line of its image in the configuration."""

    number: int
    line: int | None
    offer: Offer
    saving: Saving | None


def image(
    pool: options.Pool,
    script: Annotated[bool, typer.Option("--script", help="Print the script, and nothing else.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write the script there.", show_default=False),
    ] = None,
    with_commands: Annotated[
        bool,
        typer.Option("--with-commands", help="Run the pool's commands_before in the image, too."),
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell how a pool's golden image is made, so that boots only enrol, and what it saves by measured boots."""
    if script and as_json:
        raise exits.CommandFailed(
            "--script prints the script alone, --json facts with it; give one of them.", code=exits.USAGE
        )
    path = config_path(config)
    text = text_of(path)
    settings = parse(text, opened.EVERY_VARIABLE_SET, source=str(path))
    name = opened.pool(settings, pool)
    made = opened.image_script(settings, name, with_commands=with_commands)
    if out is not None:
        with files.placed(out, "a script") as file:
            file.write(made.text.encode())
    if script:
        sys.stdout.write(made.text)
        for note in made.notes:
            output.note(note)
        return
    ways = _ways(settings, name, text, path)
    if as_json:
        output.say_json(_document(name, made, ways))
        return
    called = (
        _called(pool, config, with_commands=with_commands) if out is None else f"cat {shlex.quote(str(out))}"
    )
    output.say(
        output.together(
            output.words(f"What a golden image of pool {name} saves", output.STRONG),
            _savings(ways, has_commands=_has_commands(settings, name)),
            output.words("How it is made", output.STRONG),
            *_steps(settings, name, ways, called=called, path=path),
            _notes(settings, name, made),
        )
    )


def _ways(settings: Settings, pool: PoolName, text: str, path: Path) -> list[_Way]:
    """Every offer of the pool that boots an image. Raises CommandFailed where there is none."""
    _, lines = document_of(text, source=str(path))
    found = []
    with opened.records(settings) as journal:
        for index, written in enumerate(settings.pools[pool].offers):
            offer = Offer(
                provider=ProviderName(written.provider),
                location=written.location,
                size=written.size,
                image=written.image,
                price_per_h=written.price_per_h,
                quantum_s=written.quantum_s,
            )
            if written.image:
                line = lines.get(("pools", pool, "offers", index, "image"))
                measured = golden.saving(_boots(journal, pool, offer.name))
                found.append(_Way(number=index + 1, line=line, offer=offer, saving=measured))
    if not found:
        raise exits.CommandFailed(
            f"No offer of {pool} names an image: its machines are processes, or a program of yours makes them. "
            "A golden image is made of an offer's `image`: name one there."
        )
    return found


def _boots(journal: Journal, pool: PoolName, offer: OfferName) -> Iterable[tuple[Any, ...]]:
    """The times of the last machines of that offer that became workers, with the image that it names now."""
    nodes = [
        node
        for node in read.nodes(journal, pool=pool, include_gone=True)
        if node.offer.name == offer and node.enrolled_at is not None
    ]
    last: Mapping[str, Node] = {node.name: node for node in nodes[-_BOOTS:]}
    records = read.boots(journal, [node.name for node in last.values()])
    return [
        enrolment.timeline(record.boot, last[name].ordered_at, last[name].enrolled_at)
        for name, record in records.items()
    ]


def _has_commands(settings: Settings, pool: PoolName) -> bool:
    start = settings.pools[pool].bootstrap
    return bool(start.commands_before or start.commands_after)


def _called(pool: str, config: Path | None, *, with_commands: bool) -> str:
    """The command that prints the script, as it was called but for `--script`."""
    words = ["autoscaler", "image", pool, "--script"]
    words += ["--with-commands"] if with_commands else []
    words += ["--config", str(config)] if config is not None else []
    return shlex.join(words)


def _steps(
    settings: Settings, pool: PoolName, ways: list[_Way], *, called: str, path: Path
) -> list[RenderableType]:
    """What to do, for each account and image once."""
    check = "See it with `autoscaler check --online`, and start the daemon again."
    if settings.pools[pool].canary:
        check += " A changed image makes a canary first: one machine is bought alone, until it has become a worker."
    run = "Run the script on it, as root; in the end it powers the machine off:"
    parts: list[RenderableType] = []
    for provider, plain in dict.fromkeys((way.offer.provider, way.offer.image) for way in ways):
        of_it = [way for way in ways if (way.offer.provider, way.offer.image) == (provider, plain)]
        places = dict.fromkeys("/".join(filter(None, (way.offer.location, way.offer.size))) for way in of_it)
        golden_now = any(way.saving is not None and way.saving.is_golden for way in of_it)
        start = f"At account {provider} start a " + (
            f"machine of the plain image that {plain} was made from"
            if golden_now
            else f"plain machine of image {plain}"
        )
        start += f" ({', '.join(places)}), with your ssh key and without user data."
        start += " Take the smallest disk: a snapshot fits none that is smaller." if len(places) > 1 else ""
        change = "\n".join(_change(pool, way) for way in of_it)
        steps = (
            start,
            f"{run}\n\n    {called} | ssh root@ADDRESS sh -s\n",
            "Take a snapshot of the machine, and end it. Where snapshots stay in one location, take one for each.",
            f"Write the snapshot's id into {path}:\n\n{change}\n",
            check,
        )
        parts.append(output.words("\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))))
    return parts


def _notes(settings: Settings, pool: PoolName, made: ImageScript) -> RenderableType | None:
    """What must be known of the script; and why the source stays as it is."""
    notes, source = list(made.notes), settings.pools[pool].bootstrap.source
    if source != "image":
        notes.append(
            f'bootstrap.source stays "{source}". Machines find installed what the image has, by the requirements that '
            "it was made from; a newer release is installed at boot until the next image is made, and the plain image "
            "works on. So nothing has to be changed at the same time as something else."
        )
    return output.words("\n".join(f"* {note}" for note in notes)) if notes else None


def _change(pool: PoolName, way: _Way) -> str:
    """The line to change, before and after, as it is written in TOML."""
    line = f"line {way.line}, " if way.line else ""
    place = f"    {line}offer {way.number} of [[pools.{pool}.offers]]:"
    return f'{place}\n    - image = {json.dumps(way.offer.image)}\n    + image = "{_NEW}"'


def _savings(ways: list[_Way], *, has_commands: bool) -> RenderableType:
    lines = [_in_words(way) for way in ways]
    if has_commands and any(way.saving for way in ways):
        lines.append(
            "The pool's own commands are part of both phases, and still run at each boot: it is so much less."
        )
    return output.words("\n".join(lines))


def _in_words(way: _Way) -> str:
    """One offer's figures in a line."""
    known, named = way.saving, f"{output.offer(way.offer)} with image {way.offer.image}"
    if known is None:
        return f"{named}: not known, no machine of it has told of its boot yet"
    both = f"packages {_s(known.packages_s[0])} + application {_s(known.application_s[0])} of {_s(known.whole_s[0])}"
    of_them = f"median of {count(known.boots, 'boot')}"
    if known.is_golden:
        return f"{named}: golden already, {both} ({of_them})"
    return (
        f"{named}: {both}: boots would take about {_s(known.then_s[0])} ({of_them}; the 95th percentile is "
        f"{_s(known.whole_s[1])}, and would be about {_s(known.then_s[1])})"
    )


def _s(seconds: float) -> str:
    """Tenths matter below ten seconds only."""
    return f"{seconds:.1f} s" if seconds < 10.0 else f"{seconds:.0f} s"


def _document(pool: PoolName, made: ImageScript, ways: list[_Way]) -> dict[str, Any]:
    return {
        "pool": pool,
        "offers": [
            {
                "number": way.number,
                "offer": way.offer.name,
                "provider": way.offer.provider,
                "image": way.offer.image,
                "line": way.line,
                "saving": _plain(way.saving),
            }
            for way in ways
        ],
        "notes": list(made.notes),
        "script": made.text,
    }


def _plain(saving: Saving | None) -> dict[str, Any] | None:
    """As plain values, with the names that `nodes --json` has for quantiles."""
    if saving is None:
        return None
    figures: Mapping[str, MiddleAndHigh] = {
        name.removesuffix("_s"): value for name, value in asdict(saving).items() if name != "boots"
    }
    quantiles = {name: {"p50_s": middle, "p95_s": high} for name, (middle, high) in figures.items()}
    return {"boots": saving.boots, "golden": saving.is_golden, **quantiles}
