"""Opening policies: what is refused, and in which words."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from importlib import metadata

import pytest

from policies import PolicyOptionsWrong, kinds, open_policies
from policies.contract import Demand, History, PolicySpec, Recommendation, Supply
from tests.unit.policies.builders import backlog_spec, steps_spec


def refusal(*specs: PolicySpec) -> str:
    """The sentence an operator reads."""
    with pytest.raises(PolicyOptionsWrong) as caught:
        open_policies(specs)
    return str(caught.value)


def test_a_refusal_reads_the_same_out_of_another_process() -> None:
    """Studies open policies in processes of their own, and pickle brings back what goes wrong there."""
    with pytest.raises(PolicyOptionsWrong) as caught:
        open_policies([backlog_spec(), PolicySpec(kind="nix", options={})])
    wrong = pickle.loads(pickle.dumps(caught.value))

    assert isinstance(wrong, PolicyOptionsWrong)
    assert str(caught.value) == str(wrong)
    assert str(wrong).startswith("policies[1] (nix): kind is not known")
    assert (caught.value.problems, caught.value.where) == (wrong.problems, wrong.where)


def test_policies_are_opened_in_order() -> None:
    """One policy a spec."""
    assert ("steps", "backlog") == tuple(p.name for p in open_policies([steps_spec(), backlog_spec()]))


def test_no_specs_open_no_policies() -> None:
    """A pool may live by its floor alone."""
    assert () == open_policies([])


def test_a_wrong_option_is_named_with_its_place_and_what_was_expected() -> None:
    """The sentence says which policy, which option, what was found and what would do."""
    said = refusal(backlog_spec(), backlog_spec(-1))

    assert (
        "policies[1] (backlog): messages_per_worker is '-1'; expected a number of at least 0.001 and at most 1000000000"
        == said
    )


@pytest.mark.parametrize("value", [0, -1, True, "10", None, float("nan"), float("inf"), [], 10**400])
def test_messages_per_worker_is_a_positive_number(value: object) -> None:
    """Nothing is converted and nothing guessed."""
    assert "messages_per_worker" in refusal(
        PolicySpec(kind="backlog", options={"messages_per_worker": value})
    )


def test_every_problem_is_told_at_once() -> None:
    """A missing option, a wrong one and an unknown one."""
    said = refusal(PolicySpec(kind="backlog", options={"count_in_progress": "yes", "messages": 3}))

    assert "messages_per_worker is missing" in said
    assert "count_in_progress is 'yes'; expected true or false" in said
    assert "messages is not an option here; known: count_in_progress, messages_per_worker" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "out is missing"),
        ({"out": []}, "out has 0 rows"),
        ({"out": "20"}, "out is '20'; expected a list of tables"),
        ({"out": [{"above": 20, "ad": 2}]}, "out[0].add is missing"),
        ({"out": [{"above": 20, "add": 2, "by": 1}]}, "out[0].by is not an option here"),
        ({"out": [{"above": 1.5, "add": 2}]}, "out[0].above is '1.5'; expected a whole number of at least 0"),
        ({"out": [{"above": 20, "add": 0}]}, "out[0].add is '0'; expected a whole number of at least 1"),
        ({"out": [{"above": 20, "add": 2}], "in": [{"below": 0, "remove": 1}]}, "in[0].below is '0'"),
    ],
)
def test_a_wrong_row_is_named_by_its_path(options: Mapping[str, object], said: str) -> None:
    """Tables are checked row by row."""
    assert said in refusal(PolicySpec(kind="steps", options=options))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (steps_spec([(20, 2), (20, 3)]), "out gives above = 20 twice"),
        (steps_spec([(100, 1), (20, 2)]), "out adds 1 above 100 but 2 above 20"),
        (steps_spec([(20, 2)], [(5, 1), (5, 2)]), "in gives below = 5 twice"),
        (steps_spec([(20, 2)], [(1, 1), (5, 2)]), "in removes 1 below 1 but 2 below 5"),
        (steps_spec([(20, 2)], [(21, 1)]), "in begins below 21, over the out step above 20"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(spec: PolicySpec, said: str) -> None:
    """More messages must never mean fewer workers."""
    assert said in refusal(spec)


def test_steps_may_come_in_any_order() -> None:
    """The thresholds sort them."""
    backwards = steps_spec([(100, 5), (20, 2)], [(1, 3), (5, 1)])
    forwards = steps_spec([(20, 2), (100, 5)], [(5, 1), (1, 3)])

    assert open_policies([forwards]) == open_policies([backwards])


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """A slip of the pen should not need the manual."""
    assert (
        "policies[0] (backlok): kind is not known; expected backlog, forecast, rate, schedule, steps"
        in refusal(PolicySpec(kind="backlok"))
    )


class Constant:
    """A policy of somebody else's: always the same number."""

    def __init__(self, options: Mapping[str, object]) -> None:
        if options:
            raise ValueError("takes no options")

    @property
    def name(self) -> str:
        return "constant"

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:
        """Four, always."""
        return Recommendation(policy=self.name, workers=4, why="always four")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution that offers `constant`, and one whose module is gone."""
    offered = {
        "constant": metadata.EntryPoint("constant", f"{__name__}:Constant", kinds.ENTRY_POINT_GROUP),
        "broken": metadata.EntryPoint("broken", "no_such_module:Thing", kinds.ENTRY_POINT_GROUP),
    }

    def entry_points(*, group: str, name: str) -> list[metadata.EntryPoint]:
        return [entry for entry in offered.values() if (entry.group, entry.name) == (group, name)]

    monkeypatch.setattr(kinds.metadata, "entry_points", entry_points)
    kinds._plugin.cache_clear()
    yield
    kinds._plugin.cache_clear()


@pytest.mark.usefixtures("installed")
def test_other_peoples_policies_are_found_by_their_entry_point() -> None:
    """A kind that is not ours is looked for among the installed packages, and its complaints are told alike."""
    (policy,) = open_policies([PolicySpec(kind="constant")])

    assert "constant" == policy.name
    assert "policies[0] (constant): takes no options" == refusal(
        PolicySpec(kind="constant", options={"n": 1})
    )


@pytest.mark.usefixtures("installed")
def test_a_policy_that_cannot_be_loaded_says_where_it_comes_from() -> None:
    """The operator must know which package to mend."""
    said = refusal(PolicySpec(kind="broken"))

    assert said.startswith(
        "policies[0] (broken): kind is offered by no_such_module:Thing, which cannot be loaded"
    )
