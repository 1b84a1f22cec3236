"""Where the keys of `[pools.NAME.bootstrap]` must agree: a source with what it needs, a limit with the pool that heeds
it, and nothing that is no reference with a secret in it.

As `agreement`, it reads the document as written and passes over what has not the right shape. What never happens here:
what may be a secret, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.config.problem import Place
from autoscaler.config.report import Finding
from autoscaler.config.values import DURATION, seconds

LEAST_LEASE_S = 30.0
"""The fleet speaks every ten seconds: a shorter lease would end at two words that were lost."""

_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\s]*)")
"""User, host and port of each URL in a text; a requirement may hold one without a space: `shop@git+https://…`."""
_PROXY = re.compile(r"https?://[^/?#\s\"'\\]+:[0-9]{1,5}/?")
_INSTALLED = frozenset({"pip", "wheel", "git", "tarball"})
_WITH_CHECKSUM = frozenset({"wheel", "tarball"})
_HEEDED = {
    "time_limit": frozenset({"prefork", "gevent"}),
    "soft_time_limit": frozenset({"prefork"}),
    "max_tasks_per_child": frozenset({"prefork"}),
    "max_memory_per_child": frozenset({"prefork"}),
}
"""Which of Celery's pools heed a limit; the others run on without a word."""


def disagreements(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """Every pair of keys that cannot both be meant."""
    yield from _of_source(place, bootstrap)
    yield from _of_checksum(place, bootstrap)
    yield from _of_credentials(place, bootstrap)
    yield from _of_limits(place, bootstrap)
    yield from _of_system(place, bootstrap)
    yield from _of_files((*place, "files"), bootstrap)


def _of_source(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """Which of the keys about the application belong together."""
    source = bootstrap.get("source", "image")
    if isinstance(source, str) and source in _INSTALLED and not bootstrap.get("reference"):
        yield Finding(
            place=(*place, "reference"),
            found="nothing",
            expected=f'what to install: source = "{source}" needs a reference',
        )
    if source == "image":
        for key in ("reference", "sha256", "revision", "index_url", "require_hashes", "extra_packages"):
            if bootstrap.get(key):
                yield Finding(
                    place=(*place, key),
                    found='a value, but nothing is installed where source is "image"',
                    expected=f'another source ("pip", "wheel", "git" or "tarball"), or no {key}',
                )
    elif bootstrap.get("revision") and source != "git":
        yield Finding(
            place=(*place, "revision"),
            found=f'a revision, but source is "{source}"',
            expected='source = "git", or no revision',
        )


def _of_checksum(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """Where one is needed, and where none can be."""
    source, given = bootstrap.get("source", "image"), bool(bootstrap.get("sha256"))
    if source == "tarball" and not given:
        yield Finding(
            place=(*place, "sha256"),
            found="nothing",
            expected="the tarball's checksum, as `sha256sum` prints it",
            advice="It is unpacked by root, so it must be the one that was meant.",
        )
    elif given and source in _INSTALLED - _WITH_CHECKSUM:
        yield Finding(
            place=(*place, "sha256"),
            found=f'a checksum, but source is "{source}"',
            expected="a wheel or a tarball, or --hash=sha256:… behind a requirement",
        )
    if bootstrap.get("require_hashes") is True and source == "git":
        yield Finding(
            place=(*place, "require_hashes"),
            found="true, but a repository has no hash",
            expected='source = "tarball" or "wheel", or require_hashes = false',
        )


def _of_credentials(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """No address that is written out names somebody."""
    keys = ("index_url", "reference", "apt_mirror", "apt_security_mirror", "proxy")
    here: list[tuple[Place, object]] = [((*place, key), bootstrap.get(key)) for key in keys]
    for key in ("extra_packages", "commands_before", "commands_after"):
        for number, told in enumerate(_list(bootstrap.get(key))):
            here += [((*place, key, number), text) for text in (told if isinstance(told, list) else [told])]
    for where, text in here:
        if isinstance(text, str) and any(map(_names_somebody, _AUTHORITY.finditer(text))):
            yield Finding(
                place=where,
                found="an address with a user, a token or a password (not shown)",
                expected="a reference to it" if where[-1] == "proxy" else "an address without one",
                advice="It would stand in this file and in the machine's user data.",
            )


def _names_somebody(address: re.Match[str]) -> bool:
    """Whether it is `user:password@host` or `token@host`. The bare user of an ssh address is no secret."""
    user_information, found, host = address["authority"].rpartition("@")
    if found:
        return ":" in user_information or address["scheme"].lower().rpartition("+")[2] != "ssh"
    # What stands where a port would and is none is half of a password, cut by its own `/`, `?` or `#`.
    return re.fullmatch(r"(\[[^\]]*\]|[^:\[]*)(:[0-9]*)?", host) is None


def _of_limits(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """Limits that the pool heeds, the soft one first."""
    pool = bootstrap.get("worker_pool", "prefork")
    for key, pools in _HEEDED.items():
        if key in bootstrap and isinstance(pool, str) and pool not in pools:
            yield Finding(
                place=(*place, key),
                found=f'a limit, but the pool "{pool}" does not heed it',
                expected=f"worker_pool {' or '.join(sorted(pools))}, or no {key}",
            )
    soft, hard = (_seconds(bootstrap.get(key)) for key in ("soft_time_limit", "time_limit"))
    if soft is not None and hard is not None and soft >= hard:
        yield Finding(
            place=(*place, "soft_time_limit"),
            found=f'"{bootstrap["soft_time_limit"]}"',
            expected=f"less than time_limit, which is {bootstrap['time_limit']}",
        )
    lease = _seconds(bootstrap.get("lease"))
    if lease is not None and 0 < lease < LEAST_LEASE_S:
        yield Finding(
            place=(*place, "lease"),
            found=f'"{bootstrap["lease"]}"',
            expected=f"0s for none, or at least {LEAST_LEASE_S:g}s",
            advice="The fleet speaks every 10 s; workers must not stop because a word or two were lost.",
        )


def _of_system(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    if bootstrap.get("apt_security_mirror") and not bootstrap.get("apt_mirror"):
        yield Finding(
            place=(*place, "apt_security_mirror"),
            found="the security suite's archive, but no apt_mirror",
            expected="both or neither",
        )
    proxy = bootstrap.get("proxy")
    if isinstance(proxy, str) and not _PROXY.fullmatch(proxy):
        yield Finding(
            place=(*place, "proxy"),
            found="an address that is none of a proxy (not shown)",
            expected="http://HOST:PORT or https://HOST:PORT",
        )


def _of_files(place: Place, bootstrap: Mapping[str, Any]) -> Iterator[Finding]:
    """Each path once, and no secret for everybody."""
    seen = set()
    for number, file in enumerate(_list(bootstrap.get("files"))):
        if not isinstance(file, dict):
            continue
        path, mode = file.get("path"), file.get("mode", "0600")
        if isinstance(path, str) and path in seen:
            yield Finding(
                place=(*place, number, "path"), found=f"{path} a second time", expected="each file once"
            )
        seen.add(path if isinstance(path, str) else None)
        if isinstance(file.get("content"), dict) and isinstance(mode, str) and not mode.endswith("0"):
            yield Finding(
                place=(*place, number, "mode"),
                found=f'"{mode}", but the content is a secret',
                expected='a mode that shows it to nobody else, such as "0640"',
            )


def _seconds(value: object) -> float | None:
    return seconds(value) if isinstance(value, str) and DURATION.fullmatch(value) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
