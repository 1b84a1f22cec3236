"""What people may see of a spec: the same spec with every secret replaced.

In goes a `WorkerSpec`, out comes one that renders to the same text with marks where secrets were. Masking before
rendering, not after, leaves nothing to search for in text that was quoted and encoded on its way. In doubt more is
hidden.
"""

from __future__ import annotations

from dataclasses import replace

from bootstrap.contract import WorkerSpec

MASK = "********"


def masked(spec: WorkerSpec) -> WorkerSpec:
    """`spec` without the values of its environment, its token, the contents of its secret files, the broker's password
    and the credentials in its URLs."""
    application = spec.application
    return replace(
        spec,
        environment=dict.fromkeys(spec.environment, MASK),
        broker_url=_broker_url(spec.broker_url),
        token=MASK if spec.token else "",
        files=tuple(replace(file, content=MASK) if file.is_secret else file for file in spec.files),
        system=replace(spec.system, proxy=url(spec.system.proxy)),
        application=replace(
            application,
            reference=url(application.reference),
            index_url=url(application.index_url),
            extra_packages=tuple(url(package) for package in application.extra_packages),
        ),
    )


def url(text: str) -> str:
    """`text` without the user information and the query of the URL in it; a token may stand in either."""
    scheme, found, rest = text.partition("://")
    if not found:
        return text
    _, found_credentials, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    user_information = f"{MASK}@" if found_credentials else ""
    return f"{scheme}://{user_information}{place}{query}{MASK if query else ''}"


def _broker_url(text: str) -> str:
    """Each broker's URL without its password and query. Celery takes several, with `;` between them."""
    return ";".join(_one_broker_url(part) for part in text.split(";")) if text else ""


def _one_broker_url(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if not found:
        # Half of a URL whose password holds a `;`, or no URL at all.
        return MASK
    credentials, found_credentials, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    user, has_password, _ = credentials.partition(":")
    shown = f"{user}{has_password}{MASK if has_password else ''}{found_credentials}"
    return f"{scheme}://{shown}{place}{query}{MASK if query else ''}"
