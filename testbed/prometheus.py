"""A private Prometheus, beside whatever else runs on this machine.

Goes in: a directory, what it is to scrape, and files of rules. Comes out: a server on a free loopback port that can be
asked. It needs the Debian package `prometheus` but never that package's service, user or files, and nothing of it is
left running: it is our child, ended by process id.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from testbed import ports, waiting

START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 20.0
HTTP_TIMEOUT_S = 20.0
LOG_LINES_SHOWN = 30


class PrometheusFailed(RuntimeError):
    """The private server could not be started, or refused what it was asked."""


class PrivatePrometheus:
    """One server that scrapes `target` (HOST:PORT) each second; a context manager that starts it and stops it."""

    def __init__(self, directory: Path, *, target: str, rules: tuple[Path, ...] = ()) -> None:
        self.port = ports.free_port()
        self._directory = directory.resolve()
        self._target = target
        self._rules = rules
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        program = shutil.which("prometheus")
        if program is None:
            raise PrometheusFailed("there is no prometheus: install the Debian package")
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in self._rules],
            "scrape_configs": [{"job_name": "autoscaler", "static_configs": [{"targets": [self._target]}]}],
        }
        (self._directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        with self._log.open("ab") as output:
            self._server = subprocess.Popen(
                [
                    program,
                    f"--config.file={self._directory}/prometheus.yml",
                    f"--storage.tsdb.path={self._directory}/data",
                    f"--web.listen-address={ports.LOOPBACK}:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C on a terminal is for who started us, who then stops us
            )
        try:
            waiting.wait_until(
                self._is_ready, START_DEADLINE_S, lambda: f"Prometheus to be ready\n{self.tail()}"
            )
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """End it. Stopping twice is harmless."""
        if self._server is None or self._server.poll() is not None:
            return
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def ask(self, path: str, **query: str | float) -> Any:
        """The data of its answer. Raises PrometheusFailed for an error, and for a warning."""
        answer = requests.get(
            f"http://{ports.LOOPBACK}:{self.port}/api/v1/{path}", params=query, timeout=HTTP_TIMEOUT_S
        ).json()
        if answer["status"] != "success" or answer.get("warnings"):
            raise PrometheusFailed(f"{path} {query}: {answer.get('error') or answer.get('warnings')}")
        return answer["data"]

    def tail(self) -> str:
        """The end of its log, for a failure's message."""
        return "\n".join(self._log.read_text().splitlines()[-LOG_LINES_SHOWN:])

    @property
    def _log(self) -> Path:
        return self._directory / "output.log"

    def _is_ready(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            raise PrometheusFailed(f"it ended with {self._server.returncode}\n{self.tail()}")
        try:
            return requests.get(f"http://{ports.LOOPBACK}:{self.port}/-/ready", timeout=1).status_code == 200
        except requests.RequestException:
            return False
