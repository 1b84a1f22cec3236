"""What people read when a configuration is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler import config
from autoscaler.config import ConfigError, Problem
from tests.unit.config.documents import DOCUMENT, ENVIRON, a_document, problems, problems_of, the_problem

MANY = (
    ('name = "shop"', 'name = "Shop"\ncurency = "EUR"'),
    ('"http://rabbit:15672"', '"rabbit:15672"'),
    ('{ env = "PASSWORD" }', '{ env = "ABSENT" }'),
    ("slots = 4", "slots = 0"),
    ("max_workers = 4", "max_workers = 4\nmin_workers = 5"),
    ("messages_per_worker = 10", 'messages_per_worker = "ten"'),
    ('provider = "here"', 'provider = "heer"\nbilling_quantum = "10"'),
)

REPORT = """\
shop.toml has 9 problems:
  line 2, fleet.name: found "Shop"; expected a name of 1 to 20 lower case letters, digits and `-`, a letter first.
  line 3, fleet.curency: found the key "curency", which is unknown here; expected one of currency, \
max_cost_per_hour, max_cost_per_month, name, orphan_every, \
orphan_share, orphans, residency. \
Did you mean currency?
  line 6, broker.management_url: found "rabbit:15672"; expected an address such as http://rabbit.example:15672.
  line 9, broker.password: found the environment variable ABSENT, which is not set; expected the secret in the \
environment variable ABSENT.
  line 16, pools.images.slots: found 0; expected a number of at least 1.
  line 20, pools.images.limits.min_workers: found 5; expected at most max_workers, which is 4. It is the floor, and \
the ceiling always wins.
  line 24, pools.images.policies[0].messages_per_worker: found "ten"; expected a number, without quotes.
  line 27, pools.images.offers[0].provider: found the name of no provider; expected one of here. Did you mean here?
  line 28, pools.images.offers[0].billing_quantum: found "10"; expected a duration in quotes with its unit, such as \
"10s", "5m" or "1h". The unit is missing; if seconds are meant, write "10s"."""


def test_all_problems_stand_in_one_report_in_the_order_of_the_file() -> None:
    """Schema, secrets and disagreements together, each with line, path, what was found and what was expected."""
    with pytest.raises(ConfigError) as caught:
        config.parse(a_document(*MANY), ENVIRON, source="shop.toml")

    assert REPORT == str(caught.value)


def test_one_problem_is_told_in_the_singular() -> None:
    """The report is written for people."""
    with pytest.raises(ConfigError, match=r"^the configuration has one problem:\n  line 15, "):
        config.parse(a_document(("slots = 4", "slots = 513")), ENVIRON)


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("10", 'If seconds are meant, write "10s".'),
        ("0.5", 'If seconds are meant, write "0.5s".'),
        ('"10"', 'The unit is missing; if seconds are meant, write "10s".'),
        ('"10 parsecs"', '"parsecs" is no unit here; known are ms, s, m, h, d, w.'),
        ('"10S"', '"S" is no unit here; known are ms, s, m, h, d, w.'),
        ('"1h30m"', 'Write one number with one unit: "90m", not "1h30m".'),
        ('"soon"', ""),
        ('"-5s"', ""),
        ('"٣s"', ""),
        ("true", ""),
        ("10:00:00", ""),
    ],
)
def test_a_wrong_unit_gets_a_clear_sentence(written: str, advice: str) -> None:
    """A duration without its unit is a mistake that says how to write it."""
    problem = the_problem(more=f"[loop]\ntick = {written}\n")

    assert ("loop.tick", advice) == (problem.path, problem.advice)
    assert problem.expected.startswith("a duration in quotes with its unit")


def test_a_duration_out_of_bounds_is_told_with_its_bounds() -> None:
    """A slip in the unit is mostly a slip out of bounds."""
    problem = the_problem(more='[loop]\ntick = "10w"\n')

    assert ('"10w"', "a duration from 100ms to 1h") == (problem.found, problem.expected)


def test_a_key_in_the_wrong_table_is_told_where_it_belongs() -> None:
    """The ceiling is often written one table too high."""
    problem = the_problem(("slots = 4", "slots = 4\nmin_workers = 1"))

    assert "It belongs into [pools.images.limits]." == problem.advice


def test_a_missing_table_is_told_by_its_header() -> None:
    """Whoever forgot a table sees how it begins."""
    told = {
        problem.path: problem.expected
        for problem in problems_of('[pools.images]\nqueues = ["a"]\nslots = 1\n')
    }

    assert {
        "fleet": "a table [fleet]",
        "broker": "a table [broker]",
        "providers": "at least one table [providers.NAME]",
        "pools.images.limits": "a table [pools.images.limits]",
        "pools.images.policies": "at least one table [[pools.images.policies]]",
        "pools.images.offers": "at least one table [[pools.images.offers]]",
        "pools.images.bootstrap": "a table [pools.images.bootstrap]",
    } == told


def test_a_path_with_an_odd_key_is_quoted_as_in_the_file() -> None:
    """A name with a dot does not look like two names, and a long one does not flood the report."""
    problem = problems(more='[pools."a.b\\u001b"]\n')[0]

    assert problem.path.startswith('pools."a.b\\u001b"')
    assert len(problems(more=f'[pools."{"x" * 5000} "]\n')[0].path) < 200


@pytest.mark.parametrize("key", ["pools", "providers", "fleet", "broker"])
@pytest.mark.parametrize("value", ["1", '"text"', "[]", "[1]", "{}", "1979-05-27", "[{}]", "{ a = 1 }"])
def test_a_table_of_another_shape_is_a_problem_like_any_other(key: str, value: str) -> None:
    """No shape of the document trips the checks that compare keys."""
    told = problems_of(f"{key} = {value}\n")

    assert any(problem.path.startswith(key) for problem in told)


def test_syntax_errors_are_told_with_their_line() -> None:
    """TOML's own errors come in the same report; the rest cannot be looked at."""
    (problem,) = problems_of("[fleet]\nname = shop\n")

    assert (2, "") == (problem.line, problem.path)
    assert "line 2: found what is not TOML: invalid value; expected a file in TOML." == str(problem)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 10_000, "a = { b = " * 5_000, "a." * 5_000 + "b = 1"]
)
def test_absurd_documents_are_refused(text: str) -> None:
    """Depth and length that no operator writes end in a report, not in a crash."""
    assert problems_of(text)


def test_deep_options_of_somebody_elses_provider_do_not_crash() -> None:
    """What passes through is walked for secrets, however deep it is."""
    deep = "[" * 200 + "]" * 200

    assert () == problems(more=f'[providers.other]\nkind = "theirs"\nx = {deep}\n')


WORDS = """\
[[pools.images.offers]]
|[pools.b]
|[loop]
|queues = [1]
|kind = 1
|kind = 'simulated'
|= |{|}|[|]|"|'|
|-1|inf|nan|1e999|0x_|env|99999999999999999999|{ env = "X" }|1979-05-27|true|.|#|é|seed = |tick = """
PIECES = st.sampled_from([*DOCUMENT.splitlines(keepends=True), *WORDS.split("|"), "\x00"])


def only_a_report(text: str) -> None:
    """Load it; a ConfigError whose every problem can be read is the worst that may happen."""
    told: ConfigError | None = None
    try:
        config.parse(text, ENVIRON)
    except ConfigError as error:
        told = error
    if told is not None:
        assert told.problems
        assert all(isinstance(problem, Problem) for problem in told.problems)
        assert all(line.isprintable() for line in str(told).split("\n"))
        assert 1 + len(told.problems) == len(str(told).split("\n"))


@given(st.lists(PIECES, max_size=40).map("".join))
def test_pieces_of_a_configuration_in_any_order_end_in_a_report(text: str) -> None:
    """Whatever an editor, a merge or a cat leaves in the file, nothing but a ConfigError comes of it."""
    only_a_report(text)


VALUES = st.recursive(
    st.none().map(lambda _: "1")
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.sampled_from(
        ['"10s"', '"x"', '""', "true", "[]", "{}", "1979-05-27", '"a*"', '{ env = "PASSWORD" }']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["kind", "env", "above", "a"]), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        )
    ),
    max_leaves=6,
)
LINES = [number for number, line in enumerate(DOCUMENT.splitlines()) if " = " in line]


@given(st.sampled_from(LINES), VALUES)
def test_any_value_for_any_key_ends_in_settings_or_a_report(number: int, value: str) -> None:
    """A value of any type at any key is judged, never tripped over."""
    lines = DOCUMENT.splitlines()
    lines[number] = lines[number].split(" = ")[0] + f" = {value}"

    only_a_report("\n".join(lines))
