"""Whatever the secrets are and whoever repeats them: no report holds one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from autoscaler.cli import checking, examining, surroundings
from autoscaler.cli.checking import Checked
from autoscaler.config.secret import MASK
from providers.contract import Finding
from tests.unit.cli.office import Office
from tests.unit.core.builders import a_node
from tests.unit.journal.records import a_transition

SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=60
).filter(lambda text: text.strip("\r\n") == text and text not in MASK)
PANEL = """
[providers.panel]
kind = "external"
command = ["/opt/panel"]
secrets = {{ token = {{ file = "{directory}/token" }} }}
environment = {{ LOGIN = {{ env = "OFFICE_LOGIN" }} }}
"""


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield str(value)


def _repeated(secret: str) -> str:
    """How somebody else may say it."""
    return f"{secret} or {secret!r} or {json.dumps(secret)} or https://h/?key={quote(secret)} in {[secret]}"


def _report(office: Office, given_secrets: Mapping[str, str]) -> Mapping[str, Any]:
    """A report while everybody who may say something says all secrets."""
    echo = " ".join(map(_repeated, given_secrets.values()))
    says = Checked(where=echo, finding=Finding(subject="login", ok=False, says=echo), code=1)
    with (
        mock.patch.dict(os.environ, {name: text for name, text in given_secrets.items() if name != "token"}),
        mock.patch.object(checking, "services", return_value=[says]),
        mock.patch.object(surroundings, "log", return_value={"trouble": [echo, {"at": echo}]}),
        mock.patch.object(surroundings, "service", side_effect=OSError(echo)),
    ):
        return examining.report(office.config, last=5)


@given(password=SECRETS, token=SECRETS, login=SECRETS, spoiled=st.booleans())
@example(password="4711", token="true", login="images", spoiled=False)
@example(password="aaaa", token="aaaaaaab", login="baaaa", spoiled=True)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_configured_secret_is_ever_in_a_report(
    password: str, token: str, login: str, *, spoiled: bool
) -> None:
    """Not as it is written in the configuration, in a journal, in a log, in an error; not of a configuration that is
    wrong; and not in what is printed."""
    secrets = {"OFFICE_PASSWORD": password, "OFFICE_TOKEN": token, "OFFICE_LOGIN": login, "token": token}
    with tempfile.TemporaryDirectory() as place:
        office = Office(Path(place))
        (office.directory / "token").write_bytes(token.encode())
        office.config.write_text(office.config.read_text() + PANEL.format(directory=place))
        echo = " ".join(map(_repeated, secrets.values()))
        office.on_record(a_node("n1", reason=echo), moves=[a_transition("n1", reason=echo)])
        if spoiled:
            office.rewrite('name = "shop"', 'name = "no name at all"')
        assume(not any(secret in place for secret in secrets.values()))
        document = _report(office, secrets)

    assert spoiled == (document["configuration"]["settings"] is None)
    printed = json.loads(json.dumps(document)), yaml.safe_load(yaml.safe_dump(document, allow_unicode=True))
    for shown in (document, *printed):
        leaves = list(_leaves(shown))
        assert any(MASK in leaf for leaf in leaves)
        assert [] == [leaf for leaf in leaves for secret in secrets.values() if secret in leaf]
