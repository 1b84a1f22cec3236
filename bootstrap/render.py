"""The door of this room: from a `WorkerSpec` to what a machine is started with.

In go the spec, the format and the limits of the provider; out come the bytes and, for people, the same text with every
secret masked. Pure: the same spec gives the same bytes. What never happens here: half a document, because a cut-off
cloud-config would still boot a machine that costs money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from gzip import compress

from bootstrap import masking, validity
from bootstrap.cloud_config import cloud_config
from bootstrap.contract import UnusableSpec, UserData, UserDataTooLarge, WorkerSpec
from bootstrap.process import process

_FORMATS: Mapping[str, Callable[[WorkerSpec], str]] = {"cloud-config": cloud_config, "process": process}
_SMALLER: Mapping[str, tuple[Callable[[WorkerSpec], str], ...]] = {
    "cloud-config": (
        partial(cloud_config, packed=True),
        partial(cloud_config, packed=True, marks_drains=False),
    )
}
"""Ever smaller. cloud-init unpacks gzip by itself, of the document or of single files; a keeper of processes reads
plain JSON."""


def render(spec: WorkerSpec, *, user_data_format: str, limit_bytes: int, gzip: bool) -> UserData:
    """What a machine for `spec` is started with.

    It is compressed only where the plain text passes `limit_bytes`: below the limit a smaller document gains nothing,
    and one that can be read in the provider's console helps whoever looks for a fault. It is compressed as a whole
    where the provider takes that (`gzip`), and else file by file; then what a worker can do without is left out.
    Raises UnusableSpec with every problem of the spec, UserDataTooLarge with its sizes.
    """
    write = _FORMATS.get(user_data_format)
    if write is None:
        raise UnusableSpec(f"user_data_format: {user_data_format!r}, expected one of {', '.join(_FORMATS)}")
    validity.require_usable(spec)
    plain = write(spec).encode()
    content = plain
    for smaller in _smaller(spec, plain, user_data_format, gzip=gzip):
        if len(content) <= limit_bytes:
            break
        content = smaller()
    if len(content) > limit_bytes:
        raise _too_large(spec, plain, content, limit_bytes=limit_bytes)
    return UserData(content=content, masked=write(masking.masked(spec)))


def _smaller(
    spec: WorkerSpec, plain: bytes, user_data_format: str, *, gzip: bool
) -> Iterator[Callable[[], bytes]]:
    packs = _SMALLER.get(user_data_format, ())
    if gzip and packs:
        # The time in gzip's header would make equal specs differ.
        yield partial(compress, plain, mtime=0)
    elif not gzip:
        yield from (partial(_written, pack, spec) for pack in packs)


def _written(write: Callable[[WorkerSpec], str], spec: WorkerSpec) -> bytes:
    return write(spec).encode()


def _too_large(spec: WorkerSpec, plain: bytes, smallest: bytes, *, limit_bytes: int) -> UserDataTooLarge:
    squeezed = f", {len(smallest)} compressed" if smallest is not plain else ""
    return UserDataTooLarge(
        f"user data of {spec.node} takes {len(plain)} bytes{squeezed}; this provider takes {limit_bytes}: "
        "shorten the pool's environment and files, or put its application into an image"
    )
