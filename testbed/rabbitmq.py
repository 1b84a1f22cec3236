"""A private RabbitMQ node with its management plugin, beside whatever else runs on this machine.

Goes in: a directory. Comes out: a broker on free loopback ports that keeps its ports and data while it is stopped and
started again. It needs the Debian package `rabbitmq-server` but never that package's service, user, files or cookie,
and nothing of it is left running: the broker and its port mapper (epmd) are both our children, ended by process id.
"""

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import requests

from testbed import ports, waiting
from testbed.certificates import ServerCertificate

# Debian's /usr/sbin/rabbitmq-server is a wrapper that switches to the user `rabbitmq`; this is what it wraps.
SERVER_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_DEADLINE_S = 90.0  # 5–10 s on an idle machine; two busy cores can make it several times that
STOP_DEADLINE_S = 30.0
HTTP_TIMEOUT_S = 10.0
LOG_LINES_SHOWN = 30


class RabbitMQFailed(RuntimeError):
    """The private node could not be started, or refused what it was asked for."""


class PrivateRabbitMQ:
    """One RabbitMQ node under `directory`; a context manager that starts it and stops it.

    The password holds every character that URLs and shells treat specially, so whoever forgets to quote it is found
    out. `statistics_interval_s` is how often the node refreshes what its management API tells. With a `certificate` it
    also serves TLS, on the loopback addresses of both protocols. Beyond `memory_mb` it takes no more messages. One that
    is made `beside` another forms a cluster with that one, which must run before it starts and as long as it does.
    """

    def __init__(
        self,
        directory: Path,
        *,
        statistics_interval_s: float = 5.0,
        certificate: ServerCertificate | None = None,
        memory_mb: int = 512,
        beside: Self | None = None,
    ) -> None:
        self.user = "autoscaler"
        self.password: str = beside.password if beside else f"p@ss/w:rd%#?&+ {secrets.token_urlsafe(12)}"
        self._beside = beside
        self._directory = directory.resolve()
        self._statistics_interval_ms = round(statistics_interval_s * 1000)
        self.amqp_port, self.management_port, self._distribution_port, self._epmd_port, self.amqps_port = (
            ports.free_ports(5)
        )
        if beside is not None:
            self._epmd_port = beside.epmd_port
        self._certificate = certificate
        self._memory_mb = memory_mb
        # Node names live in one table per epmd, and ours has its own; the random part is for those who read `ps`.
        self._node_name = f"testbed-{secrets.token_hex(4)}@localhost"
        self._broker: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Name the node without its password."""
        return f"PrivateRabbitMQ({self._node_name}, amqp_port={self.amqp_port}, running={self.running})"

    @property
    def amqp_url(self) -> str:
        """Where clients connect, vhost `/`, with user and password."""
        return self.amqp_url_for("/")

    @property
    def management_url(self) -> str:
        """Root of the management API's server, without user and password and without `/api`."""
        return f"http://{ports.LOOPBACK}:{self.management_port}"

    @property
    def node_name(self) -> str:
        """What other nodes call this one."""
        return self._node_name

    @property
    def epmd_port(self) -> int:
        """Where the nodes of its cluster find each other."""
        return self._epmd_port

    @property
    def cookie_file(self) -> Path:
        """What nodes of its cluster know each other by."""
        return self._directory / ".erlang.cookie"

    @property
    def running(self) -> bool:
        """Whether the broker's process is alive."""
        return self._broker is not None and self._broker.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the broker (the Erlang machine itself, no shell around it). Raises when it is not running."""
        if self._broker is None or not self.running:
            raise RabbitMQFailed(f"{self._node_name} is not running and has no process id")
        return self._broker.pid

    def amqp_url_for(self, vhost: str) -> str:
        """Where clients of one vhost connect."""
        user, password, path = (quote(part, safe="") for part in (self.user, self.password, vhost))
        return f"amqp://{user}:{password}@{ports.LOOPBACK}:{self.amqp_port}/{path}"

    def start(self) -> None:
        """Return once clients and the management API are served. Data of an earlier start is still there."""
        if self.running:
            raise RabbitMQFailed(f"{self._node_name} runs already, as process {self.pid}")
        epmd = shutil.which("epmd")
        if epmd is None or not SERVER_PROGRAM.exists():
            raise RabbitMQFailed(f"{SERVER_PROGRAM} and epmd are needed: apt-get install rabbitmq-server")
        self._write_files()
        try:
            self._launch(epmd)
            waiting.wait_until(self._is_serving, START_DEADLINE_S, f"{self._node_name} to serve", pause_s=0.2)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the node in order, by force after a while; nothing is left running. Stopping twice is harmless."""
        if self._broker is not None and self.running:
            self._broker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):  # kill() ends what would not go
                self._broker.wait(STOP_DEADLINE_S)
        self.kill()

    def kill(self) -> None:
        """End the node at once, as a power cut would; what it wrote to disk stays. Killing twice is harmless."""
        for process in (self._broker, self._epmd):
            if process is None:
                continue
            if process.poll() is None:
                # The group, because Erlang has small helper processes of its own.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._broker = self._epmd = None

    def restart(self) -> None:
        """Stop the node in order and start it on the same ports and data."""
        self.stop()
        self.start()

    def add_vhost(self, name: str) -> None:
        """Make a vhost in which our user may do everything. Making it twice is harmless."""
        vhost, user = quote(name, safe=""), quote(self.user, safe="")
        self._put(f"vhosts/{vhost}", {})
        self._put(f"permissions/{vhost}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})

    def __enter__(self) -> Self:
        """Start the node."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the node."""
        self.stop()

    def _launch(self, epmd: str) -> None:
        environment = self._environment()
        if self._beside is None:
            # Left alone, Erlang starts a shared epmd that outlives it and whose process id nobody is told.
            self._epmd = subprocess.Popen(
                [epmd, "-port", str(self._epmd_port), "-address", ports.LOOPBACK],
                env=environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        with (self._directory / "output.log").open("ab") as output:
            self._broker = subprocess.Popen(
                [str(SERVER_PROGRAM), "-noinput"],
                env=environment,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C on a terminal is for the program that started us, which then stops us.
                start_new_session=True,
            )

    def _put(self, path: str, body: dict[str, str]) -> None:
        answer = requests.put(
            f"{self.management_url}/api/{path}",
            json=body,
            auth=(self.user, self.password),
            timeout=HTTP_TIMEOUT_S,
        )
        if not answer.ok:
            raise RabbitMQFailed(
                f"PUT {path}: expected success, got {answer.status_code}: {answer.text[:200]}"
            )

    def _is_serving(self) -> bool:
        """Whether both doors are open. Raises when the process has died, with the last lines it wrote."""
        if not self.running:
            lines = (
                (self._directory / "output.log").read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            )
            raise RabbitMQFailed("\n".join([f"{self._node_name} ended while starting; it wrote:", *lines]))
        if not ports.is_listening(self.amqp_port):
            return False
        try:
            answer = requests.get(
                f"{self.management_url}/api/whoami", auth=(self.user, self.password), timeout=HTTP_TIMEOUT_S
            )
        except requests.RequestException:
            return False
        return answer.ok

    def _environment(self) -> dict[str, str]:
        """What the node is told by environment; anything of the system's own RabbitMQ is kept out."""
        place = self._directory
        inherited = {
            key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "LC_ALL", "TZ"}
        }
        return (
            inherited
            | {
                "HOME": str(place),  # where Erlang looks for its cookie
                "ERL_EPMD_PORT": str(self._epmd_port),
                "ERL_EPMD_ADDRESS": ports.LOOPBACK,
                "RABBITMQ_ALLOW_INPUT": "true",  # makes the script become the Erlang machine: one process id to know
                "RABBITMQ_CONF_ENV_FILE": str(place / "no-such-file"),
                "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
                "RABBITMQ_ADVANCED_CONFIG_FILE": str(place / "advanced.config"),
                "RABBITMQ_DIST_PORT": str(self._distribution_port),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "enabled_plugins"),
                "RABBITMQ_FEATURE_FLAGS_FILE": str(place / "feature_flags"),
                "RABBITMQ_LOG_BASE": str(place / "log"),
                "RABBITMQ_MNESIA_BASE": str(place / "data"),
                "RABBITMQ_NODENAME": self._node_name,
                "RABBITMQ_PID_FILE": str(place / "pid"),
                # One scheduler and few file threads: it shares two cores with the tests it serves.
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "+S 1:1 +A 4 -kernel inet_dist_use_interface {127,0,0,1} "
                    f"-kernel inet_dist_listen_min {self._distribution_port} "
                    f"-kernel inet_dist_listen_max {self._distribution_port}"
                ),
            }
        )

    def _write_files(self) -> None:
        place = self._directory
        for folder in (place, place / "data", place / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        cookie = self.cookie_file
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(self._cookie(), encoding="ascii")
            cookie.chmod(0o400)  # Erlang refuses a cookie that others may read
        (place / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="ascii")
        # Some releases refuse to start when a named configuration file is missing.
        (place / "advanced.config").write_text("[].\n", encoding="ascii")
        (place / "definitions.json").write_text(json.dumps(self._definitions()), encoding="utf-8")
        settings = {
            "listeners.tcp.1": f"{ports.LOOPBACK}:{self.amqp_port}",
            "management.tcp.ip": ports.LOOPBACK,
            "management.tcp.port": self.management_port,
            "load_definitions": place / "definitions.json",
            "collect_statistics_interval": self._statistics_interval_ms,
            "disk_free_limit.absolute": "50MB",
            "vm_memory_high_watermark.absolute": f"{self._memory_mb}MB",
            "log.console": "false",
            "log.file.level": "info",
            **self._tls(),
            **self._cluster(),
        }
        lines = [f"{key} = {value}\n" for key, value in settings.items()]
        (place / "rabbitmq.conf").write_text("".join(lines), encoding="utf-8")

    def _cookie(self) -> str:
        """Nodes of one cluster have the same."""
        if self._beside is None:
            return secrets.token_hex(20)
        return self._beside.cookie_file.read_text(encoding="ascii")

    def _cluster(self) -> dict[str, object]:
        if self._beside is None:
            return {}
        return {
            "cluster_formation.peer_discovery_backend": "classic_config",
            "cluster_formation.classic_config.nodes.1": self._beside.node_name,
            "cluster_formation.classic_config.nodes.2": self._node_name,
        }

    def _tls(self) -> dict[str, object]:
        if self._certificate is None:
            return {}
        return {
            "listeners.ssl.1": f"{ports.LOOPBACK}:{self.amqps_port}",
            "listeners.ssl.2": f"::1:{self.amqps_port}",
            "ssl_options.cacertfile": self._certificate.authority,
            "ssl_options.certfile": self._certificate.certificate,
            "ssl_options.keyfile": self._certificate.key,
            "ssl_options.verify": "verify_none",
            "ssl_options.fail_if_no_peer_cert": "false",
        }

    def _definitions(self) -> dict[str, list[dict[str, object]]]:
        """The user, the vhost `/` and the permission, so that the password itself is on no disk.

        The hash is RabbitMQ's documented form: base64 of four bytes of salt and the SHA-256 of salt and password.
        """
        salt = secrets.token_bytes(4)
        hashed = base64.b64encode(salt + hashlib.sha256(salt + self.password.encode()).digest()).decode()
        user: dict[str, object] = {
            "name": self.user,
            "password_hash": hashed,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator",
        }
        everything: dict[str, object] = {
            "user": self.user,
            "vhost": "/",
            "configure": ".*",
            "write": ".*",
            "read": ".*",
        }
        return {"users": [user], "vhosts": [{"name": "/"}], "permissions": [everything]}
