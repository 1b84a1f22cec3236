"""What `check` looks at: findings about the configuration itself, and about the services it names.

In go opened works, out come findings, each with the exit code that it means when it is bad. Nothing is changed
anywhere. What never happens here: words about findings that are not its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli import exits, opened, output
from autoscaler.config import Settings
from autoscaler.config.upstream import Upstream
from autoscaler.core import residency
from autoscaler.core.facts import Missing
from autoscaler.core.model import FleetRules, Offer, PoolName, PoolRules
from autoscaler.gateways import nginx
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal import JournalAbsent, JournalUnavailable
from bootstrap.contract import UnusableSpec, UserDataTooLarge
from policies import PolicyOptionsWrong, open_policies
from policies.phrases import count
from providers.contract import Finding, Naming, ProviderName, ProviderTraits, Purchase

if TYPE_CHECKING:
    from autoscaler.wiring import Works

_LISTEN_S = 5.0
"""Our own probe comes back within a second or two where anything can be heard at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One finding, where it belongs, and the exit code it means if it is bad."""

    where: str
    finding: Finding
    code: int


def configuration(settings: Settings, works: Works) -> Iterator[Checked]:
    """What can be judged without a look outside: policies open, and each offer's user data can be made and fits."""
    for name, rules in works.rulebook.pools.items():
        yield _checked(f"pools.{name}", _policies(rules), exits.CONFIG)
        for offer in rules.offers:
            yield _checked(f"pools.{name}", _user_data(settings, works, name, offer)[1], exits.CONFIG)
        for provider in dict.fromkeys(offer.provider for offer in rules.offers):
            for finding in _name(settings, works, name, provider):
                yield _checked(f"pools.{name}", finding, exits.CONFIG)
        for offer in rules.offers:
            where = f"pools.{name}, offer {output.offer(offer)}"
            yield _checked(where, _country(works.rulebook.fleet, rules, offer), exits.CONFIG)
            yield from (
                _checked(where, finding, exits.CONFIG)
                for finding in _time(name, rules, offer, works.providers[offer.provider].traits)
            )
    yield from _notices(settings)
    yield from _web(settings)


def _web(settings: Settings) -> Iterator[Checked]:
    """The page's certificate and key. Where this user may not read them, the daemon's will."""
    from autoscaler.web import certificate  # noqa: PLC0415 - where nothing is served none of it is loaded

    web = settings.web
    if web.tls_certificate is None or web.tls_key is None:
        return
    try:
        certificate.context(web.tls_certificate, web.tls_key)
    except certificate.NotForUs as error:
        yield _checked("web", Finding(subject="TLS", ok=True, says=str(error), note=True), exits.CONFIG)
    except certificate.Unusable as error:
        yield _checked("web", Finding(subject="TLS", ok=False, says=str(error)), exits.CONFIG)
    else:
        says = "certificate and key can be used"
        yield _checked("web", Finding(subject="TLS", ok=True, says=says), exits.CONFIG)


def _notices(settings: Settings) -> Iterator[Checked]:
    """Nothing is sent: that is what `notify` is for."""
    from autoscaler.notices import routes  # noqa: PLC0415 - brings an HTTP client along

    wrong = {problem.path: problem for problem in routes.problems(settings)}
    for number, notice in enumerate(settings.notices):
        found = [each for path, each in wrong.items() if path.startswith(f"notices[{number}].")]
        says = f"{notice.shape}, {count(len(notice.chosen()), 'event')}; `autoscaler notify {notice.name}` tries it"
        plain = not found and routes.is_plain(notice)
        if plain:
            says += "; its address is not encrypted, so who sees the network can write there too"
        finding = Finding(
            subject=notice.name, ok=not found, says="; ".join(map(str, found)) or says, note=plain
        )
        yield _checked("notices", finding, exits.CONFIG)


def services(settings: Settings, works: Works) -> Iterator[Checked]:
    """Journal, broker and the link to the workers."""
    yield _checked("journal", _journal(settings), exits.UNREACHABLE)
    for finding in works.broker.check():
        yield _checked("broker", finding, exits.UNREACHABLE)
    for finding in _workers(works):
        yield _checked("workers", finding, exits.UNREACHABLE)
    if works.granting is not None:
        yield _checked("broker", works.granting.broker.check(), exits.UNREACHABLE)
    for name, configured in settings.pools.items():
        if configured.upstream is not None:
            yield _checked(f"pools.{name}", _upstream(configured.upstream), exits.FAILED)
    queues = {name: rules.queues for name, rules in works.rulebook.pools.items()}
    for pool, demand in works.broker.demand(queues).items():
        if isinstance(demand, Missing):
            yield _checked(
                f"pools.{pool}", Finding(subject="queues", ok=False, says=demand.why), exits.UNREACHABLE
            )
            continue
        absent = [queue.name for queue in demand.queues if queue.missing]
        says = f"{demand.backlog} waiting, {demand.in_progress} in progress"
        if absent:
            says += f"; not there yet, which is fine until somebody uses them: {', '.join(absent)}"
        yield _checked(f"pools.{pool}", Finding(subject="queues", ok=True, says=says), exits.UNREACHABLE)


def _upstream(section: Upstream) -> Finding:
    """Whether the file could be written and the commands started, by who asks; neither is done."""
    wrong = nginx.why_not(
        Path(section.file), [command for command in (section.check, section.reload) if command]
    )
    says = wrong or f"{section.file} can be written by this user; its commands are there, and were not tried"
    return Finding(subject="upstream", ok=not wrong, says=says)


def offers(settings: Settings, works: Works) -> Iterator[Checked]:
    """Whether each provider would take an order for each of its offers."""
    for name, rules in works.rulebook.pools.items():
        for offer in rules.offers:
            purchase = Purchase(
                size=offer.size,
                image=offer.image,
                location=offer.location,
                user_data_bytes=_user_data(settings, works, name, offer)[0],
                pool=name,
                machines=-(-rules.limits.max_workers // rules.weight_of(offer.name)),
                price_per_h=offer.price_per_h,
                currency=settings.fleet.currency,
            )
            provider = works.providers[offer.provider]
            for finding in provider.check(purchase, timeout_s=rules.timeouts.call_s):
                yield _checked(f"pools.{name}, offer {output.offer(offer)}", finding, exits.FAILED)


def _checked(where: str, finding: Finding, code: int) -> Checked:
    return Checked(where=where, finding=finding, code=code)


def _policies(rules: PoolRules) -> Finding:
    try:
        opened_policies = open_policies(rules.policies)
    except PolicyOptionsWrong as error:
        return Finding(subject="policies", ok=False, says=str(error))
    return Finding(subject="policies", ok=True, says=", ".join(policy.name for policy in opened_policies))


def _user_data(settings: Settings, works: Works, pool: PoolName, offer: Offer) -> tuple[int, Finding]:
    """Its size in bytes (0 where it cannot be made), and what is to be said of it."""
    traits = works.providers[offer.provider].traits
    try:
        slots = works.rulebook.pools[pool].slots_of(offer.name)
        made = opened.user_data(settings, pool, opened.sample_node(settings, pool), traits, slots=slots)
    except (UnusableSpec, UserDataTooLarge) as error:
        return 0, Finding(subject="user data", ok=False, says=str(error))
    size = len(made.content)
    says = f"{size} of at most {traits.user_data_limit_bytes} bytes for {offer.provider}"
    return size, Finding(subject="user data", ok=True, says=says)


def _name(settings: Settings, works: Works, pool: PoolName, provider: ProviderName) -> Iterator[Finding]:
    """Whether the longest name that a machine of the pool may get can be borne there; nothing where all can be."""
    namer = works.providers[provider]
    if isinstance(namer, Naming):
        found = namer.check_name(opened.longest_node(settings, pool), pool=pool)
        yield replace(found, says=f"{provider}: {found.says}")


def _country(fleet: FleetRules, pool: PoolRules, offer: Offer) -> Finding:
    """Where the offer stands, whether machines of the pool may, and what would help where they may not."""
    country = fleet.places.country(offer.provider, offer.location)
    allowed = residency.allowed(pool, fleet)
    place = residency.where(offer.provider, offer.location, country)
    if allowed is None:
        return Finding(subject="country", ok=True, says=f"{place}; no residency is asked for")
    says = f"{place}; residency allows {residency.in_words(allowed)}"
    if country is None:
        says += f"; if you know it, state it: country in the offer, or in providers.{offer.provider}"
    return Finding(subject="country", ok=country in allowed, says=says)


def _time(name: PoolName, rules: PoolRules, offer: Offer, traits: ProviderTraits) -> Iterator[Finding]:
    """That the pool's calls end before a create there is done; nothing where they do not."""
    call_s, needs_s = rules.timeouts.call_s, traits.create_needs_s
    if call_s < needs_s:
        says = (
            f"pools.{name}.timeouts.call is {call_s:g} s, and a create at {offer.provider} should be given "
            f"{needs_s:g} s (create_time in providers.{offer.provider}): ended earlier it is unknown, and counts until "
            "a listing tells"
        )
        yield Finding(subject="time", ok=False, says=says)


def _workers(works: Works) -> tuple[Finding, ...]:
    works.workers.start()
    try:
        return works.workers.check(_LISTEN_S)
    except FactUnavailable as error:
        return (Finding(subject="AMQP", ok=False, says=str(error)),)


def _journal(settings: Settings) -> Finding:
    subject = "file" if _is_file(settings) else "server"
    try:
        journal = opened.open_the_journal(settings, read_only=True)
    except JournalAbsent as absent:
        if _is_file(settings):
            return _new_file(Path(absent.place))
        says = f"the server lets us in; there is no journal in {absent.place} yet, the daemon will make it"
        return Finding(subject=subject, ok=True, says=says)
    except JournalUnavailable as error:
        return Finding(subject=subject, ok=False, says=str(error))
    try:
        nodes = len(journal.live_nodes())
    except JournalUnavailable as error:
        return Finding(subject=subject, ok=False, says=str(error))
    finally:
        journal.close()
    if _is_file(settings) and not os.access(journal.place, os.W_OK):
        return Finding(subject=subject, ok=False, says=f"{journal.place} may only be read by this user")
    return Finding(subject=subject, ok=True, says=f"{journal.place}, {count(nodes, 'node')} on record")


def _is_file(settings: Settings) -> bool:
    return settings.journal.url.startswith("sqlite:")


def _new_file(file: Path) -> Finding:
    """The first daemon makes the file, and its directory if only that is missing."""
    directory = file.parent if file.parent.exists() else file.parent.parent
    if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK):
        return Finding(subject="file", ok=True, says=f"{file} is not there yet; the daemon will make it")
    says = f"{file} is not there, and this user cannot make it in {directory}"
    return Finding(subject="file", ok=False, says=says)
