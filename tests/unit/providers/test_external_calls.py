"""How an operator's program is called: once, told what it must know and no more, and only by who may give orders."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceId,
    ListingUnavailable,
    NotSent,
    OutcomeUnknown,
    ProviderOptionsWrong,
    RequestRejected,
    Throttled,
)
from tests.unit.providers.external_stage import (
    CALLS,
    LISTED,
    MADE,
    ROW,
    SECRET,
    TIMEOUT_S,
    a_spec,
    an_account,
    by_verb,
    printing,
    says,
)

KEEP_ALL = (
    f'cat > "$here/stdin"; env > "$here/env"; echo "$@" > "$here/argv"; pwd > "$here/pwd"; {printing(MADE)}'
)
DONE = printing({"protocol": 1})


def asked(place: Path) -> list[str]:
    """The verbs that the program was run with."""
    file = place / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["verb"] for line in lines]


def test_a_create_is_told_on_the_standard_input_alone(tmp_path: Path) -> None:
    """The whole document, as the protocol's page has it; secrets neither in arguments nor in the environment."""
    user_data = b"#cloud-config\npassword: hunter2-of-the-broker\n"
    provider = an_account(
        tmp_path,
        KEEP_ALL,
        arguments=("--panel", "a b"),
        settings={"url": "https://panel.example", "retries": 0},
    )
    provider.create(a_spec(user_data=user_data), timeout_s=TIMEOUT_S)

    document = json.loads((tmp_path / "stdin").read_text())
    assert 0 < document.pop("timeout_s") <= TIMEOUT_S
    assert document == {
        "protocol": 1,
        "verb": "create",
        "fleet": "shop",
        "settings": {"url": "https://panel.example", "retries": 0},
        "secrets": {"token": SECRET},
        "create": {
            "name": "images-1",
            "pool": "images",
            "size": "small",
            "image": "debian-12",
            "location": "no-1",
            "user_data_base64": base64.b64encode(user_data).decode(),
        },
    }
    assert "--panel a b\n" == (tmp_path / "argv").read_text()
    assert "/\n" == (tmp_path / "pwd").read_text()
    elsewhere = (tmp_path / "argv").read_text() + (tmp_path / "env").read_text()
    assert not [secret for secret in (SECRET, "hunter2") if secret in elsewhere]


def test_the_environment_is_what_the_operator_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few variables that programs cannot do without, those named, and nothing else of the daemon's."""
    monkeypatch.setenv("RABBITMQ_PASSWORD", "of-the-broker")
    provider = an_account(tmp_path, KEEP_ALL, environment={"PANEL_CA": "/etc/panel.pem", "TZ": "UTC"})
    CALLS["create"](provider)

    given = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    own = {"PWD", "_", "SHLVL", "OLDPWD"}  # the shell's
    assert set(given) - own <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PANEL_CA"}
    assert ("/etc/panel.pem", "UTC", os.environ["PATH"]) == (given["PANEL_CA"], given["TZ"], given["PATH"])


def test_an_argument_is_no_shell_line(tmp_path: Path) -> None:
    """What a shell would obey arrives as it is."""
    CALLS["create"](an_account(tmp_path, KEEP_ALL, arguments=("$(touch /tmp/x); *", "a|b")))

    assert "$(touch /tmp/x); * a|b\n" == (tmp_path / "argv").read_text()


@pytest.mark.parametrize(
    "leak",
    [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode().rstrip("="), "of-the-proxy",
     "hunter2-of-the-broker", "s3cr3t", "A" * 60],
    ids=["secret", "in a URL", "in base64", "environment", "user data", "password of a URL", "long run"],
)  # fmt: skip
def test_no_secret_that_a_program_lets_slip_is_told(tmp_path: Path, leak: str) -> None:
    """Neither from its message nor from its standard error, nor by what an error is chained to."""
    user_data = b"#cloud-config\n- hunter2-of-the-broker\n- amqp://worker:s3cr3t@rabbit.example:5672\n"
    (tmp_path / "leak").write_text(f"panel said no to {leak} today")
    leaks = 'cat >/dev/null; cat "$here/leak" >&2; exit 194'
    provider = an_account(tmp_path, leaks, environment={"PROXY_PASSWORD": "of-the-proxy"})

    with pytest.raises(RequestRejected, match=r"panel said no to .* today") as raised:
        provider.create(a_spec(user_data=user_data), timeout_s=TIMEOUT_S)

    assert leak not in f"{raised.value} {raised.value.__cause__} {raised.value.__context__} {provider!r}"
    assert leak not in repr(provider._account)


def test_compressed_user_data_is_not_told_either(tmp_path: Path) -> None:
    """The machine unpacks it, and so may a program that lets it slip."""
    (tmp_path / "leak").write_text("no: hunter2-of-the-broker")
    provider = an_account(tmp_path, 'cat >/dev/null; cat "$here/leak" >&2; exit 194', user_data_gzip=True)
    packed = gzip.compress(b"#cloud-config\n- hunter2-of-the-broker\n")

    with pytest.raises(RequestRejected, match=r"no: …$"):
        provider.create(a_spec(user_data=packed), timeout_s=TIMEOUT_S)


def test_of_a_long_complaint_the_end_is_told_on_one_line(tmp_path: Path) -> None:
    """The last line, without what a terminal would obey, cut to what a log takes."""
    complaint = "Traceback\n" * 100_000 + "out of \033[31mstock" + " word" * 500 + "\n\n"
    (tmp_path / "complaint").write_text(complaint)

    with pytest.raises(CapacityRefused, match=r"ended with 193: out of +\[31mstock word") as raised:
        CALLS["create"](an_account(tmp_path, 'cat >/dev/null; cat "$here/complaint" >&2; exit 193'))

    assert len(str(raised.value)) < 500
    assert str(raised.value).isprintable()


def test_leave_is_asked_right_before_the_program_is_run(tmp_path: Path) -> None:
    """Without it no order is run; a look is."""
    provider = an_account(
        tmp_path, by_verb(list=printing(LISTED), create=printing(MADE), destroy=DONE), may_act=lambda: False
    )

    with pytest.raises(NotSent):
        CALLS["create"](provider)
    with pytest.raises(NotSent):
        CALLS["destroy"](provider)

    assert ["list"] == asked(tmp_path)


def test_leave_that_ends_between_two_ends_leaves_it_unknown(tmp_path: Path) -> None:
    """Of two machines of one name the first may be on its way."""
    leaves = iter([True, False])
    twice = {**LISTED, "machines": [ROW, {**ROW, "id": "vm-2"}]}
    provider = an_account(tmp_path, by_verb(list=printing(twice), destroy=DONE), may_act=lambda: next(leaves))

    with pytest.raises(OutcomeUnknown, match="lease"):
        provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert ["list", "destroy"] == asked(tmp_path)


def test_only_what_is_listed_under_our_mark_is_ended(tmp_path: Path) -> None:
    """Whatever the program would do: it is never asked for the end of another machine."""
    theirs = {**ROW, "id": "vm-9", "fleet": "staging"}
    listed = {**LISTED, "machines": [ROW, theirs]}
    provider = an_account(tmp_path, by_verb(list=printing(listed), destroy=DONE))

    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", InstanceId("vm-9"), timeout_s=TIMEOUT_S)
    with pytest.raises(InstanceAbsent):
        provider.destroy("images-7", None, timeout_s=TIMEOUT_S)
    assert ["list", "list"] == asked(tmp_path)
    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert {"name": "images-1", "id": "vm-1"} == json.loads(
        (tmp_path / "asked").read_text().splitlines()[-1]
    )["destroy"]


def test_what_is_ending_is_not_asked_to_end_again(tmp_path: Path) -> None:
    """The wish was taken; only a listing will tell when it has gone."""
    listed = {**LISTED, "machines": [{**ROW, "state": "ending"}]}
    provider = an_account(tmp_path, by_verb(list=printing(listed), destroy=DONE))

    CALLS["destroy"](provider)

    assert ["list"] == asked(tmp_path)


def test_an_incomplete_listing_proves_nobody_absent(tmp_path: Path) -> None:
    """A machine that it does not show may stand: its end is still to be asked for."""
    cut = {"protocol": 1, "machines": [], "complete": False, "why_incomplete": "page 2 did not come"}

    with pytest.raises(OutcomeUnknown, match="page 2 did not come"):
        CALLS["destroy"](an_account(tmp_path, says(cut)))


def test_one_at_a_time_is_one_at_a_time(tmp_path: Path) -> None:
    """`at_once = 1`: a run begins when the one before has ended."""
    alone = 'mkdir "$here/busy" || touch "$here/together"; sleep 0.1; rmdir "$here/busy"'
    script = f"cat >/dev/null; {alone}; {printing(LISTED)}"
    provider = an_account(tmp_path, script, at_once=1)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: provider.list_instances(timeout_s=TIMEOUT_S), range(4)))

    assert not (tmp_path / "together").exists()


def test_who_waits_for_a_turn_too_long_did_nothing(tmp_path: Path) -> None:
    """An order may be given again soon; a look was none."""
    provider = an_account(
        tmp_path, f'cat >/dev/null; touch "$here/runs"; sleep 3; {printing(LISTED)}', at_once=1
    )
    slow = threading.Thread(target=lambda: provider.list_instances(timeout_s=TIMEOUT_S))
    slow.start()
    until = time.monotonic() + TIMEOUT_S
    while not (tmp_path / "runs").exists() and time.monotonic() < until:
        time.sleep(0.01)

    with pytest.raises(Throttled, match="not run: 1 other"):
        provider.create(a_spec(), timeout_s=0.2)
    with pytest.raises(ListingUnavailable, match="not run"):
        provider.list_instances(timeout_s=0.2)
    slow.join(TIMEOUT_S)


@pytest.mark.parametrize(
    ("options", "says_"),
    [
        ({"command": []}, r"providers\.panel\.command"),
        ({"command": "/bin/true"}, r"providers\.panel\.command: a str; expected a list"),
        ({"command": ["true"]}, r"command: 'true'; expected the absolute path"),
        ({"command": ["/bin/true", ""]}, r"command"),
        ({"command": ["/bin/true", 7]}, r"command"),
        ({"at_once": 0}, r"at_once.*from 1 to 64"),
        ({"settle_s": -1}, r"settle_s"),
        ({"settings": []}, r"settings"),
        ({"settings": {"a": float("nan")}}, r"settings"),
        ({"settings": {"a": object()}}, r"settings"),
        ({"secrets": {"token": 7}}, r"secrets\.token: a int; expected a text"),
        ({"environment": {"A=B": "x"}}, r"environment"),
        ({"environment": {"A": "x\0y"}}, r"environment\.A"),
        ({"directory": "here"}, r"directory"),
        ({"comand": ["/bin/true"]}, r"comand: not an option here"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    tmp_path: Path, options: dict[str, object], says_: str
) -> None:
    """At the opening, before anything is run, and without the value of a secret."""
    with pytest.raises(ProviderOptionsWrong, match=says_) as raised:
        an_account(tmp_path, "", **options)

    assert SECRET not in str(raised.value)
