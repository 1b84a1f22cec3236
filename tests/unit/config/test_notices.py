"""`[[notices]]`: what is chosen, what is refused with the nearest right name, and what changes tell."""

from __future__ import annotations

import pytest

from autoscaler.config import ConfigError, Problem, Secret, Settings, changes
from autoscaler.config.notice import OWN, Notice
from autoscaler.notices import routes
from autoscaler.telemetry import EVENTS
from tests.unit.config import documents
from tests.unit.notices.saying import URL, section, settings


def chosen(more: str) -> frozenset[str]:
    return settings(section(more=more), ops=URL).notices[0].chosen()


def the_problem(*sections: str) -> Problem:
    (problem,) = problems(*sections)
    return problem


def problems(*sections: str) -> tuple[Problem, ...]:
    environ = {**documents.ENVIRON, "OPS_URL": URL, "ROOM_URL": URL}
    return documents.problems_of(documents.a_document(more="".join(sections)), environ)


def test_without_a_section_nobody_is_told() -> None:
    """Nothing leaves this computer unasked."""
    assert () == documents.settings().notices


def test_events_are_chosen_by_name_pattern_and_level() -> None:
    """What either means counts."""
    assert {"node.failed"} == chosen('events = ["node.failed"]\n')
    assert {"fact.missed", "fact.recovered"} == chosen('events = ["fact.*"]\n')
    errors = {name for name, kind in EVENTS.items() if kind.level == "error"}
    assert errors == chosen('level = "error"\n')
    assert errors | {"stranger.seen"} == chosen('level = "error"\nevents = ["stranger.seen"]\n')


def test_nothing_about_notices_themselves_is_ever_chosen() -> None:
    """One that cannot be told would cause the next."""
    everything = chosen('level = "info"\nevents = ["*"]\n')

    assert {name for name in EVENTS if name.startswith(OWN)} == EVENTS.keys() - everything


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("node.faild", "Of node there are node.moved, node.overdue, node.failed"),
        ("nod.failed", "Did you mean node.failed?"),
        ("facts.*", "Did you mean fact.*?"),
        ("notice.failed", "What becomes of notices causes none"),
        ("notice.*", "What becomes of notices causes none"),
    ],
)
def test_an_event_that_is_none_is_a_mistake_with_the_nearest_ones(written: str, advice: str) -> None:
    """Somebody would wait for a notice that never comes."""
    problem = the_problem(section(more=f'events = ["fact.missed", "{written}"]\n'))

    assert "notices[0].events[1]" == problem.path
    assert written in problem.found
    assert advice in problem.advice


def test_a_section_that_chooses_nothing_is_a_mistake() -> None:
    """Neither events nor a level, or an empty list."""
    assert "neither events nor a level" == the_problem(section(more="")).found
    assert "neither events nor a level" == the_problem(section(more="events = []\n")).found


def test_a_pool_that_is_none_is_a_mistake() -> None:
    """With the nearest one."""
    problem = the_problem(section(more='level = "error"\npools = ["imags"]\n'))

    assert ("notices[0].pools[0]", "Did you mean images?") == (problem.path, problem.advice)


def test_two_of_one_name_are_a_mistake() -> None:
    """`notify NAME` would not know which."""
    assert "ops a second time" == the_problem(section(), section()).found


def test_a_room_needs_its_id_and_a_token_and_others_take_none() -> None:
    """Each is told at its place."""
    paths = [problem.path for problem in problems(section("room", shape="matrix"))]

    assert ["notices[0].room", "notices[0].token"] == sorted(paths)
    assert "notices[0].room" == the_problem(section(more='level = "error"\nroom = "!a:b.example"\n')).path


def test_an_address_written_out_is_refused_and_not_shown() -> None:
    """It lets anybody write there."""
    text = section().replace('{ env = "OPS_URL" }', f'"{URL}"')

    problem = the_problem(text)

    assert "notices[0].url" == problem.path
    assert "hooks.example" not in str(problem)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/x",
        "ftp://hooks.example/x",
        "https://",
        "https://user:pass@hooks.example/x",
        "https://hooks.example:0/x",
        "https://hooks.example:99999/x",
        "https://hooks.example/x y",
        "https://hooks.example/x#y",
        "https://hooks.example/\u00fc",
        "https://[::1/x",
        "https://hooks.example/x\r\nX-Evil: 1",
    ],
)
def test_an_address_that_is_none_is_told_once_it_is_read_and_not_shown(url: str) -> None:
    """Before anything starts; commands that need no secret are spared."""
    given = settings(section(), ops=url)

    with pytest.raises(ConfigError) as caught:
        routes.routes(given)

    assert "notices[0].url" == caught.value.problems[0].path
    assert "example" not in str(caught.value).replace("https://…", "")


def test_a_token_that_no_header_can_bear_is_told_and_not_shown() -> None:
    """As one with a line end in its middle."""
    base = settings(section(more='level = "error"\ntoken = { env = "OPS_URL" }\n'), ops=URL)
    wrong = base.model_copy(
        update={"notices": (base.notices[0].model_copy(update={"token": Secret("t0k\nen")}),)}
    )

    with pytest.raises(ConfigError, match=r"notices\[0\].token") as caught:
        routes.routes(wrong)

    assert "t0k" not in str(caught.value)


def test_a_section_arrives_whole_as_a_route() -> None:
    """Each key with a value that is not its default."""
    text = section(
        "room",
        'events = ["fact.missed"]\npools = ["images"]\nrepeat = "1h"\ntimeout = "3s"\n'
        'ca_file = "/etc/ca.pem"\nroom = "!a:b.example"\ntoken = { env = "PASSWORD" }\n',
        shape="matrix",
    )

    (route,) = routes.routes(settings(text, room="https://matrix.example"))

    assert ("room", "matrix", "!a:b.example", 3.0) == (route.name, route.shape, route.room, route.timeout_s)
    assert "/etc/ca.pem" == route.ca_file
    assert ({"fact.missed"}, {"images"}, 3600.0) == (
        route.choice.events,
        route.choice.pools,
        route.choice.repeat_s,
    )
    assert "https://matrix.example" == route.url.reveal()
    assert route.token is not None
    assert documents.ENVIRON["PASSWORD"] == route.token.reveal()


def test_every_part_of_an_address_that_lets_somebody_write_is_held_back() -> None:
    """Other programs quote half of it: a server's `cannot POST /services/…`, for one."""
    sieve = routes.sieve(settings(section(), ops=URL))

    for part in (URL, "/services/T0123456/B0123456/abcdefghijklmnop", "T0123456", "abcdefghijklmnop"):
        assert part not in sieve.text(f"cannot POST {part} there")


def says(before: Settings, after: Settings) -> list[str]:
    return [change.says() for change in changes.changes(before, after)]


def test_notices_may_come_go_and_change_while_the_daemon_runs() -> None:
    """Told by their names, and never an address."""
    none, one = settings(), settings(section(), ops=URL)
    other = settings(section(more='level = "warning"\nrepeat = "1h"\n'), ops=f"{URL}x")
    both = settings(section("more"), section(), ops=URL, more=URL)

    assert ["notice ops: added"] == says(none, one)
    assert ["notice ops: removed"] == says(one, none)
    assert ["notice more: added"] == says(one, both)
    assert [
        "notice ops: url changed",
        "notice ops: level error → warning",
        "notice ops: repeat 10m → 1h",
    ] == says(one, other)
    assert () == changes.needs_restart(changes.changes(one, other))


def test_a_section_shows_no_secret() -> None:
    """Nor does a copy of it as JSON."""
    (notice,) = settings(section(), ops=URL).notices

    assert isinstance(notice, Notice)
    assert "hooks.example" not in repr(notice) + notice.model_dump_json()
