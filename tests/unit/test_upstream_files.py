"""One upstream file: when it is written, what its reader is told, and for how long a machine is exposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.core import upstream
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.published import Published
from autoscaler.core.upstream import Listings, Server, Upstream
from autoscaler.gateways.nginx import NotTaken
from autoscaler.upstream_files import Publication, Upstreams
from providers.contract import Listing, NodeName
from tests.unit.core.builders import CLOUD, POOL, a_node, a_pool, an_instance
from tests.unit.stand_ins import FixedClock, Heard

FILE = "/upstream/images.conf"
ADDRESSES = {f"n{number}": f"10.0.0.{number}" for number in range(1, 7)}
SEEN: Listings = {
    CLOUD: Listing(
        instances=tuple(an_instance(name, addresses=(address,)) for name, address in ADDRESSES.items()),
        complete=True,
    )
}
UNSEEN: Listings = {CLOUD: Missing(why="no answer")}
PUBLICATION = Publication(
    upstream=Upstream(pool=a_pool(), file=FILE, port=8000, address="private"),
    reload=("/reload",),
    check=("/check",),
    linger_s=60.0,
)


class Computer:
    """Files and commands in memory, and a diary of what was done."""

    def __init__(self, text: str | None = None) -> None:
        self.files: dict[str, str] = {} if text is None else {FILE: text}
        self.diary: list[str] = []
        self.failing: dict[str, str] = {}
        self.silent: set[str] = set()
        self.broken_disk = False

    def written(self, file: Path) -> str | None:
        if self.broken_disk:
            raise PermissionError(13, "Permission denied", str(file))
        return self.files.get(str(file))

    def write(self, file: Path, text: str) -> None:
        self.diary.append(f"write {' '.join(each.node for each in upstream.read(text)) or 'nobody'}")
        self.files[str(file)] = text

    def remove(self, file: Path) -> None:
        self.diary.append("remove")
        self.files.pop(str(file), None)

    def run(self, command: tuple[str, ...], *, timeout_s: float) -> None:
        self.diary.append(command[0])
        if command[0] in self.failing:
            raise NotTaken(self.failing[command[0]])

    def answers(self, address: str, port: int, path: str | None, *, timeout_s: float) -> bool:
        return address not in self.silent


class Stage:
    """One file, kept by hand: `tick` is what the loop does and what the file's thread does after it."""

    def __init__(self, computer: Computer | None = None, publication: Publication = PUBLICATION) -> None:
        self.computer = computer or Computer()
        self.clock, self.log = FixedClock(), Heard()
        self.may_act = True
        self.upstreams = Upstreams(
            clock=self.clock,
            log=self.log,
            may_act=lambda: self.may_act,
            outside=self.computer,
            threads=False,
        )
        self.upstreams.configure({POOL: publication})
        self.now: tuple[Node, ...] = ()

    def tick(self, *nodes: Node, listings: Listings = SEEN, times: int = 2) -> list[str]:
        """What was done outside meanwhile."""
        self.computer.diary.clear()
        self.now = nodes
        for _ in range(times):
            self.upstreams.tick(nodes, listings)
            for keeper in list(self.upstreams._files.values()):
                keeper.work()
        return list(self.computer.diary)

    def published(self) -> Published:
        return self.upstreams.published(self.now)[POOL]

    def stands(self) -> tuple[str, ...]:
        return tuple(each.node for each in upstream.read(self.computer.files.get(FILE, "")))


def serving(*names: str) -> tuple[Node, ...]:
    return tuple(a_node(name) for name in names)


def leaving(name: str) -> Node:
    return a_node(name, NodeState.DRAINING)


def text_of(*names: str) -> str:
    return upstream.text(
        [Server(node=NodeName(name), address=ADDRESSES[name]) for name in names], PUBLICATION.upstream
    )


def test_a_change_is_written_checked_and_taken_in_once() -> None:
    """And nothing is done while nothing changes."""
    stage = Stage()

    assert ["write n1", "/check", "/reload"] == stage.tick(*serving("n1"))
    assert [] == stage.tick(*serving("n1"), times=5)
    assert ["write n1 n2", "/check", "/reload"] == stage.tick(*serving("n1", "n2"))
    assert ("n1", "n2") == stage.published().servers


def test_nobody_that_serves_is_a_file_with_one_server_that_is_down() -> None:
    """Its reader must be able to start."""
    stage = Stage()
    stage.tick()

    assert " down;" in stage.computer.files[FILE]


def test_a_machine_enters_once_it_answers_and_is_not_asked_again() -> None:
    """One that is busy later is nginx's to judge."""
    stage = Stage()
    stage.computer.silent = {ADDRESSES["n2"]}
    stage.tick(*serving("n1", "n2"))
    waiting = stage.published().awaited, stage.stands()
    stage.tick(*serving("n1", "n2"), times=4)
    stage.computer.silent = {ADDRESSES["n1"]}
    stage.tick(*serving("n1", "n2"))

    assert (("n2",), ("n1",)) == waiting
    assert ("n1", "n2") == stage.stands()
    assert () == stage.published().awaited
    assert 1 == stage.log.names().count("upstream.awaited")


def test_a_machine_that_leaves_is_exposed_until_nginx_let_go_of_it_and_requests_have_ended() -> None:
    """From the instant it entered until `linger` after a reload without it."""
    stage = Stage()
    stage.tick(*serving("n1", "n2"))
    stage.computer.failing = {"/reload": "no"}
    stage.tick(leaving("n1"), *serving("n2"))
    stage.clock.lasted += 1_000.0
    while_failing = stage.published().exposed, stage.stands()
    stage.computer.failing = {}
    stage.tick(leaving("n1"), *serving("n2"))
    right_after = stage.published().exposed
    stage.clock.lasted += 59.0
    almost = stage.published().exposed
    stage.clock.lasted += 1.5

    assert (("n1",), ("n2",)) == while_failing
    assert ("n1",) == right_after == almost
    assert () == stage.published().exposed


def test_one_that_is_taken_back_enters_again_and_is_exposed_anew() -> None:
    """As every machine that serves."""
    stage = Stage()
    stage.tick(*serving("n1", "n2"))
    stage.tick(leaving("n1"), *serving("n2"))
    stage.clock.lasted += 100.0
    stage.tick(*serving("n1", "n2"))
    again = stage.stands()
    stage.tick(leaving("n1"), *serving("n2"))

    assert ("n1", "n2") == again
    assert ("n1",) == stage.published().exposed


def test_after_a_restart_all_that_leaves_is_exposed_until_nginx_was_told_once() -> None:
    """What nginx took in before is not known: the file may have been written and no reload followed, or it is gone."""
    for text in (None, text_of("n2"), text_of("n1", "n2")):
        stage = Stage(Computer(text))
        stage.computer.failing = {"/reload": "no"}
        stage.tick(leaving("n1"), *serving("n2"))
        stage.clock.lasted += 1_000.0
        untold = stage.published().exposed
        stage.computer.failing = {}
        stage.tick(leaving("n1"), *serving("n2"))
        stage.clock.lasted += 61.0

        assert ("n1",) == untold
        assert () == stage.published().exposed


def test_a_new_daemon_tells_nginx_once_though_the_file_is_right() -> None:
    """And writes nothing."""
    stage = Stage(Computer(text_of("n1")))

    assert ["/check", "/reload"] == stage.tick(*serving("n1"), times=4)


def test_an_account_that_cannot_be_seen_changes_nothing_but_who_leaves() -> None:
    """Also for a new daemon, which has the addresses from the file."""
    stage = Stage(Computer(text_of("n1", "n2")))
    stage.tick(*serving("n1", "n2", "n3"), listings=UNSEEN)
    blind = stage.stands(), stage.published().awaited
    stage.tick(leaving("n1"), *serving("n2", "n3"), listings=UNSEEN)

    assert (("n1", "n2"), ("n3",)) == blind
    assert ("n2",) == stage.stands()


def test_a_file_that_cannot_be_understood_stays_while_nobody_can_be_named() -> None:
    """Rather an old file than one with nobody in it."""
    stage = Stage(Computer("server 10.9.9.9:80;\n"))

    assert [] == stage.tick(*serving("n1"), listings=UNSEEN)
    assert ["write n1", "/check", "/reload"] == stage.tick(*serving("n1"))


def test_a_text_that_is_refused_goes_and_the_former_one_is_there_again() -> None:
    """The reader could not be restarted with it. It is tried again after a pause, and another one at once."""
    stage = Stage()
    stage.tick(*serving("n1"))
    stage.computer.failing = {"/check": "unknown directive"}
    refused = stage.tick(*serving("n1", "n2"), times=5)
    trouble = stage.published()
    other = stage.tick(*serving("n1", "n3"), times=1)
    stage.clock.lasted += 300.0
    later = stage.tick(*serving("n1", "n3"), times=1)
    stage.computer.failing = {}
    stage.clock.lasted += 300.0
    mended = stage.tick(*serving("n1", "n3"))

    assert ["write n1 n2", "/check", "write n1"] == refused
    assert ("n1",) == trouble.servers
    assert "unknown directive" == trouble.trouble
    assert trouble.since_at > 0
    assert ["write n1 n3", "/check", "write n1"] == other == later
    assert ["write n1 n3", "/check", "/reload"] == mended
    assert "" == stage.published().trouble
    assert 1 == stage.log.names().count("upstream.failed")


def test_a_first_text_that_is_refused_leaves_no_file() -> None:
    """There was none."""
    stage = Stage()
    stage.computer.failing = {"/check": "no"}

    assert ["write n1", "/check", "remove"] == stage.tick(*serving("n1"))


def test_a_reload_that_fails_is_said_once_and_tried_again() -> None:
    """The file stays: it is right, and a restart of nginx would take it in."""
    stage = Stage()
    stage.computer.failing = {"/reload": "not running"}
    stage.tick(*serving("n1"))
    stage.clock.lasted += 6.0
    again = stage.tick(*serving("n1"))
    stage.computer.failing = {}
    stage.clock.lasted += 100.0

    assert ["/check", "/reload"] == again
    assert ("n1",) == stage.stands()
    assert ["/check", "/reload"] == stage.tick(*serving("n1"))
    assert ["upstream.failed", "upstream.published"] == stage.log.names()


def test_what_somebody_wrote_into_it_is_written_anew() -> None:
    """The file is the daemon's."""
    stage = Stage()
    stage.tick(*serving("n1"))
    stage.computer.files[FILE] = "nonsense;"

    assert ["write n1", "/check", "/reload"] == stage.tick(*serving("n1"))


def test_nothing_is_done_without_the_lease() -> None:
    """One that stands by, or was succeeded, writes nothing and tells nginx nothing."""
    stage = Stage()
    stage.may_act = False

    assert [] == stage.tick(*serving("n1"))
    stage.may_act = True
    assert ["write n1", "/check", "/reload"] == stage.tick(*serving("n1"))


def test_a_disk_that_fails_is_said_and_stops_nobody() -> None:
    """The next tick tries again."""
    stage = Stage()
    stage.tick(*serving("n1"))
    stage.computer.broken_disk = True
    stage.tick(*serving("n1", "n2"))
    trouble = stage.published().trouble
    stage.computer.broken_disk = False
    stage.tick(*serving("n1", "n2"))

    assert "Permission denied" in trouble
    assert "" == stage.published().trouble
    assert ("n1", "n2") == stage.stands()


def test_what_a_provider_makes_up_fails_this_file_and_not_the_tick() -> None:
    """After a tick was written down, orders of all pools are still to be sent."""
    stage = Stage()
    stage.tick(*serving("n1"))
    odd = an_instance("n1", addresses=7)  # type: ignore[arg-type]

    assert [] == stage.tick(
        *serving("n1"), listings={CLOUD: Listing(instances=(odd,), complete=True)}, times=1
    )
    assert ["upstream.failed"] == [name for name in stage.log.names() if name != "upstream.published"]
    assert ("n1",) == stage.stands()


@pytest.mark.parametrize("state", [NodeState.BOOTING, NodeState.DRAINING, NodeState.DESTROYING])
def test_the_last_one_goes_if_it_was_told_to(state: NodeState) -> None:
    """Then nobody stands there."""
    stage = Stage()
    stage.tick(*serving("n1"))

    assert ["write nobody", "/check", "/reload"] == stage.tick(a_node("n1", state))


def test_one_that_leaves_while_it_is_asked_does_not_enter() -> None:
    """What was wanted a tick ago is not what is wanted now; else it might be ended while it stands in the file."""
    stage = Stage()
    stage.tick(*serving("n1"))

    def answers(address: str, port: int, path: str | None, *, timeout_s: float) -> bool:
        stage.upstreams.tick((*serving("n1"), leaving("n2")), SEEN)
        return True

    stage.computer.answers = answers  # type: ignore[method-assign]

    assert [] == stage.tick(*serving("n1", "n2"), times=1)
