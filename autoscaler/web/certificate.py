"""The server's certificate and key, as a context for TLS.

Two files in, a context out, or in words why not. What never happens here: a question to whoever sits at a terminal.
"""

from __future__ import annotations

import ssl
from typing import NoReturn


class Unusable(Exception):
    """Says in words what is wrong, and what to do."""


class NotForUs(Unusable):
    """Who runs this may not read the files."""


class _Encrypted(Exception):
    """A passphrase is asked for."""


def context(certificate: str, key: str) -> ssl.SSLContext:
    """What a server speaks TLS by. Raises Unusable."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        made.load_cert_chain(certificate, key, password=_nobody_answers)
    except _Encrypted:
        raise Unusable(
            f"the key in {key} is encrypted, and nobody is there to type its passphrase: write one without "
            f"(openssl pkey -in {key} -out NEW, readable by the daemon's user alone), and name that as tls_key"
        ) from None
    except PermissionError as error:
        raise NotForUs(
            "this user may not read the certificate or its key; the daemon's user must be able to"
        ) from error
    except OSError as error:  # ssl.SSLError is one
        raise Unusable(
            f"the certificate or its key cannot be used: {error.strerror or error}. Both must be PEM files that the "
            "daemon's user may read, and belong together"
        ) from error
    return made


def _nobody_answers() -> NoReturn:
    raise _Encrypted
