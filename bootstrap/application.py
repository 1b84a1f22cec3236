"""How an application comes onto a fresh machine: the packages, files and interpreter its source needs.

In goes an `Application`, out come the Debian packages it stands on and the texts of the files pip and git read. What
never happens here: a credential in a place where a command line or the worker's user could see it. pip hands the URL of
a repository to git as an argument, so credentials are taken out of it and left in a file where git looks for them.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from bootstrap.contract import Application, ApplicationSource

VIRTUAL_ENVIRONMENT = "/opt/autoscaler/venv"

_DEBIANS_PYTHON = re.compile(r"python3(\.\d+)?")


def interpreter(application: Application) -> str:
    """What runs the worker: the virtual environment's interpreter, or the image's own."""
    if application.source is ApplicationSource.IMAGE:
        return application.python
    return f"{VIRTUAL_ENVIRONMENT}/bin/python"


def packages(application: Application) -> tuple[str, ...]:
    """The Debian packages without which the application cannot be installed. None where it is in the image."""
    if application.source is ApplicationSource.IMAGE:
        return ()
    python = application.python
    # An interpreter given by its path is the image's; Debian has no package to name for it.
    python_packages = (python, f"{python}-venv") if _DEBIANS_PYTHON.fullmatch(python) else ()
    git_packages = ("git", "ca-certificates") if application.source is ApplicationSource.GIT else ()
    return (*python_packages, *git_packages)


def files(application: Application) -> dict[str, str]:
    """Path → text of the files for pip and git; all of them only for root. None where it is in the image."""
    if application.source is ApplicationSource.IMAGE:
        return {}
    texts = {
        "/etc/autoscaler/requirements.txt": _requirements(application),
        "/etc/autoscaler/pip.conf": _pip_conf(application.index_url),
    }
    if application.source is ApplicationSource.GIT and (
        credentials := _git_credentials(application.reference)
    ):
        texts["/etc/autoscaler/git/config"] = "[credential]\nhelper = store\n"
        texts["/etc/autoscaler/git/credentials"] = credentials
    return texts


def _requirements(application: Application) -> str:
    reference = application.reference
    if application.source is ApplicationSource.GIT:
        reference = _git_requirement(application)
    return "".join(f"{line}\n" for line in (reference, *application.extra_packages))


def _git_requirement(application: Application) -> str:
    """`git+https://host/path@revision#fragment`, as pip wants it, without credentials."""
    parts = urlsplit(application.reference)
    revision = f"@{application.revision}" if application.revision else ""
    # The user of an ssh address is no secret and belongs to it.
    netloc = parts.netloc.rpartition("@")[2] if _asks_for_credentials(parts) else parts.netloc
    return "git+" + urlunsplit(parts._replace(netloc=netloc, path=parts.path + revision))


def _git_credentials(reference: str) -> str:
    """The line git's credential store answers from, or nothing. A bare token is a user with an empty password."""
    parts = urlsplit(reference)
    credentials, _, host = parts.netloc.rpartition("@")
    if not credentials or not _asks_for_credentials(parts):
        return ""
    return f"{parts.scheme}://{credentials}{'' if ':' in credentials else ':'}@{host}\n"


def _asks_for_credentials(parts: SplitResult) -> bool:
    return parts.scheme in {"http", "https"}


def _pip_conf(index_url: str) -> str:
    """The settings of pip. It refuses an index by plain HTTP until its host is called trusted; naming it says so."""
    lines = [
        "[global]",
        "disable-pip-version-check = true",
        "no-input = true",
        "retries = 10",
        "timeout = 30",
    ]
    if index_url:
        lines.append(f"index-url = {index_url}")
        parts = urlsplit(index_url)
        if parts.scheme == "http":
            lines.append(f"trusted-host = {parts.netloc}")
    return "".join(f"{line}\n" for line in lines)
