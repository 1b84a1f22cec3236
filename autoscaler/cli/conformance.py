"""`check --online --conformance`: one cheap machine bought and ended, to see whether a provider keeps its contract.

In goes the configuration and how far the operator lets it go, out come a plan with the most it may cost, and, after a
yes, the steps. What never happens here: an order without that yes, above the cap, or under the daemon's own mark.
"""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.text import Text

from autoscaler.cli import exits, opened, output
from autoscaler.cli.conformance_machines import Patience
from autoscaler.cli.conformance_steps import Result, Step, Trial, Tried, Verdict
from autoscaler.config import Settings
from autoscaler.config.values import seconds
from autoscaler.core import bills
from autoscaler.core.model import Offer, PoolName
from bootstrap.contract import UnusableSpec, UserDataTooLarge
from policies.phrases import count, duration
from providers.contract import InstanceSpec, NodeName, Purchase, UserDataFormat

if TYPE_CHECKING:
    from autoscaler.wiring import Works

POOL = "conformance"
_FREE_KINDS = frozenset({"local", "simulated"})
"""Their machines cost nothing, and their offers need no price."""
_SEED_DIGITS = 9
_LONGEST_TRIAL_S = 86_400.0
_LOOKS_A_SETTLE = 20
_LONGEST_PAUSE_S = 5.0
_HEAD = b"#cloud-config\n{}\n"
_PADDING = b"# as long as the user data of a worker, and without its secrets\n"
_STYLES: Mapping[Verdict, str] = {
    Verdict.OK: output.OK,
    Verdict.BAD: output.BAD,
    Verdict.SKIPPED: output.DIM,
}


Of = Annotated[
    str | None,
    typer.Option(
        "--conformance",
        metavar="PROVIDER",
        help="With --online: buy one cheap machine there, hold the provider against its contract, end the machine.",
        show_default=False,
    ),
]
OfferName = Annotated[
    str | None,
    typer.Option(
        "--offer",
        metavar="OFFER",
        help="With --conformance: PROVIDER/LOCATION/SIZE as `check` names it; else the cheapest.",
        show_default=False,
    ),
]
MostCost = Annotated[
    float,
    typer.Option(
        "--most-cost",
        metavar="SUM",
        min=0.0,
        help="With --conformance: the most it may cost, in the fleet's currency.",
    ),
]
Within = Annotated[
    str,
    typer.Option(
        "--within",
        metavar="TIME",
        help="With --conformance: how long the machine may take to run, and to go.",
    ),
]
SayYes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="With --conformance: do it; without, it only tells what it would do."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator asked for, and how far it may go."""

    provider: str
    offer: str | None
    within: str
    most_cost: float
    yes: bool
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be bought, and what it may cost at most. All of it is shown before anything is done."""

    provider: str
    fleet: str
    machine: NodeName
    offer: Offer
    pool: str
    at_most_s: float
    machines: int
    most: float
    cap: float
    currency: str


def run(settings: Settings, asked: Asked) -> NoReturn:
    """Show the plan; after a yes carry it out, tell the steps, and end the command."""
    fleet = mark(settings.fleet.name)
    with opened.works(settings, buys=True) as works, ExitStack() as closing:
        pool, offer = _choose(settings, works, asked)
        tried = _open(settings, works, asked, pool, offer, closing)
        machines = 2 if tried.provider.traits.names_unique else 1
        plan = Plan(
            provider=asked.provider,
            fleet=fleet,
            machine=tried.spec.name,
            offer=offer,
            pool=pool,
            at_most_s=tried.patience.in_all_s,
            machines=machines,
            most=machines * bills.in_all(offer, 0.0, tried.patience.in_all_s),
            cap=asked.most_cost,
            currency=settings.fleet.currency,
        )
        if not asked.as_json:
            _tell_plan(plan)
        _refuse(plan, asked)
        with _ends_like_ctrl_c():
            result = Trial(
                tried,
                clock=opened.CLOCK,
                pause=time.sleep,
                tell=(lambda _: None) if asked.as_json else _tell_step,
                narrate=output.note,
            ).run()
    if asked.as_json:
        output.say_json(_facts(plan, result))
    else:
        _tell_result(plan, result)
    raise typer.Exit(_code(result))


def mark(fleet: str) -> str:
    """The fleet of a fleet's trials: the same each time, so that the next finds what one left.

    No daemon takes its machines for its own, not even where a mark is the beginning of a name: it does not begin with
    the daemon's fleet.
    """
    return f"trial-{fleet}" if fleet.startswith(POOL) else f"{POOL}-{fleet}"


def harmless(user_data_format: UserDataFormat, size: int) -> bytes:
    """A user data of about that size which makes no worker of a machine: it would take tasks."""
    if user_data_format is UserDataFormat.PROCESS:
        return json.dumps({"argv": ["sleep", "86400"], "expected_exit_codes": [0]}).encode()
    padding = _PADDING * (max(0, size - len(_HEAD)) // len(_PADDING))
    return _HEAD + padding


def _choose(settings: Settings, works: Works, asked: Asked) -> tuple[PoolName, Offer]:
    """The cheapest offer of that provider, or the one that was named, with its pool. Raises CommandFailed."""
    if asked.provider not in settings.providers:
        known = ", ".join(settings.providers)
        raise exits.CommandFailed(
            f"There is no provider {asked.provider!r}; the configuration has: {known}.", code=exits.USAGE
        )
    priced = settings.providers[asked.provider].kind in _FREE_KINDS
    sold = [
        (name, offer, priced or "price_per_h" in written.model_fields_set)
        for name, rules in works.rulebook.pools.items()
        for offer, written in zip(rules.offers, settings.pools[name].offers, strict=True)
        if offer.provider == asked.provider
    ]
    found = [each for each in sold if asked.offer in {None, output.offer(each[1])}]
    if not found:
        there = ", ".join(output.offer(offer) for _, offer, _ in sold) or "none in any pool"
        raise exits.CommandFailed(
            f"{asked.provider} has no offer {asked.offer or 'to try'}; there are: {there}.", code=exits.USAGE
        )
    # One whose price nobody wrote down is not cheap but unknown.
    pool, offer, is_priced = min(found, key=lambda each: (not each[2], each[1].price_per_h))
    if not is_priced:
        raise exits.CommandFailed(
            f"Offer {output.offer(offer)} of pool {pool} has no price_per_hour: nobody can say what this may cost. "
            "Write it into the offer.",
            code=exits.CONFIG,
        )
    return pool, offer


def _span(text: str) -> float:
    try:
        taken_s = seconds(text)
    except ValueError:
        taken_s = 0.0
    if not 0 < taken_s <= _LONGEST_TRIAL_S:
        raise exits.CommandFailed(
            f"--within {output.clean(text)!r} is no duration of at most a day; expected one such as 10m.",
            code=exits.USAGE,
        )
    return taken_s


def _open(
    settings: Settings, works: Works, asked: Asked, pool: PoolName, offer: Offer, closing: ExitStack
) -> Tried:
    from autoscaler import wiring  # noqa: PLC0415 - clients of clouds are slow to import

    fleet = mark(settings.fleet.name)
    provider = wiring.open_account(settings, asked.provider, fleet=fleet, clock=opened.CLOCK)
    closing.callback(provider.close)
    traits = provider.traits
    try:
        size = len(opened.user_data(settings, pool, opened.sample_node(settings, pool), traits).content)
    except (UnusableSpec, UserDataTooLarge):
        size = 0  # `check` tells of it
    user_data = harmless(traits.user_data_format, size)
    # No oftener than the operator lets the daemon ask this account: hosts block who asks too often.
    least_s = 60.0 / settings.providers[asked.provider].calls_per_minute
    pause_s = max(min(traits.settle_s / _LOOKS_A_SETTLE, _LONGEST_PAUSE_S), least_s)
    return Tried(
        provider=provider,
        beside=works.providers[offer.provider],
        beside_fleet=settings.fleet.name,
        spec=InstanceSpec(
            name=NodeName(f"{fleet}-{secrets.token_hex(_SEED_DIGITS)[:_SEED_DIGITS]}"),
            fleet=fleet,
            pool=POOL,
            size=offer.size,
            image=offer.image,
            location=offer.location,
            user_data=user_data,
        ),
        purchase=Purchase(
            size=offer.size, image=offer.image, location=offer.location, user_data_bytes=len(user_data)
        ),
        patience=Patience(
            call_s=settings.pools[pool].timeouts.call_s,
            run_s=_span(asked.within),
            settle_s=traits.settle_s,
            pause_s=pause_s,
        ),
    )


def _refuse(plan: Plan, asked: Asked) -> None:
    """Raise CommandFailed unless it may be done; then the plan was all."""
    why, code = "", exits.FAILED
    if not plan.most <= plan.cap:  # a cap that is no number is none
        why = (
            f"It may cost {output.amount(plan.most, plan.currency)}, more than --most-cost "
            f"{output.amount(plan.cap, plan.currency)}. Nothing was ordered."
        )
    elif not asked.yes:
        why, code = "Nothing was ordered: say it with --yes.", exits.USAGE
    if why and asked.as_json:
        output.say_json(_facts(plan, Result()) | {"ok": False, "refused": why})
        raise typer.Exit(code)
    if why:
        raise exits.CommandFailed(why, code=code)


@contextmanager
def _ends_like_ctrl_c() -> Iterator[None]:
    """Whoever stops this command otherwise than by Ctrl-C lets it clean up, too."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_plan(plan: Plan) -> None:
    price = output.amount(plan.offer.price_per_h, plan.currency)
    twice = ", and a second one if the provider does not refuse its name" if plan.machines > 1 else ""
    output.say(
        output.facts(
            {
                "provider": plan.provider,
                "offer": f"{output.offer(plan.offer)}{plan.offer.image and f', image {plan.offer.image}'}, "
                f"{price} per hour by {duration(plan.offer.quantum_s)}",
                "machine": f"{plan.machine}{twice}; it becomes no worker, and is ended again",
                "mark": f"fleet {plan.fleet}, pool {POOL}: no daemon takes it for its own",
                "at most": f"{output.amount(plan.most, plan.currency)} for {duration(plan.at_most_s)}, "
                f"of --most-cost {output.amount(plan.cap, plan.currency)}",
            }
        ),
        "",
    )


def _tell_step(step: Step) -> None:
    mark_ = (f"{step.verdict.value:<11}", _STYLES[step.verdict])
    output.say(Text.assemble(mark_, output.words(f"{step.subject:<16}{step.says}")))


def _tell_result(plan: Plan, result: Result) -> None:
    bad = sum(step.verdict is Verdict.BAD for step in result.steps)
    if result.left:
        output.say("", output.words(_what_is_left(plan, result), output.BAD))
    if result.interrupted:
        output.say("", output.words("Broken off.", output.BAD))
    elif bad:
        steps = count(len(result.steps), "step")
        output.say("", output.words(f"{plan.provider}: {bad} of {steps} found a problem.", output.BAD))
    elif not result.left:
        output.say(
            "", output.words(f"{plan.provider} keeps the contract, as far as one machine shows.", output.OK)
        )


def _what_is_left(plan: Plan, result: Result) -> str:
    price = output.amount(plan.offer.price_per_h, plan.currency)
    return (
        f"May be left at {plan.provider}, at {price} per hour each until it is ended: {', '.join(result.left)}. "
        "Run the same command again: it ends first what an earlier one left. Or end it at the provider's own panel; "
        f"its mark there is fleet {plan.fleet}."
    )


def _facts(plan: Plan, result: Result) -> dict[str, object]:
    return {
        "ok": result.ok,
        "plan": asdict(plan),
        "steps": [asdict(step) for step in result.steps],
        "left": list(result.left),
        "what_is_left": _what_is_left(plan, result) if result.left else "",
        "interrupted": result.interrupted,
    }


def _code(result: Result) -> int:
    if result.interrupted:
        return exits.INTERRUPTED
    if result.unseen:
        return exits.UNREACHABLE
    return exits.DONE if result.ok else exits.FAILED
