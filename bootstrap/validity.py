"""Which specs can become a worker at all, and what is wrong with the others.

In goes a `WorkerSpec`, out come sentences, one for each problem. Everything that is rendered unquoted, or that a
program on the machine would read as something else, is held to a pattern here. What never happens here: a secret in a
sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from bootstrap import addresses, arguments, conditions, masking
from bootstrap.contract import Application, ApplicationSource, Command, UnusableSpec, WorkerSpec

_NODE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
"""What useradd of Debian takes without force."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SHELLS_OWN = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID", "SHELLOPTS", "UID"})
"""Variables that a shell on Debian refuses to set, so the worker would never start."""

_LONGEST_VARIABLE = 131_071
"""Bytes of `NAME=value` with which Linux still starts a program."""
_MOST_GRANTED = 400_000
"""Characters of JSON: a machine takes half a MB in one message, in which this stands beside an address and a proof."""

_URL_SCHEMES = {
    ApplicationSource.WHEEL: ("https", "http"),
    ApplicationSource.GIT: ("https", "http", "ssh", "git", "file"),
    ApplicationSource.TARBALL: ("https", "http"),
}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HAVE_SHA256 = frozenset({ApplicationSource.WHEEL, ApplicationSource.TARBALL})
_HASHES = re.compile(r"(\s+--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))+$")
_TARBALLS_PLACE = re.compile(r"(/(?!\.{1,2}(/|$))[^/]+){2,}")
"""Below the root: what is unpacked there belongs to the application alone."""


def require_usable(spec: WorkerSpec) -> None:
    """Raises UnusableSpec with every problem of `spec`."""
    found = problems(spec)
    if found:
        raise UnusableSpec("; ".join(found))


def problems(spec: WorkerSpec) -> tuple[str, ...]:
    """What keeps `spec` from becoming a worker, each as `field: what was found, what was expected`."""
    unreadable = tuple(f"{name}: holds a NUL or half a character" for name in _unencodable(spec))
    # What cannot be written down cannot be judged further either.
    return unreadable or (
        *_of_worker(spec),
        *_of_environment(spec),
        *_of_application(spec.application),
        *conditions.of_celery(spec),
        *conditions.of_broker(spec),
        *conditions.of_files(spec),
        *conditions.of_commands(spec),
        *conditions.of_system(spec.system),
        *conditions.of_times(spec),
    )


def _unencodable(spec: WorkerSpec) -> Iterator[str]:
    """The fields whose text cannot stand in a file or a command line."""
    application = spec.application
    texts = {
        "node": spec.node,
        "pool": spec.pool,
        "fleet": spec.fleet,
        "app": spec.app,
        "user": spec.user,
        "broker_url": spec.broker_url,
        "queues": "".join(spec.queues),
        "worker_args": "".join(spec.worker_args),
        "packages": "".join(spec.packages),
        "token": spec.token,
        "broker_ca": spec.broker_ca,
        "commands_before": _joined(spec.commands_before),
        "commands_after": _joined(spec.commands_after),
        "system.proxy": spec.system.proxy,
        "system.apt_mirror": spec.system.apt_mirror + spec.system.apt_security_mirror,
        "system.time_zone": spec.system.time_zone,
        **{f"files.{file.path!a}": file.path + file.content + file.mode for file in spec.files},
        "application.sha256": application.sha256,
        "application.reference": application.reference,
        "application.revision": application.revision,
        "application.index_url": application.index_url,
        "application.directory": application.directory,
        "application.python": application.python,
        "application.extra_packages": "".join(application.extra_packages),
        **{f"environment.{name!a}": name + value for name, value in spec.environment.items()},
    }
    for name, text in texts.items():
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            yield name


def _joined(commands: tuple[Command, ...]) -> str:
    return "".join(command if isinstance(command, str) else "".join(command) for command in commands)


def _of_worker(spec: WorkerSpec) -> Iterator[str]:
    if not _NODE.fullmatch(spec.node):
        yield f"node: {spec.node!r} is no node name: lower case letters, digits and `-`, at most 63"
    if not _USER.fullmatch(spec.user) or spec.user == "root":
        yield f"user: {spec.user!r} is not the name of an unprivileged Linux user"
    if not spec.app or spec.app.startswith("-") or _CONTROL.search(spec.app):
        yield f"app: {spec.app!r} is not what `celery --app` takes, such as shop.celery:app"
    if spec.slots < 1:
        yield f"slots: {spec.slots}, expected at least 1"
    if spec.prefetch_multiplier is not None and spec.prefetch_multiplier < 1:
        yield (
            f"prefetch_multiplier: {spec.prefetch_multiplier}, expected at least 1; "
            "without a limit the first worker takes the whole queue"
        )
    yield from _of_lists(spec)


def _of_lists(spec: WorkerSpec) -> Iterator[str]:
    if not spec.queues:
        yield "queues: empty; a worker without queues would consume Celery's default queue"
    for queue in spec.queues:
        if not queue or queue != queue.strip() or "," in queue or _CONTROL.search(queue):
            yield f"queues: {queue!r} cannot stand in Celery's list of queues: no comma, no space around it"
    yield from (f"worker_args: {problem}" for problem in arguments.problems(spec.worker_args))
    for package in spec.packages:
        if not _PACKAGE.fullmatch(package):
            yield f"packages: {package!r} is no name of a Debian package"


def _of_environment(spec: WorkerSpec) -> Iterator[str]:
    for name in spec.environment:
        if not _VARIABLE.fullmatch(name):
            yield f"environment: {name!r} is no name of a variable: letters, digits and `_`, no digit first"
        elif name in _SHELLS_OWN:
            yield f"environment: {name} belongs to the shell and cannot be set"
        size = len(f"{name}={spec.environment[name]}".encode())
        if size > _LONGEST_VARIABLE:
            yield f"environment: {name} takes {size} bytes, with which no program starts; at most {_LONGEST_VARIABLE}"
    if len(json.dumps(dict(spec.environment))) > _MOST_GRANTED:
        yield f"environment: takes more than {_MOST_GRANTED} characters in all; put what is so large into files"
    if _CONTROL.search(spec.broker_url):
        yield "broker_url: holds a control character; write it percent-encoded"


def _of_application(application: Application) -> Iterator[str]:
    if not application.python or application.python.startswith("-") or _CONTROL.search(application.python):
        yield f"application.python: {application.python!r} is no name or path of an interpreter"
    if application.directory and not application.directory.startswith("/"):
        yield f"application.directory: {application.directory!r} is not an absolute path"
    if application.source is ApplicationSource.IMAGE:
        yield from _of_image(application)
        return
    yield from _requirement("application.reference", application.reference)
    yield from _of_hashes(application)
    for package in application.extra_packages:
        yield from _requirement("application.extra_packages", package)
    if application.index_url:
        yield from _of_url("application.index_url", application.index_url, ("https", "http"))
    yield from _of_secrets(application)
    if application.source in _URL_SCHEMES:
        yield from _of_url("application.reference", application.reference, _URL_SCHEMES[application.source])
    elif addresses.is_repository(application.reference):
        yield 'application.reference: a repository, expected source = "git" and the repository\'s URL'
    if application.source is not ApplicationSource.GIT and application.revision:
        yield "application.revision: only a git repository has revisions"
    elif application.revision and not _REVISION.fullmatch(application.revision):
        yield f"application.revision: {application.revision!r} is no branch, tag or commit"


def _of_hashes(application: Application) -> Iterator[str]:
    """As soon as one requirement has a hash pip demands one of all, and would tell of it on the machine only."""
    source, sha256 = application.source, application.sha256
    is_tarball = source is ApplicationSource.TARBALL
    if sha256 and source not in _HAVE_SHA256:
        yield f'application.sha256: is set, but source = "{source}" is no single file; expected a wheel or a tarball'
    elif not _SHA256.fullmatch(sha256) and (sha256 or is_tarball):
        yield f"application.sha256: {sha256!r}, expected the 64 hexadecimal digits that `sha256sum` prints"
    elif sha256 and "#" in application.reference:
        yield "application.reference: holds a `#`, but the checksum is a setting of its own"
    if is_tarball and application.directory and not _TARBALLS_PLACE.fullmatch(application.directory):
        yield f"application.directory: {application.directory!r}, expected a place of its own, such as /opt/shop"
    lines = [("extra_packages", package) for package in application.extra_packages]
    if source is ApplicationSource.PIP:
        lines.insert(0, ("reference", application.reference))
    hashed = [(name, line, _HASHES.search(line) is not None) for name, line in lines]
    must = application.require_hashes or any(has for _, _, has in hashed)
    for name, line, has in hashed:
        pinned = "==" in line or "://" in line
        if (must and not (has and pinned)) or ("--hash" in line and not has):
            yield f"application.{name}: {masking.url(line)!r}, expected NAME==VERSION --hash=sha256:…, like all others"
    if must and source is ApplicationSource.GIT:
        yield 'application.require_hashes: a repository has no hash; expected source = "tarball" or "wheel"'
    if must and source is ApplicationSource.WHEEL and not sha256:
        yield "application.sha256: nothing, but every requirement must have a hash"


def _of_secrets(application: Application) -> Iterator[str]:
    """Addresses whose credentials pip would hand on: to git, or to the pip it starts to build a package."""
    texts = [("application.extra_packages", package) for package in application.extra_packages]
    texts.append(("application.index_url", application.index_url))
    if not _kept_for_git(application):
        texts.append(("application.reference", application.reference))
    for field, text in texts:
        if addresses.holds_credentials(text):
            yield (
                f"{field}: an address with credentials (not shown), which would stand in a command line; "
                'expected one without, or a repository by https as the reference with source = "git"'
            )
    is_git = application.source is ApplicationSource.GIT
    queries = {
        "application.index_url": "?" in application.index_url,
        "application.reference": is_git and "?" in application.reference.partition("#")[0],
        "application.extra_packages": any(map(addresses.repository_has_query, application.extra_packages)),
    }
    for field, has_query in queries.items():
        if has_query:
            yield f"{field}: an address with a query (not shown), which would stand in a command line"


def _kept_for_git(application: Application) -> bool:
    """Whether the reference's credentials are taken out of it and left in a file where git looks for them."""
    return application.source is ApplicationSource.GIT and application.reference.lower().startswith(
        ("https://", "http://")
    )


def _of_image(application: Application) -> Iterator[str]:
    """An image is taken as it is; a wish to install something into it is a misunderstanding."""
    unused = {
        "reference": application.reference,
        "sha256": application.sha256,
        "require_hashes": application.require_hashes,
        "revision": application.revision,
        "index_url": application.index_url,
        "extra_packages": application.extra_packages,
    }
    for name, value in unused.items():
        if value:
            yield f'application.{name}: is set, but nothing is installed where source = "image"'


def _requirement(field: str, text: str) -> Iterator[str]:
    """Problems of one line of a requirements file."""
    shown = masking.url(text)
    if not text or text != text.strip() or _CONTROL.search(text):
        yield f"{field}: {shown!r}, expected one requirement on one line"
    elif text.startswith(("-", "#")) or text.endswith("\\"):
        yield f"{field}: {shown!r} is an option, a comment or half a line to pip, not a requirement"


def _of_url(field: str, text: str, schemes: tuple[str, ...]) -> Iterator[str]:
    shown = masking.url(text)
    expected = " or ".join(schemes)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and (bool(parts.hostname) or parts.scheme == "file")
        # Raises ValueError where the port is none.
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or any(character.isspace() for character in text) or _CONTROL.search(text):
        yield f"{field}: {shown!r} is no URL of scheme {expected}"
    elif "@" in parts.path + parts.query + parts.fragment:
        yield f"{field}: {shown!r} holds an `@` behind the host; write %40, or the revision as its own setting"
