"""The program's third door, for golden images: begins to enrol as soon as cloud-init has read the user data.

That is before the machine has a network. It writes the files that cloud-init would write a stage later, has supervisord
start a process that loads Celery and waits, and becomes the program that the user data brought. It is packed with
`machine` and `supervisord`, and never part of user data. What never happens here: a second way for a machine that this
was not made for. In doubt it does nothing, and cloud-init goes on as on any image.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import gzip
import json
import os
import pickle
import pwd
import re
import shlex
import socket
import sys
import time
from typing import Any

from bootstrap.assets.enrol import machine, supervisord

HERE = f"{machine.ROOT}/run/autoscaler-early/"
"""Of this boot and root's alone. What waits does so at `go`, and `worker.conf` is what supervisord has read."""
_TOOLS = f"{machine.ROOT}/usr/local/lib/autoscaler-early/"
_INSTANCE = f"{machine.ROOT}/var/lib/cloud/instance/"
_RUN_WORKER = machine.PROGRAMS + "run-worker"
_REAL = machine.PROGRAMS + "run-worker.real"
_CONF = f"{machine.ROOT}/etc/supervisor/conf.d/celery-worker.conf"
_SOCKET = f"{machine.ROOT}/run/supervisor.sock"
_SUPERVISORD_S = 60
_KEYS = {"bootcmd", "users", "write_files", "runcmd"}
_LATE = "commands_before", "commands_after", "lease"
"""An operator's commands may count on the whole of cloud-init's first stage, and a lease counts from the boot."""
_MODULES = "/usr/lib/python3/dist-packages"
"""Where cloud-init's YAML is; no other place is looked into."""
_AT_IMPORT = r"^\[(celery\.commands|kombu\.serializers|kombu\.matchers)\]"
"""Celery loads what is registered under these as soon as it is loaded itself, which would be before its environment."""
_HARMLESS = "distutils-precedence.pth"
_STARTER = """\
#!/bin/sh
# Of a golden image's first boot; the program of this name comes back before the worker is to start.
[ -p %(here)sgo ] || exec /bin/sh %(real)s
LANG=C.UTF-8 PYTHONUNBUFFERED=1 exec %(python)s %(tools)swait-worker %(words)s
"""


class _Remembered(pickle.Unpickler):
    """What cloud-init's first stage remembers of where the machine's user data comes from. It unpacks them only once
    there is a network. Nothing of what it was made of is loaded or run."""

    def find_class(self, _module: str, name: str) -> Any:
        """Something that holds whatever it is given."""
        return type(name, (_Anything,), {})


class _Anything(dict):  # type: ignore[type-arg] # no generics: an older Python runs this
    def __new__(cls, *_: Any, **__: Any) -> Any:
        return dict.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def append(self, _: Any) -> None:
        """As lists and sets have it."""

    add = extend = append
    __hash__ = object.__hash__  # type: ignore[assignment]


class Unfit(Exception):
    """This machine, or its user data, is not what this is for; says why."""


def main(mode: str = "") -> int:
    """Becomes the enrolment program, or returns 0 and has changed nothing that matters. `give-up` is for whoever sees
    that program fail: what waits is ended, and a worker can be started as ever."""
    os.umask(0o022)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{path}"
    if mode == "give-up":
        _give_up()
        return 0
    try:
        with open(_INSTANCE + "obj.pkl", "rb") as file:
            source = _Remembered(file).load()
        files = written(source.userdata_raw)
        _put(files)
    except Exception as error:  # noqa: BLE001 - whatever it is that is strange here, cloud-init knows better
        machine.say(f"cloud-init goes on alone: {error!r}")
        return 0
    try:
        _have_it_wait()
        os.environ["PATH"] = f"{_TOOLS}bin:{path}"
    except Exception as error:  # noqa: BLE001 - the same, and the worker is started as ever
        machine.say(f"no process waits: {error}")
        _give_up()
    become_worker = machine.PROGRAMS + "become-worker"
    return os.execv(become_worker, [become_worker])  # noqa: S606 - it takes this one's place


def written(user_data: Any) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file that the document has written, by its path. Raises Unfit, or what a document raises
    that is none of ours."""
    if isinstance(user_data, bytes):
        user_data = user_data.decode()
    if not user_data.startswith("#cloud-config\n"):
        raise Unfit("this is no cloud-config document")
    sys.path.append(_MODULES)
    import yaml  # noqa: PLC0415 - only root's own places are in the path, and this one is looked into last

    document = yaml.load(user_data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    if not set(document) <= _KEYS or document["runcmd"][0] != [machine.PROGRAMS + "become-worker"]:
        raise Unfit("this is no document of a worker, or more than that")
    files = {each["path"]: (int(each["permissions"], 8), _content(each)) for each in document["write_files"]}
    settings = json.loads(files[machine.ETC + "machine.json"][1])
    late = [key for key in _LATE if settings.get(key)]
    if late or settings.get("keeper", "supervisord") != "supervisord":
        raise Unfit(f"{' '.join(late) or settings['keeper']}: that comes after cloud-init's first stage")
    pwd.getpwnam(settings["user"])
    return files


def _content(file: dict[str, Any]) -> bytes:
    if file.get("encoding") == "gz+b64":
        return gzip.decompress(base64.b64decode(file["content"]))
    if "encoding" in file:
        raise Unfit(f"nothing is known of the encoding {file['encoding']}")
    return str(file["content"]).encode()


def _put(files: dict[str, tuple[int, bytes]]) -> None:
    """As cloud-init would, which then does not. A machine that loses its power has either all of them, or cloud-init
    writes them again."""
    for path, (mode, content) in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(path + ".new", path)
    os.sync()
    # What it does once for an instance it notes here.
    machine.write(f"{_INSTANCE}sem/config_write_files", f"{os.getpid()}: {machine.uptime_s()}\n", 0o644)


def _have_it_wait() -> None:
    """Have supervisord start what waits, under the very section that the worker is going to have."""
    settings = machine.Settings()
    text = machine.read(_RUN_WORKER)
    python, *words = command(text)
    require_plain(os.path.dirname(os.path.dirname(python)))
    others = set(glob.glob(os.path.dirname(_CONF) + "/*")) - {_CONF}
    if others:
        raise Unfit(f"supervisord has more to run, which may need a network: {min(others)}")
    os.makedirs(HERE, 0o700)
    os.mkfifo(HERE + "go", 0o600)
    machine.write(_REAL, text, 0o755)
    starter = _STARTER % {
        "here": HERE,
        "real": _REAL,
        "python": shlex.quote(python),
        "tools": _TOOLS,
        "words": shlex.join(words),
    }
    machine.write(_RUN_WORKER, starter, 0o755)
    machine.write(HERE + "worker.conf", _section(settings))
    # Of this boot alone: in another one supervisord would start the worker before anything else is done.
    os.makedirs(os.path.dirname(_CONF), exist_ok=True)
    os.symlink(HERE + "worker.conf", _CONF + ".new")
    os.replace(_CONF + ".new", _CONF)
    # Enrolment goes on meanwhile: supervisord may not be up yet.
    if not os.fork():
        os._exit(_show(settings.node))


def _show(node: str) -> int:
    """Have supervisord read that section. Until it has, nothing says so, and it will be asked in earnest."""
    ends_at = time.monotonic() + _SUPERVISORD_S
    while time.monotonic() < ends_at:
        try:
            _asked("supervisor.reloadConfig")
            answer = _asked("supervisor.addProcessGroup", node)
        except OSError:
            time.sleep(0.2)
            continue
        # It may have been so late that it read the section by itself.
        if "<fault>" not in answer or "ALREADY_ADDED" in answer:
            machine.write(HERE + "shown", "")
            return 0
        machine.say(f"supervisord does not take the worker: {answer[-300:]!r}")
        return 1
    return 1


def _asked(method: str, *texts: str) -> str:
    """What supervisord answers, as it stands: to load a library for it takes a small machine seconds."""
    params = "".join(f"<param><value><string>{text}</string></value></param>" for text in texts)
    body = f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    head = f"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_SUPERVISORD_S)
        line.connect(_SOCKET)
        line.sendall((head + body).encode())
        return b"".join(iter(lambda: line.recv(65536), b"")).decode(errors="replace")


def _section(settings: machine.Settings) -> str:
    """What the enrolment program is going to write, by that program."""
    run, write = machine.run, machine.write
    written: list[str] = []

    def keep(path: str, text: str, mode: int = 0) -> None:
        del path, mode
        written.append(text)

    machine.run, machine.write = lambda *_, **__: "", keep
    try:
        supervisord.begin(settings)
    finally:
        machine.run, machine.write = run, write
    return written[0]


def _give_up() -> None:
    """Whatever came of it, the worker is started as ever. supervisord ends what waits when its section is gone."""
    if not os.path.exists(HERE + "go"):
        return
    if text := machine.read(_REAL):
        machine.write(_RUN_WORKER, text, 0o755)
    if os.path.islink(_CONF):
        os.unlink(_CONF)
        for word in "reread", "update":
            machine.answer(["supervisorctl", word])
    for path in HERE + "go", _REAL:
        with contextlib.suppress(OSError):
            os.unlink(path)


def command(run_worker: str) -> list[str]:
    """The interpreter that the program would start, and its arguments, of which none is a secret. Raises Unfit."""
    block = re.search(r"^set -- (.*?[^\\])$", run_worker, re.MULTILINE | re.DOTALL)
    words = shlex.split(block[1].replace("\\\n", " ")) if block else []
    *_, python, program = words[: words.index("--") + 3] if "--" in words else ("", "")
    if not re.fullmatch(r"/.*/run-celery", program):
        raise Unfit("nothing is known of how this worker is started")
    told = [word for word in words if re.match("--po|-[A-Za-z]*P", word)]
    if [word for word in told if word not in {"--pool=prefork", "--pool=threads", "--pool=solo"}]:
        raise Unfit(f"{told[-1]}: its pool is first of all that is loaded")
    return [python, *words[words.index(program) :]]


def require_plain(environment: str) -> None:
    """That nothing but Celery is loaded where Celery is, and that nobody else wrote it. Raises Unfit with what is."""
    if not re.search(
        "^include-system-site-packages *= *false", machine.read(f"{environment}/pyvenv.cfg"), re.MULTILINE
    ):
        raise Unfit(f"{environment} is no virtual environment of its own")
    packages = glob.glob(f"{environment}/lib/python3*/site-packages")
    for path in environment, f"{environment}/bin", *packages:
        found = os.stat(path)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise Unfit(f"others may write into {path}")
    for folder in packages:
        for name in os.listdir(folder):
            path = f"{folder}/{name}"
            if re.match("(site|user)customize", name) or (name.endswith(".pth") and name != _HARMLESS):
                raise Unfit(f"{path} runs with every interpreter")
            if re.search(_AT_IMPORT, machine.read(f"{path}/entry_points.txt"), re.MULTILINE):
                raise Unfit(f"{path} registers what Celery loads first")
