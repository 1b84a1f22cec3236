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
HOME = "/var/lib/autoscaler"
"""The home of the worker's user, and its working directory where nothing else is said."""
UNPACKED = "/opt/autoscaler/application"
"""Where a tarball goes unless the operator says otherwise: like the virtual environment it belongs to root."""
REQUIREMENTS = "/etc/autoscaler/requirements.txt"
BROUGHT = "/etc/autoscaler/requirements-brought.txt"
"""Whoever unpacks a tarball writes here whether it brought requirements of its own."""

_DEBIANS_PYTHON = re.compile(r"python3(\.\d+)?")


def interpreter(application: Application) -> str:
    """What runs the worker: the virtual environment's interpreter, or the image's own."""
    if application.source is ApplicationSource.IMAGE:
        return application.python
    return f"{VIRTUAL_ENVIRONMENT}/bin/python"


def directory(application: Application) -> str:
    """Where the worker runs, and where a tarball is unpacked."""
    return application.directory or (UNPACKED if application.source is ApplicationSource.TARBALL else HOME)


def packages(application: Application) -> tuple[str, ...]:
    """The Debian packages without which the application cannot be installed. None where it is in the image."""
    if application.source is ApplicationSource.IMAGE:
        return ()
    python = application.python
    # An interpreter given by its path is the image's; Debian has no package to name for it.
    python_packages = (python, f"{python}-venv") if _DEBIANS_PYTHON.fullmatch(python) else ()
    git_packages = ("git", "ca-certificates") if application.source is ApplicationSource.GIT else ()
    return (*python_packages, *git_packages)


def files(application: Application, *, proxy: str = "") -> dict[str, str]:
    """Path → text of the files for pip and git; all of them only for root. None where it is in the image."""
    if application.source is ApplicationSource.IMAGE:
        return {}
    texts = {
        REQUIREMENTS: _requirements(application),
        "/etc/autoscaler/pip.conf": _pip_conf(application, proxy),
    }
    git = f'[http]\nproxy = "{proxy}"\n' if proxy else ""
    if application.source is ApplicationSource.GIT and (
        credentials := _git_credentials(application.reference)
    ):
        git += "[credential]\nhelper = store\n"
        texts["/etc/autoscaler/git/credentials"] = credentials
    if git:
        texts["/etc/autoscaler/git/config"] = git
    return texts


def _requirements(application: Application) -> str:
    """A line each, in pip's own syntax."""
    own: tuple[str, ...] = (application.reference,)
    if application.source is ApplicationSource.GIT:
        own = (_git_requirement(application),)
    elif application.source is ApplicationSource.WHEEL and application.sha256:
        own = (_wheel_requirement(application),)
    elif application.source is ApplicationSource.TARBALL:
        # With its checksum, so that other content makes another file of requirements, which an image is known by.
        own = (f"# sha256:{application.sha256}", f"--requirement {BROUGHT}")
    return "".join(f"{line}\n" for line in (*own, *application.extra_packages))


def _wheel_requirement(application: Application) -> str:
    """What stands in the fragment pip checks for this wheel alone; an option would demand hashes of all others too."""
    if application.require_hashes:
        return f"{application.reference} --hash=sha256:{application.sha256}"
    return f"{application.reference}#sha256={application.sha256}"


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


def _pip_conf(application: Application, proxy: str) -> str:
    """The settings of pip. It refuses an index by plain HTTP until its host is called trusted; naming it says so."""
    index_url = application.index_url
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
    if proxy:
        lines.append(f"proxy = {proxy}")
    if application.require_hashes:
        lines += ["[install]", "require-hashes = true"]
    return "".join(f"{line}\n" for line in lines)
