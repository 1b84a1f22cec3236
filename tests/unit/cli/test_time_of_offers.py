"""What `check` says of a pool whose calls are shorter than a create at one of its offers takes."""

from __future__ import annotations

import pytest

from tests.unit.cli.office import Office

SCALEWAY = """kind = "libcloud"
driver = "scaleway"
secret_key = { env = "OFFICE_TOKEN" }
project = "00000000-0000-4000-8000-000000000000"
zone = "fr-par-1"
"""


def at_scaleway(office: Office, *, call: str, more: str = "") -> None:
    """The office's offer is one at Scaleway, and its pool's calls last so long."""
    office.rewrite(f'kind = "local"\ndirectory = "{office.directory}/nodes"', SCALEWAY + more)
    office.rewrite('"amqp://127.0.0.1:1"', '"amqp://broker.example:5672"')
    office.rewrite(
        'provider = "cloud"',
        'provider = "cloud"\nlocation = "fr-par-1"\nsize = "DEV1-S"\n'
        'image = "11111111-1111-4111-8111-111111111111"',
    )
    office.rewrite(
        "[[pools.images.policies]]", f'[pools.images.timeouts]\ncall = "{call}"\n\n[[pools.images.policies]]'
    )


@pytest.mark.parametrize(
    ("call", "more", "told"),
    [
        ("60s", "", False),
        ("40s", "", False),
        ("10s", "", True),
        ("10s", 'create_time = "5s"', False),
        ("60s", 'create_time = "90s"', True),
    ],
)
def test_check_tells_of_calls_that_end_before_a_create_is_done(
    office: Office, call: str, more: str, told: bool
) -> None:
    """By the cloud's dialect, or by what the operator says of the account; nothing is said where there is time."""
    at_scaleway(office, call=call, more=more)

    answer = office.command("check")
    out = " ".join(answer.out.split())

    assert told is ("timeouts.call is" in out), answer
    assert "user data" in out
    assert (78 if told else 0) == answer.code
