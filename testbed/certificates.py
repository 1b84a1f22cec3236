"""An authority of one's own and a certificate that it signed, for private servers that speak TLS.

In goes a directory, out come PEM files in it, made anew each time. They are good for an hour.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.ports import LOOPBACK

_LIFE = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Where the files are."""

    authority: Path
    certificate: Path
    key: Path


def make(directory: Path, *, name: str = "localhost") -> Certificates:
    """Of a server with that name and the loopback address."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Certificates(
        authority=directory / "authority.pem",
        certificate=directory / "server.pem",
        key=directory / "server.key",
    )
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder("testbed", "testbed", authority_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    server = _builder(name, "testbed", server_key.public_key()).add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    for path, builder in (made.authority, authority), (made.certificate, server):
        signed = builder.sign(authority_key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    made.key.write_bytes(server_key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return made


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
    )
