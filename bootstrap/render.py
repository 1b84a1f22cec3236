"""The door of this room: from a `WorkerSpec` to what a machine is started with.

In go the spec, the format and the limits of the provider; out come the bytes and, for people, the same text with every
secret masked. Pure: the same spec gives the same bytes. What never happens here: half a document, because a cut-off
cloud-config would still boot a machine that costs money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from gzip import compress

from bootstrap import masking, validity
from bootstrap.cloud_config import cloud_config
from bootstrap.contract import UnusableSpec, UserData, UserDataTooLarge, WorkerSpec
from bootstrap.process import process

_FORMATS: Mapping[str, Callable[[WorkerSpec], str]] = {"cloud-config": cloud_config, "process": process}
_COMPRESSIBLE = frozenset({"cloud-config"})
"""cloud-init unpacks gzip by itself; a keeper of processes reads plain JSON."""


def render(spec: WorkerSpec, *, user_data_format: str, limit_bytes: int, gzip: bool) -> UserData:
    """What a machine for `spec` is started with.

    It is compressed only where the provider takes that (`gzip`) and the plain text passes `limit_bytes`: below the
    limit a smaller document gains nothing, and one that can be read in the provider's console helps whoever looks for a
    fault.
    Raises UnusableSpec with every problem of the spec, UserDataTooLarge with its sizes.
    """
    write = _FORMATS.get(user_data_format)
    if write is None:
        raise UnusableSpec(f"user_data_format: {user_data_format!r}, expected one of {', '.join(_FORMATS)}")
    validity.require_usable(spec)
    plain = write(spec).encode()
    compressible = gzip and user_data_format in _COMPRESSIBLE
    content = _fitted(plain, node=spec.node, limit_bytes=limit_bytes, compressible=compressible)
    return UserData(content=content, masked=write(masking.masked(spec)))


def _fitted(plain: bytes, *, node: str, limit_bytes: int, compressible: bool) -> bytes:
    if len(plain) <= limit_bytes:
        return plain
    # The time in gzip's header would make equal specs differ.
    compressed = compress(plain, mtime=0) if compressible else b""
    if compressed and len(compressed) <= limit_bytes:
        return compressed
    squeezed = f", {len(compressed)} compressed" if compressed else ""
    raise UserDataTooLarge(
        f"user data of {node} takes {len(plain)} bytes{squeezed}; this provider takes {limit_bytes}: "
        "shorten the pool's environment, or put its application into an image"
    )
