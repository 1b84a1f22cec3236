"""How a run of an operator's program ends, and what that means: every exit code, and every end that nobody chose."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    ListingUnavailable,
    OutcomeUnknown,
    ProviderError,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from testbed.waiting import wait_until
from tests.unit.providers import external_stage
from tests.unit.providers.external_stage import (
    CALLS,
    LISTED,
    MADE,
    TIMEOUT_S,
    a_spec,
    an_account,
    by_verb,
    says,
)

IGNORANCE = {"create": OutcomeUnknown, "destroy": OutcomeUnknown, "list": ListingUnavailable}
MEANS: dict[tuple[str, int], type[ProviderError]] = {
    ("create", 193): CapacityRefused,
    ("create", 199): QuotaRefused,
    ("create", 194): RequestRejected,
    ("create", 195): Throttled,
    ("destroy", 194): RequestRejected,
    ("destroy", 195): Throttled,
    ("destroy", 196): InstanceAbsent,
    ("list", 195): Throttled,
}
ODD_CODES = (1, 2, 22, 70, 111, 127, 137, 192, 200, 255)


def account_ending(place: Path, verb: str, end: str) -> external_stage.ExternalProvider:
    """A provider whose program ends that verb so; before a destroy it lists what is to end."""
    scripts = {verb: end} if verb != "destroy" else {"list": external_stage.printing(LISTED), "destroy": end}
    return an_account(place, by_verb(**scripts))


@pytest.mark.parametrize("verb", IGNORANCE)
@pytest.mark.parametrize("code", [193, 194, 195, 196, 197, 198, 199, *ODD_CODES])
def test_an_exit_code_is_an_error_and_any_other_admits_ignorance(
    tmp_path: Path, verb: str, code: int
) -> None:
    """A definite no is said by its own number only, and only where the contract of the call knows it."""
    provider = account_ending(tmp_path, verb, f"echo 'sold out' >&2; exit {code}")

    with pytest.raises(ProviderError, match=rf"panel: {verb}.*ended with {code}.*sold out") as raised:
        CALLS[verb](provider)

    assert MEANS.get((verb, code), IGNORANCE[verb]) is type(raised.value)
    # Whatever it was: an order is run once.
    assert 1 == (tmp_path / "asked").read_text().count(f'"verb": "{verb}"')


@pytest.mark.parametrize("verb", IGNORANCE)
def test_a_signal_admits_ignorance(tmp_path: Path, verb: str) -> None:
    """Killed by somebody else, it may have done all or nothing."""
    provider = account_ending(tmp_path, verb, "kill -TERM $$")

    with pytest.raises(IGNORANCE[verb], match="signal 15"):
        CALLS[verb](provider)


@pytest.mark.parametrize(
    ("said", "retry_after_s"),
    [
        ("", None),
        ('{"protocol": 1}', None),
        ('{"protocol": 1, "retry_after_s": 7.5, "message": "later"}', 7.5),
        ('{"protocol": 1, "retry_after_s": 86400}', 900.0),
    ],
)
def test_who_is_throttled_is_told_for_how_long(
    tmp_path: Path, said: str, retry_after_s: float | None
) -> None:
    """As the program says it, for a quarter of an hour at most; without a word, without a time."""
    provider = an_account(tmp_path, says(said, code=195))

    with pytest.raises(Throttled) as raised:
        CALLS["create"](provider)

    assert retry_after_s == raised.value.retry_after_s


@pytest.mark.parametrize(
    "said",
    [
        "no stock", '{"protocol": 2}', '{"protocol": 1, "retry_after_s": -1}', '{"protocol": 1, "retry_after_s": NaN}',
        '{"protocol": 1, "message": 7}', '{"protocol": 1, "retry": 7}', "[]",
    ],
)  # fmt: skip
def test_a_refusal_beside_words_that_cannot_be_read_is_none(tmp_path: Path, said: str) -> None:
    """Whoever speaks no protocol 1 may not mean it by its exit code either."""
    provider = an_account(tmp_path, says(said, code=193))

    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        CALLS["create"](provider)


def test_the_message_of_a_refusal_is_told(tmp_path: Path) -> None:
    """The document's own words come before the standard error's."""
    said = {"protocol": 1, "message": "no small ones in no-1"}
    provider = an_account(tmp_path, says(said, code=193, complaint="curl: (22)"))

    with pytest.raises(CapacityRefused, match=r"create images-1.*: no small ones in no-1$"):
        CALLS["create"](provider)


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("create", lambda provider: provider.create(a_spec(), timeout_s=2.0)),
        ("list", lambda provider: provider.list_instances(timeout_s=2.0)),
    ],
)
def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, verb: str, call: Callable[[external_stage.ExternalProvider], object]
) -> None:
    """The whole process group goes, and an order that was cut off is unknown."""
    script = 'sleep 600 & echo $! > "$here/child"\necho $$ > "$here/pid"\nwait'
    provider = an_account(tmp_path, script)
    began = time.monotonic()

    with pytest.raises(IGNORANCE[verb], match="did not end within 2 s"):
        call(provider)

    assert time.monotonic() - began < 8.0
    for file in ("pid", "child"):
        assert has_ended(int((tmp_path / file).read_text()))


def has_ended(pid: int) -> bool:
    def gone() -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    wait_until(gone, deadline_s=10.0, what=f"process {pid} to be gone")
    return gone()


@pytest.mark.parametrize("how", ["", "setsid"], ids=["in its group", "in a session of its own"])
def test_who_inherited_the_pipes_is_not_waited_for(tmp_path: Path, how: str) -> None:
    """The program ended and answered; what it left behind may keep the pipes open, and write into them, for ever."""
    left = f'{how} sh -c \'echo $$ > "$1/child"; while :; do echo more >&2; sleep 0.01; done\' sh "$here" &'
    wait = 'while [ ! -s "$here/child" ]; do sleep 0.01; done'
    provider = an_account(tmp_path, f"cat >/dev/null\n{left}\n{wait}\n{external_stage.printing(MADE)}")
    began = time.monotonic()

    assert "vm-1" == provider.create(a_spec(), timeout_s=TIMEOUT_S).instance_id

    assert time.monotonic() - began < 10.0
    child = int((tmp_path / "child").read_text())
    if how:
        os.killpg(child, signal.SIGKILL)
    assert has_ended(child)


def test_an_interrupted_call_leaves_no_program_behind(tmp_path: Path) -> None:
    """Ctrl-C on a command ends the run that it waits for."""
    provider = an_account(tmp_path, 'echo $$ > "$here/pid"\nsleep 600')

    class Interrupted:
        def monotonic(self) -> float:
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
                raise KeyboardInterrupt
            return time.monotonic()

    provider._clock = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        CALLS["create"](provider)

    assert has_ended(int((tmp_path / "pid").read_text()))


def test_a_program_that_does_not_listen_may_answer(tmp_path: Path) -> None:
    """A user data larger than any pipe is not waited for to be read."""
    provider = an_account(tmp_path, external_stage.printing(MADE), user_data_limit_bytes=1_000_000)

    made = provider.create(a_spec(user_data=b"#" * 1_000_000), timeout_s=TIMEOUT_S)

    assert "images-1" == made.name


@pytest.mark.parametrize("verb", IGNORANCE)
def test_a_program_that_cannot_be_started_did_nothing(tmp_path: Path, verb: str) -> None:
    """An order that never ran is refused as our fault; a look is none."""
    provider = an_account(tmp_path, "")
    (tmp_path / "program.sh").unlink()
    expected = (
        RequestRejected if verb == "create" else OutcomeUnknown if verb == "destroy" else ListingUnavailable
    )

    with pytest.raises(expected, match=r"program\.sh cannot be started: No such file"):
        CALLS[verb](provider)
    (finding, _) = provider.check(external_stage.PURCHASE, timeout_s=TIMEOUT_S)
    assert ("program", False) == (finding.subject, finding.ok)


def test_a_program_that_is_just_being_written_is_tried_again(tmp_path: Path) -> None:
    """An upgrade under way is no fault of the configuration."""
    provider = an_account(tmp_path, "exit 0", command=[str(tmp_path / "binary")])
    binary = tmp_path / "binary"
    binary.write_bytes(Path("/bin/true").read_bytes())
    binary.chmod(0o700)

    with binary.open("ab"), pytest.raises(Throttled, match="busy"):
        CALLS["create"](provider)
