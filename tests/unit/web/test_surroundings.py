"""What a replay is told by its environment: enough to run, and no secret but the journal's."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.web import surroundings

DAEMONS = {
    "PATH": "/usr/bin", "HOME": "/var/lib/autoscaler", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": "/opt",
    "CREDENTIALS_DIRECTORY": "/run/credentials", "PGPASSWORD": "pg",
    "AUTOSCALER_BROKER_PASSWORD": "hush", "AUTOSCALER_WEB_TOKEN": "hush", "HCLOUD_TOKEN": "hush",
    "AWS_SECRET_ACCESS_KEY": "hush", "JOURNAL_PASSWORD": "pg", "NOTIFY_SOCKET": "/run/systemd/notify",
    "WATCHDOG_USEC": "1", "LISTEN_FDS": "1",
}  # fmt: skip
PLAIN = {"PATH", "HOME", "LC_ALL", "TZ", "PYTHONPATH", "CREDENTIALS_DIRECTORY", "PGPASSWORD"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ('[journal]\npassword = { env = "JOURNAL_PASSWORD" }\n', {"JOURNAL_PASSWORD"}),
        ('[journal]\npassword = { credential = "journal" }\n', set()),
        ('[broker]\npassword = { env = "AUTOSCALER_BROKER_PASSWORD" }\n', set()),
        ("this is no TOML", set()),
        ('journal = "none"', set()),
    ],
)
def test_a_replay_is_given_the_journals_password_and_no_other(
    tmp_path: Path, text: str, more: set[str]
) -> None:
    """It reads the journal alone; brokers and clouds are nothing to it, and the token is the page's."""
    config = tmp_path / "config.toml"
    config.write_text(text)

    given = surroundings.of_a_replay(DAEMONS, config)

    assert PLAIN | more == given.keys()
    assert all(DAEMONS[name] == of for name, of in given.items())


def test_a_configuration_that_is_gone_is_the_replays_to_complain_of(tmp_path: Path) -> None:
    """It says so in words, where the page shows them."""
    assert PLAIN == surroundings.of_a_replay(DAEMONS, tmp_path / "gone.toml").keys()
