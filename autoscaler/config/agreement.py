"""Where two keys must agree: offers with providers, floors with ceilings, queues with other pools.

It reads the document as written, so that these problems are told together with all others: what has not the right shape
is passed over here, because the schema tells of it. What never happens here: a look at anything outside the document.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from autoscaler.config import bootstraps, budgets, clouds, notices, places
from autoscaler.config.problem import Place, nearest
from autoscaler.config.report import Finding
from autoscaler.config.values import DURATION, seconds

SANE_WORKERS = 1_000
"""A larger ceiling is a slip of the hand more often than a wish, and an expensive one."""
YOUNGEST = "1h"
"""The least `max_age`: a machine's boot and drain take minutes, and many hosts bill each that is begun an hour."""

_PATTERN_CHARACTERS = frozenset("*?[")
_LOOPBACK = re.compile(r"amqps?://(localhost|127\.[0-9.]+|\[::1\])(:|/|$)", re.IGNORECASE)
_ELSEWHERE = frozenset({"libcloud", "external"})
"""Kinds whose machines are other computers than this one."""
_WITHOUT_ADDRESS = frozenset({"local", "simulated"})
"""Kinds whose machines are processes, or nothing at all."""


def is_pattern(queue: str) -> bool:
    """Whether this is a pattern of queue names rather than a name."""
    return not _PATTERN_CHARACTERS.isdisjoint(queue)


def disagreements(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Every pair of keys that cannot both be meant."""
    yield from _of_broker(_table(document.get("broker")))
    yield from _of_journal(_table(document.get("journal")))
    providers = _table(document.get("providers"))
    for name, provider in providers.items():
        yield from _of_provider(("providers", name), _table(provider))
    pools = {name: _table(pool) for name, pool in _table(document.get("pools")).items()}
    for name, pool in pools.items():
        place: Place = ("pools", name)
        yield from _of_limits((*place, "limits"), _table(pool.get("limits")))
        yield from _of_timeouts((*place, "timeouts"), _table(pool.get("timeouts")))
        yield from _of_upstream((*place, "upstream"), pool, providers)
        yield from _of_schedules((*place, "policies"), pool)
        yield from _of_queues(place, pool)
        yield from _of_offers((*place, "offers"), _tables(pool.get("offers")), providers)
        yield from _of_slots((*place, "offers"), pool)
        yield from _of_reach((*place, "bootstrap", "broker_url"), pool, providers, document)
        yield from bootstraps.disagreements((*place, "bootstrap"), _table(pool.get("bootstrap")))
    yield from budgets.disagreements(_table(document.get("fleet")), pools)
    yield from places.disagreements(_table(document.get("fleet")), providers, pools)
    yield from _shared_queues(pools)
    yield from _shared_files(pools)
    yield from notices.disagreements(_tables(document.get("notices")), pools)


def _of_broker(broker: Mapping[str, Any]) -> Iterator[Finding]:
    urls = [broker.get("management_url"), broker.get("amqp_url")]
    if "ca_file" in broker and all(
        isinstance(url, str) and url.startswith(("http:", "amqp:")) for url in urls
    ):
        yield Finding(
            place=("broker", "ca_file"),
            found="certificates, but neither address is encrypted",
            expected="an https or amqps address, or no ca_file",
        )


def _of_journal(journal: Mapping[str, Any]) -> Iterator[Finding]:
    url = journal.get("url", "sqlite:")
    if "password" in journal and isinstance(url, str) and url.startswith("sqlite:"):
        yield Finding(
            place=("journal", "password"),
            found="a password, but the journal is a file",
            expected="no password, or the address of a PostgreSQL server in journal.url",
        )


def _of_provider(place: Place, provider: Mapping[str, Any]) -> Iterator[Finding]:
    if provider.get("kind") != "libcloud":
        return
    for key, needed in clouds.needs(provider.get("driver")).items():
        if key in provider and needed not in provider:
            yield Finding(
                place=(*place, key), found=f"a {key}, but no {needed}", expected=f"{needed} too, or neither"
            )


def _of_limits(place: Place, limits: Mapping[str, Any]) -> Iterator[Finding]:
    age = limits.get("max_age")
    if isinstance(age, str) and DURATION.fullmatch(age) and 0 < seconds(age) < seconds(YOUNGEST):
        yield Finding(
            place=(*place, "max_age"),
            found=f'"{age}"',
            expected=f"{YOUNGEST} at least, or 0s for no limit",
            advice="Machines would be replaced as fast as they come, each by one that is bought beside it.",
        )
    ceiling = _whole(limits.get("max_workers"))
    if ceiling is None:
        return
    for key, meaning in (("min_workers", "the floor"), ("on_unknown", "the number raised to while blind")):
        number = _whole(limits.get(key))
        if number is not None and number > ceiling:
            yield Finding(
                place=(*place, key),
                found=str(number),
                expected=f"at most max_workers, which is {ceiling}",
                advice=f"It is {meaning}, and the ceiling always wins.",
            )
    if ceiling > SANE_WORKERS and limits.get("allow_large") is not True:
        yield Finding(
            place=(*place, "max_workers"),
            found=str(ceiling),
            expected=f"at most {SANE_WORKERS}",
            advice="If so many are meant, say so with allow_large = true.",
        )


def _of_timeouts(place: Place, timeouts: Mapping[str, Any]) -> Iterator[Finding]:
    if "enrol_most" in timeouts and timeouts.get("enrol", "learned") != "learned":
        yield Finding(
            place=(*place, "enrol_most"),
            found=f'a bound of what is learned, but enrol is "{timeouts["enrol"]}"',
            expected='enrol = "learned", or no enrol_most',
            advice="A number holds for every machine, and nothing is learned beside it.",
        )


def _of_upstream(place: Place, pool: Mapping[str, Any], providers: Mapping[str, Any]) -> Iterator[Finding]:
    """Whoever is published must have an address; and a drain that ends sooner than requests may last would cut them."""
    if "upstream" not in pool:
        return
    names = [_table(offer).get("provider") for offer in _tables(pool.get("offers"))]
    accounts = [_table(providers.get(name)).get("kind") for name in names if isinstance(name, str)]
    if accounts and all(kind in _WITHOUT_ADDRESS for kind in accounts):
        yield Finding(
            place=place,
            found=f"a file for machines of {', '.join(sorted(set(map(str, names))))}",
            expected="offers of a provider whose machines have addresses",
            advice="Those of the kinds local and simulated have none, so none would ever be published.",
        )
    yield from _of_linger((*place, "linger"), pool)


def _of_linger(place: Place, pool: Mapping[str, Any]) -> Iterator[Finding]:
    timeouts = _table(pool.get("timeouts"))
    if timeouts.get("on_drain_timeout") != "destroy":
        return
    linger, drain = _table(pool.get("upstream")).get("linger", "1m"), timeouts.get("drain", "30m")
    if not all(isinstance(each, str) and DURATION.fullmatch(each) for each in (linger, drain)):
        return
    if seconds(linger) >= seconds(drain):
        yield Finding(
            place=place,
            found=f'"{linger}"',
            expected=f'less than timeouts.drain, which is "{drain}"',
            advice='Machines are destroyed after that time, by on_drain_timeout = "destroy", whatever reaches them.',
        )


def _of_schedules(place: Place, pool: Mapping[str, Any]) -> Iterator[Finding]:
    """A window is for something, and within the limits, which are stronger."""
    limits = _table(pool.get("limits"))
    lowest, highest = (_whole(limits.get(key)) for key in ("min_workers", "max_workers"))
    for number, policy in enumerate(map(_table, _tables(pool.get("policies")))):
        windows = _tables(policy.get("windows")) if policy.get("kind") == "schedule" else []
        for count, window in enumerate(map(_table, windows)):
            here = (*place, number, "windows", count)
            floor, ceiling = (_whole(window.get(key)) for key in ("min_workers", "max_workers"))
            if not window.keys() & {"min_workers", "max_workers"}:
                yield Finding(place=here, found="no number", expected="min_workers, max_workers or both")
            if floor is not None and ceiling is not None and floor > ceiling:
                yield Finding(
                    place=(*here, "min_workers"),
                    found=str(floor),
                    expected=f"at most the window's max_workers, which is {ceiling}",
                )
            elif floor is not None and highest is not None and floor > highest:
                yield Finding(
                    place=(*here, "min_workers"),
                    found=str(floor),
                    expected=f"at most limits.max_workers, which is {highest}",
                    advice="It is a floor, and the ceiling always wins.",
                )
            if ceiling is not None and lowest is not None and ceiling < lowest:
                yield Finding(
                    place=(*here, "max_workers"),
                    found=str(ceiling),
                    expected=f"at least limits.min_workers, which is {lowest}",
                    advice="The pool's own floor is stronger than a ceiling of its schedule.",
                )


def _of_queues(place: Place, pool: Mapping[str, Any]) -> Iterator[Finding]:
    queues = _texts(pool.get("queues"))
    consumed = _texts(_table(pool.get("bootstrap")).get("queues"))
    yield from _repeated((*place, "queues"), queues)
    yield from _repeated((*place, "bootstrap", "queues"), consumed)
    patterns = [queue for queue in queues if is_pattern(queue)]
    if patterns and not consumed:
        yield Finding(
            place=(*place, "bootstrap", "queues"),
            found=f"nothing, but the pool counts the queues that match {patterns[0]}",
            expected="the names of the queues that its workers consume",
            advice="A worker cannot consume a pattern.",
        )
    for number, queue in enumerate(consumed):
        if is_pattern(queue):
            yield Finding(
                place=(*place, "bootstrap", "queues", number),
                found=f"the pattern {queue}",
                expected="the name of one queue",
                advice="A worker cannot consume a pattern.",
            )
    for number, queue in enumerate(queues):
        if consumed and not any(fnmatchcase(name, queue) or name == queue for name in consumed):
            yield Finding(
                place=(*place, "queues", number),
                found=f"{queue}, which no worker of this pool consumes",
                expected="a queue that is also in bootstrap.queues",
                advice="Its messages would buy workers that never take them.",
            )


def _repeated(place: Place, names: list[str]) -> Iterator[Finding]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Finding(place=(*place, number), found=f"{name} a second time", expected="each queue once")


def _shared_queues(pools: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """A message must count in one pool only."""
    earlier: list[tuple[str, str]] = []
    for pool, settings in pools.items():
        own = _texts(settings.get("queues"))
        for number, queue in enumerate(own):
            for other_pool, other in earlier:
                if queue == other or _covers(other, queue) or _covers(queue, other):
                    yield Finding(
                        place=("pools", pool, "queues", number),
                        found=f"{queue}, which pool {other_pool} has too"
                        + ("" if queue == other else f" (as {other})"),
                        expected="a queue that no other pool has",
                        advice="Each of its messages would be counted twice, and machines bought for it twice.",
                    )
                    break
        earlier += [(pool, queue) for queue in own]


def _shared_files(pools: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """An upstream file has one writer."""
    owners: dict[str, str] = {}
    for pool, settings in pools.items():
        file = _table(settings.get("upstream")).get("file")
        if not isinstance(file, str):
            continue
        file = posixpath.normpath(file)
        if file in owners:
            yield Finding(
                place=("pools", pool, "upstream", "file"),
                found=f"the file of pool {owners[file]}",
                expected="a file of its own for each pool",
                advice="An upstream block of nginx may include several.",
            )
        owners.setdefault(file, pool)


def _covers(pattern: str, name: str) -> bool:
    return is_pattern(pattern) and not is_pattern(name) and fnmatchcase(name, pattern)


def _of_offers(place: Place, offers: list[Any], providers: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[tuple[Any, ...], int] = {}
    for number, offer in enumerate(map(_table, offers)):
        provider = offer.get("provider")
        if not isinstance(provider, str):
            continue
        here = (*place, number)
        if provider not in providers:
            known = (
                f"one of {', '.join(sorted(providers))}" if providers else "the NAME of a [providers.NAME]"
            )
            yield Finding(
                place=(*here, "provider"),
                found="the name of no provider",
                expected=known,
                advice=nearest(provider, providers),
            )
        elif _table(providers[provider]).get("kind") == "libcloud":
            for key in ("size", "image", *clouds.also_needed(_table(providers[provider]).get("driver"))):
                if not offer.get(key):
                    yield Finding(
                        place=(*here, key), found="nothing", expected=f"the cloud's own id of the {key}"
                    )
        same = tuple(str(offer.get(key, "")) for key in ("provider", "location", "size", "image"))
        if same in seen:
            yield Finding(
                place=here,
                found=f"the same provider, location, size and image as in offers[{seen[same]}]",
                expected="each offer once",
            )
        seen.setdefault(same, number)


def _of_slots(place: Place, pool: Mapping[str, Any]) -> Iterator[Finding]:
    """A machine counts as a whole number of workers."""
    least = _whole(pool.get("slots"))
    for number, offer in enumerate(map(_table, _tables(pool.get("offers")))):
        slots = _whole(offer.get("slots"))
        if least is not None and least > 0 and slots is not None and slots % least:
            yield Finding(
                place=(*place, number, "slots"),
                found=str(slots),
                expected=f"a whole multiple of the pool's slots, which are {least}",
                advice="The pool's slots are those of its smallest machine; a larger one counts as several workers.",
            )


def _of_reach(
    place: Place, pool: Mapping[str, Any], providers: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[Finding]:
    """A worker on another machine does not find the broker at `localhost`."""
    amqp_url = _table(document.get("broker")).get("amqp_url")
    if not isinstance(amqp_url, str) or not _LOOPBACK.match(amqp_url):
        return
    if "broker_url" in _table(pool.get("bootstrap")):
        return
    for offer in map(_table, _tables(pool.get("offers"))):
        provider = offer.get("provider")
        if isinstance(provider, str) and _table(providers.get(provider)).get("kind") in _ELSEWHERE:
            yield Finding(
                place=place,
                found=f"nothing, so machines of provider {provider} would look for the broker on themselves",
                expected="an amqp_url that they can reach, or a broker_url for them",
            )
            return


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    """The list, if it is one of texts throughout; positions stay true."""
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
