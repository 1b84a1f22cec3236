"""Where a journal may be kept: an absolute path of SQLite's, or a database of PostgreSQL's without the password.

In goes the text of `journal.url`, out comes the same text, or what is wrong with it. What never happens here: a part of
it in a message, because somebody may have written a password into it.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic_core import PydanticCustomError

from autoscaler.config.values import wrong

_FILE = "sqlite:////"
_SERVER = ("postgresql+psycopg", "postgresql")
_EXPECTED_FILE = f"{_FILE}path/to/journal.db (four slashes: an absolute path)"
_EXPECTED_SERVER = "postgresql+psycopg://USER@HOST/DATABASE"
_OPTIONS = frozenset(
    {
        "channel_binding",
        "gssencmode",
        "host",
        "options",
        "passfile",
        "port",
        "require_auth",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
"""Parameters of libpq that say which server it is and how to trust it. Time-outs and names are ours to set."""


def checked(url: str) -> str:
    """The same URL. Raises PydanticCustomError for one that no journal can be kept at."""
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return _file(url)
    if scheme in _SERVER:
        return _server(url)
    advice = "Write postgresql+psycopg." if scheme.startswith("postgres") else ""
    raise wrong(
        "an address of another kind (not shown)",
        f"{_EXPECTED_FILE}, or {_EXPECTED_SERVER} for a pair",
        advice,
    )


def _file(url: str) -> str:
    if url in {"sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:", _FILE}:
        raise wrong("no file", _EXPECTED_FILE, "A journal in memory would forget machines that cost money.")
    if not url.startswith(_FILE) or not url.isprintable():
        advice = (
            "Started from another folder, the daemon would begin an empty journal and forget its machines."
        )
        raise wrong("a relative path", _EXPECTED_FILE, advice)
    return url


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = parts.hostname or ""
        _ = parts.port
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _unlike("an address that cannot be read (not shown)") from None
    _require_no_password(parts, given)
    if not url.isprintable() or " " in url or parts.fragment or not url.startswith(f"{parts.scheme}://"):
        raise _unlike("an address with `#`, a space, or not two slashes (not shown)")
    if not parts.path.strip("/") or "/" in parts.path.strip("/"):
        raise _unlike("no database, or more than a name behind the host")
    if not named and "host" not in given:
        advice = "For a socket write postgresql+psycopg://USER@/DATABASE?host=/run/postgresql."
        raise _unlike("no host", advice)
    unknown = sorted(given.keys() - _OPTIONS)
    if unknown:
        raise wrong(
            f"the parameter {unknown[0]}" if unknown[0].isidentifier() else "an odd parameter (not shown)",
            f"any of {', '.join(sorted(_OPTIONS))}",
        )
    return url


def _require_no_password(parts: SplitResult, given: dict[str, str]) -> None:
    if parts.password is not None or parts.netloc.count("@") > 1 or any("password" in key for key in given):
        raise wrong(
            "an address with a password (not shown)",
            _EXPECTED_SERVER,
            "The password has a key of its own: journal.password. If it was real, treat it as seen.",
        )


def _unlike(found: str, advice: str = "") -> PydanticCustomError:
    return wrong(found, _EXPECTED_SERVER, advice)
