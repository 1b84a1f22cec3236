"""An authority of our own, and certificates for servers on loopback.

In go a directory and the names of a server, out come PEM files. They hold for an hour, unless told otherwise, and are
signed with elliptic curves, which takes milliseconds. What never happens here: a key that others may read.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = dt.timedelta(hours=1)
_CLOCKS_DIFFER = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What a server is started with."""

    authority: Path
    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `certificate` is what clients are given to trust."""

    def __init__(
        self, directory: Path, *, name: str = "An authority of the testbed", valid: dt.timedelta = _VALID
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._valid = valid
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _begun(self._name, self._name, self._key, self._valid)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / "authority.pem"
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, passphrase: str = "") -> ServerCertificate:
        """A certificate for a server by these names, which may be addresses. Its key is encrypted with a passphrase,
        where one is given."""
        sealed = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else None
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        signed = (
            _begun(subject, self._name, key, self._valid)
            .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        made = ServerCertificate(
            authority=self.certificate,
            certificate=self._directory / f"{signed.serial_number:x}.pem",
            key=self._directory / f"{signed.serial_number:x}.key",
        )
        made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.touch(mode=0o600)
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                sealed or serialization.NoEncryption(),
            )
        )
        return made


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + valid)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
