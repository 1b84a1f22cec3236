"""A pool's golden image: the script that makes a fresh machine of the plain image one, so that boots only enrol.

In goes a `WorkerSpec`, out comes a shell script for root and what has to be said about it. What is installed, where and
by what program is what user data would do (`application`, `assets/enrol/installing`), so a machine of the image finds
it by the stamp that it would have left itself. What never happens here: a secret of the spec in the script. What the
making needs and the image must not have, whoever runs the script brings along.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from bootstrap import addresses, application, assets, early, machine, masking, program, system, validity
from bootstrap.contract import (
    Application,
    ApplicationSource,
    Credentials,
    ImageScript,
    Keeper,
    Lease,
    WorkerSpec,
)

CLOUD_INIT = "/etc/cloud/cloud.cfg.d/99_autoscaler_golden.cfg"
_MODULES = """\
# What a worker's user data needs, and what differs from machine to machine; the image has all else.
cloud_init_modules: [seed_random, bootcmd, write_files, growpart, resizefs, set_hostname, update_hostname,
  update_etc_hosts, users_groups, ssh]
cloud_config_modules: []
cloud_final_modules: [runcmd, scripts_user, final_message]
ssh_genkeytypes: [ed25519]
"""
"""A snapshot's disk may be smaller than the machine's, so it grows as ever."""
_PROGRAM = ("machine", "installing", "imaging")
_TOLD = ("python", "source", "packages", "directory", "tarball", "proxy", "commands_before")
_OF_POOL = {
    "commands_before": "the pool has commands, files or settings of the system, which may count on that",
    "commands_after": "the pool has commands_after, which may count on that",
    "lease": "the pool has a lease",
    "keeper": "its keeper is systemd",
}
"""Why, by the key of what a machine is told."""
_END = "END_OF_FILE"
_INSTALL = "/etc/autoscaler/install"
_ADDRESS = "ADDRESS_{}"
_WHOLE_COMMIT = re.compile(r"@[0-9a-f]{40}(#|$)")
"""As `assets/enrol/installing` has it."""


def script(spec: WorkerSpec, *, with_commands: bool = False) -> ImageScript:
    """The script for machines of `spec`, whose secrets need not be known. `with_commands`: it runs the pool's first
    commands too, as packages may need them. Raises UnusableSpec with every problem of what an image is made from."""
    bare = _bare(spec, with_commands=with_commands)
    validity.require_usable(bare)
    told, kept_back = _without_addresses(bare.application)
    bare = replace(bare, application=told)
    text = assets.fill(
        "make-image",
        comments=True,
        POOL=ascii(spec.pool),
        FLEET=ascii(spec.fleet),
        USER=bare.user,
        HOME=application.HOME,
        NEEDS=_lines(_needs(spec, kept_back)),
        FILES="".join(_files(bare, kept_back)).rstrip("\n"),
        COMPILE=_lines(_compiling(told)),
        DIRECTORY=_quoted(application.directory(told)),
        PYTHON=_python(told),
        UNFIT=shlex.quote(_unfit(told)),
        SETTINGS=_put(CLOUD_INIT, "0644", _MODULES).rstrip("\n"),
        FORGET=_lines(_forgetting(kept_back)),
        EARLY="".join(f"\n{step}" for step in _early()).rstrip("\n"),
    )
    return ImageScript(text=text, notes=tuple(_notes(spec, kept_back, with_commands=with_commands)))


def moves(told: Application) -> bool:
    """Whether each machine installs the application again, because its requirement may mean something else by now."""
    lines = application.files(told).get(application.REQUIREMENTS, "").splitlines()
    return any("git+" in line and not _WHOLE_COMMIT.search(line) for line in lines)


def _bare(spec: WorkerSpec, *, with_commands: bool) -> WorkerSpec:
    """What an image is made from: nothing of a node, of the broker or of the worker's environment, and no secret but in
    addresses of the application."""
    return replace(
        spec,
        application=_without_user(spec.application),
        environment={},
        broker_url="",
        broker_ca="",
        credentials=Credentials.SHARED,
        token="",
        files=tuple(file for file in spec.files if not file.is_secret),
        commands_before=spec.commands_before if with_commands else (),
        commands_after=(),
        lease=Lease(),
        system=replace(spec.system, proxy="" if _is_secret_proxy(spec) else spec.system.proxy),
    )


def _is_secret_proxy(spec: WorkerSpec) -> bool:
    """In doubt it is: whoever asks for an image may not know it."""
    proxy = spec.system.proxy
    return bool(proxy) and ("://" not in proxy or addresses.holds_credentials(proxy))


def _without_user(told: Application) -> Application:
    """A requirement never has a repository's credentials: git asks for them where they are kept."""
    if told.source is not ApplicationSource.GIT or not addresses.holds_credentials(told.reference):
        return told
    parts = urlsplit(told.reference)
    return replace(told, reference=urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))


def _without_addresses(told: Application) -> tuple[Application, tuple[str, ...]]:
    """The application with marks for addresses that hold a secret, and these as people may see them. What is installed
    from is part of what an image is known by, so the script needs them when it runs."""
    kept_back: list[str] = []

    def marked(text: str) -> str:
        shown = masking.url(text)
        if shown == text:
            return text
        kept_back.append(shown)
        return f"@{_ADDRESS.format(len(kept_back))}@"

    reference = marked(told.reference)
    extra = tuple(map(marked, told.extra_packages))
    return replace(told, reference=reference, extra_packages=extra), tuple(kept_back)


def _needs(spec: WorkerSpec, kept_back: tuple[str, ...]) -> Iterator[str]:
    """What must be in the environment of the script, which is looked for first."""
    for number, shown in enumerate(kept_back, 1):
        name = _ADDRESS.format(number)
        yield _required(name, f"{name} must hold {shown} with what is not shown here")
    if _is_secret_proxy(spec):
        yield _required("https_proxy", "https_proxy must hold the pool's proxy")
        yield "http_proxy=${http_proxy:-$https_proxy}; export http_proxy"


def _required(name: str, says: str) -> str:
    return f'[ -n "${{{name}:-}}" ] || stop {shlex.quote(ascii(says)[1:-1])}; export {name}'


def _files(bare: WorkerSpec, kept_back: tuple[str, ...]) -> Iterator[str]:
    told = json.loads(machine.text(bare))
    settings = {"token": ""} | {key: told[key] for key in _TOLD if key in told}
    # The keeper, too, where the application is in the image already; and what measures the disk.
    keeper = ("supervisor",) if bare.keeper is Keeper.SUPERVISORD else ()
    settings["packages"] = list(dict.fromkeys((*machine.packages(bare), *keeper, "ioping")))
    yield _put(machine.PATH, "0600", json.dumps(settings, indent=1) + "\n")
    for path, text in application.files(bare.application, proxy=bare.system.proxy).items():
        yield _put(path, "0600", text)
    for file in system.files(bare.system):
        yield _put(file.path, file.mode, file.content)
    for number, file in enumerate(bare.files):
        yield _put(machine.kept(number), "0600", file.content)
    yield _put(_INSTALL, "0700", program.packed(_PROGRAM, tuple(_carried(bare))))
    if kept_back:
        names = [_ADDRESS.format(number) for number, _ in enumerate(kept_back, 1)]
        code = assets.fill("put-addresses", NAMES=repr(names))
        yield f"/usr/bin/python3 -IS - <<'{_END}'\n{code}{_END}\n"


def _carried(bare: WorkerSpec) -> Iterator[tuple[str, str]]:
    if bare.application.source is ApplicationSource.TARBALL:
        yield machine.FETCH_APPLICATION, "fetch-application"
    if bare.system.apt_mirror:
        yield system.USE_MIRROR, "use-mirror"


def _put(path: str, mode: str, content: str) -> str:
    """A line that writes the file, which people can read where nothing in it could be damaged or misread."""
    to = f"put {mode} {_quoted(path)}"
    lines = content.split("\n")
    if content.isascii() and not lines[-1] and all(line.isprintable() and line != _END for line in lines):
        return f"{to} <<'{_END}'\n{content}{_END}\n"
    packed = base64.encodebytes(content.encode()).decode()
    return f"base64 -d <<'{_END}' | {to}\n{packed}{_END}\n"


def _quoted(word: str) -> str:
    """The word as the shell reads it back, in ASCII, so that no terminal or pipe on the way can damage it."""
    if word.isascii():
        return shlex.quote(word)
    octal = "".join(f"\\{byte:03o}" for byte in word.encode())
    return f"\"$(printf '{octal}')\""


def _python(told: Application) -> str:
    if told.source is ApplicationSource.IMAGE:
        return _quoted(told.python)
    return f'"$R"{application.interpreter(told)}'


def _compiling(told: Application) -> Iterator[str]:
    """Each worker's start would compile again what it may not write. A file that does not compile may be a template."""
    if told.source is ApplicationSource.IMAGE:
        return
    yield f'{_python(told)} -m compileall -q "$R"{application.VIRTUAL_ENVIRONMENT}/lib >/dev/null 2>&1 || :'
    if told.source is ApplicationSource.TARBALL:
        place = _quoted(application.directory(told))
        yield f'{_python(told)} -m compileall -q "$R"{place} >/dev/null 2>&1 || :'


def _unfit(told: Application) -> str:
    if told.source is ApplicationSource.IMAGE:
        return f"install the application first, which is not configured: {told.python!a} finds no Celery"
    return "Celery is not among what was installed"


def _forgetting(kept_back: tuple[str, ...]) -> Iterator[str]:
    if kept_back:
        # pip notes there where each package came from, with the whole address, for everybody to read.
        yield f'find "$R"{application.VIRTUAL_ENVIRONMENT} -name direct_url.json -delete'


def _early() -> Iterator[str]:
    for file in early.files():
        yield _put(file.path, file.mode, file.content)
    for command in early.COMMANDS:
        yield f"    {shlex.join(command)}\n"


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)


def _notes(spec: WorkerSpec, kept_back: tuple[str, ...], *, with_commands: bool) -> Iterator[str]:
    for number, shown in enumerate(kept_back, 1):
        name = _ADDRESS.format(number)
        yield (
            f"The script needs {name}, in its environment or as a line before it: {shown} with what is not shown here."
        )
    if _is_secret_proxy(spec):
        yield "The script needs https_proxy, in its environment or as a line before it: the pool's proxy."
    if spec.application.source is ApplicationSource.IMAGE:
        yield (
            'The application is not the script\'s to install, as source is "image": install it on the machine first.'
        )
    if moves(spec.application):
        yield (
            "A repository is named without a whole commit, so each machine installs the application again: "
            "name the commit, and boots find it installed."
        )
    if hidden := [file.path for file in spec.files if file.is_secret]:
        yield f"Files with secrets come at boot and are not in the image: {', '.join(hidden)}."
    if spec.commands_before and with_commands:
        yield "commands_before run in the image, and at each boot again."
    elif spec.commands_before:
        yield (
            "commands_before run at each boot and not in the image, where they might make one machine of many; "
            "with --with-commands they run there too, if packages need them."
        )
    if spec.commands_after:
        yield "commands_after run at each boot and not in the image."
    if spec.application.index_url or spec.application.source is ApplicationSource.GIT:
        yield (
            "Credentials for the index or the repository belong into /root/.netrc of the machine, or /root/.ssh, while "
            "the script runs; it removes them, so what is not in the image cannot be fetched with them at boot."
        )
    if hindrance := early.hindrance(json.loads(machine.text(spec))):
        yield f"Machines of the image enrol once cloud-init is done, and not before the network: {_OF_POOL[hindrance]}."
