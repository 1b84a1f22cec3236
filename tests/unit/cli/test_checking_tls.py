"""`check` of the page's certificate: what would keep it from being served is found before the daemon is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed.certificates import Authority, ServerCertificate
from tests.unit.cli.office import Office


def looked_at(office: Office, paper: ServerCertificate, key: Path) -> dict[str, Any]:
    """What `check` finds of it."""
    web = f'[web]\ntls_certificate = "{paper.certificate}"\ntls_key = "{key}"\n'
    office.rewrite("[providers.cloud]\n", f"{web}\n[providers.cloud]\n")
    found = office.command("check", "--json").facts["findings"]
    return next(each for each in found if (each["where"], each["subject"]) == ("web", "TLS"))


def test_a_pair_that_belongs_together_is_good(office: Office) -> None:
    """It is opened as the daemon would."""
    paper = Authority(office.directory / "tls").issue("127.0.0.1")

    assert looked_at(office, paper, paper.key)["ok"]


def test_an_encrypted_key_is_told_with_what_to_do(office: Office) -> None:
    """And no terminal is asked for its passphrase."""
    paper = Authority(office.directory / "tls").issue("127.0.0.1", passphrase="hush")

    found = looked_at(office, paper, paper.key)

    assert not found["ok"]
    assert "is encrypted" in found["says"]
    assert f"openssl pkey -in {paper.key} -out NEW" in found["says"]


def test_a_key_of_another_certificate_is_told(office: Office) -> None:
    """The daemon would serve nothing."""
    authority = Authority(office.directory / "tls")
    paper, other = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")

    assert not looked_at(office, paper, other.key)["ok"]
