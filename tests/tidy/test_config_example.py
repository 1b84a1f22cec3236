"""`config.example.toml` and the published schema say what the models say, key by key and default by default."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from autoscaler import config
from autoscaler.clock import SystemClock
from autoscaler.config import json_schema, lines, reference, shape
from autoscaler.config.bootstrap import Bootstrap, BootstrapFile
from autoscaler.config.notice import Notice
from autoscaler.config.pools import (
    BacklogPolicy,
    Limits,
    Offer,
    OtherPolicy,
    Pool,
    RatePolicy,
    Stabilize,
    StepIn,
    StepOut,
    StepsPolicy,
    Timeouts,
    WaitPolicy,
)
from autoscaler.config.problem import Place
from autoscaler.config.providers import (
    CLOUDS,
    ExternalProvider,
    LibcloudProvider,
    LocalProvider,
    PluginProvider,
    SimulatedProvider,
)
from autoscaler.config.schedules import ForecastPolicy, SchedulePolicy, ScheduleWindow
from autoscaler.config.settings import Settings
from autoscaler.config.upstream import Upstream
from autoscaler.config.values import Section
from policies import open_policies
from policies.contract import PolicySpec
from providers import open_provider

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
ENVIRON = {
    "RABBITMQ_PASSWORD": "one",
    "AWS_ACCESS_KEY_ID": "two",
    "AWS_SECRET_ACCESS_KEY": "three",
    "PANEL_TOKEN": "five",
}
PROVIDERS: Mapping[str, type[LocalProvider | SimulatedProvider | LibcloudProvider | ExternalProvider]] = {
    "local": LocalProvider,
    "simulated": SimulatedProvider,
    "libcloud": CLOUDS["ec2"],
    "external": ExternalProvider,
}
OTHER_CLOUDS = {section for driver, section in CLOUDS.items() if driver != "ec2"}
"""The example shows one cloud; of the others each option stands in the reference, and an offer in the guides."""

POLICIES: Mapping[
    str, type[WaitPolicy | BacklogPolicy | RatePolicy | StepsPolicy | SchedulePolicy | ForecastPolicy]
] = {
    "wait": WaitPolicy,
    "backlog": BacklogPolicy,
    "rate": RatePolicy,
    "steps": StepsPolicy,
    "schedule": SchedulePolicy,
    "forecast": ForecastPolicy,
}
PARTS: Mapping[str, type[Section]] = {
    "limits": Limits,
    "stabilize": Stabilize,
    "timeouts": Timeouts,
    "bootstrap": Bootstrap,
    "upstream": Upstream,
}
ASIDE = re.compile(r"^#(?=\[|[a-z0-9_]+ = )", re.MULTILINE)
"""A setting that is commented out: no space behind the `#`."""


@pytest.fixture(scope="module")
def text() -> str:
    return EXAMPLE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(text: str) -> Mapping[str, Any]:
    """The example with every setting taken in."""
    return tomllib.loads(ASIDE.sub("", text))


def tables(document: Mapping[str, Any]) -> Iterator[tuple[Place, type[Section], Mapping[str, Any]]]:
    """Every table of the example: its place, the model it belongs to, and what it says."""
    for name, kind in shape.keys(Settings).items():
        if shape.sections(kind):
            yield (name,), shape.sections(kind)[0], document[name]
    yield from ((("notices", n), Notice, notice) for n, notice in enumerate(document["notices"]))
    for name, provider in document["providers"].items():
        yield ("providers", name), PROVIDERS.get(provider["kind"], PluginProvider), provider
    for name, pool in document["pools"].items():
        place: Place = ("pools", name)
        yield place, Pool, pool
        yield from (((*place, key), model, pool[key]) for key, model in PARTS.items())
        yield from (((*place, "offers", n), Offer, offer) for n, offer in enumerate(pool["offers"]))
        files = enumerate(pool["bootstrap"]["files"])
        yield from (((*place, "bootstrap", "files", n), BootstrapFile, file) for n, file in files)
        for n, policy in enumerate(pool["policies"]):
            here = (*place, "policies", n)
            yield here, POLICIES.get(policy["kind"], OtherPolicy), policy
            yield from (((*here, "out", m), StepOut, step) for m, step in enumerate(policy.get("out", ())))
            yield from (((*here, "in", m), StepIn, step) for m, step in enumerate(policy.get("in", ())))
            windows = enumerate(policy.get("windows", ()))
            yield from (((*here, "windows", m), ScheduleWindow, window) for m, window in windows)


def every_model() -> set[type[Section]]:
    """All sections that can be reached from the root."""
    found: set[type[Section]] = {Settings}
    waiting = [Settings]
    while waiting:
        for kind in shape.keys(waiting.pop()).values():
            new = set(shape.inner_sections(kind)) - found
            found |= new
            waiting += new
    return found


def test_the_example_loads_as_it_is() -> None:
    """Whoever copies the example and sets its three secrets has a configuration without problems."""
    settings = config.load(EXAMPLE, ENVIRON)

    assert ("images", "thumbs.small", "thumbs.large") == settings.pools["images"].consumed


def test_the_example_shows_every_key(whole: Mapping[str, Any]) -> None:
    """A key of a model that the example does not mention is a key nobody finds."""
    shown: dict[type[Section], set[str]] = {Settings: set(whole)}
    for _, model, table in tables(whole):
        shown.setdefault(model, set()).update(table)

    missing = {
        model.__name__: set(shape.keys(model)) - shown.get(model, set())
        for model in every_model() - OTHER_CLOUDS
    }

    assert {} == {model: keys for model, keys in missing.items() if keys}


def test_the_example_shows_no_key_that_does_not_exist(whole: Mapping[str, Any]) -> None:
    """What is commented out in the example must work when it is taken in."""
    unknown = [
        (model.__name__, key)
        for _, model, table in tables(whole)
        for key in table
        if key not in shape.keys(model)
    ]

    assert [] == unknown
    assert set(shape.keys(Settings)) == set(whole)


def test_a_default_in_the_example_is_the_default(text: str, whole: Mapping[str, Any]) -> None:
    """A setting that is commented out shows the model's default, or its explanation says that there is none."""
    rows = text.splitlines()
    line_of = lines.locate(ASIDE.sub("", text))
    wrong = []
    for place, model, table in tables(whole):
        for name, field in model.model_fields.items():
            key = field.alias or name
            number = line_of.get((*place, key), 0) - 1
            if field.is_required() or number < 0 or not ASIDE.match(rows[number]):
                continue
            default = field.get_default(call_default_factory=True)
            if default_is_none(default):
                agrees = "No default" in explanation(rows, number)
            else:
                shown = TypeAdapter(shape.keys(model)[key]).validate_python(table[key])
                agrees = shown == default and "No default" not in explanation(rows, number)
            if not agrees:
                wrong.append((*place, key))

    assert [] == wrong


def default_is_none(default: object) -> bool:
    """Whether there is nothing to show as a default."""
    return default is None or default in ("", (), {})


def explanation(rows: list[str], number: int) -> str:
    """The comment above a setting, with nothing but settings between."""
    while number and re.match(r"#?[a-z0-9_]+ = |#?\[", rows[number]):
        number -= 1
    last = number
    while number and rows[number].startswith("# "):
        number -= 1
    return " ".join(rows[number + 1 : last + 1])


def test_every_setting_of_the_example_is_explained(text: str) -> None:
    """No key stands without a comment above it or above its neighbours."""
    rows = text.splitlines()
    settings = [n for n, row in enumerate(rows) if re.match(r"#?[a-z0-9_]+ = ", row)]

    assert [] == [rows[number] for number in settings if not explanation(rows, number)]


def test_the_published_schema_is_the_models_schema() -> None:
    """`docs/config.schema.json` is what `python -m autoscaler.config.json_schema` writes today."""
    assert json_schema.text() == (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8")


def test_the_published_reference_is_the_models_reference() -> None:
    """`docs/configuration.md` is what `python -m autoscaler.config.reference` writes today."""
    assert reference.text() == (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_reference_has_every_section() -> None:
    """A new section without a place in the reference is a section nobody finds."""
    assert {model.__name__ for model in every_model()} - {"Settings"} == set(reference.SECTIONS.values())


def test_the_example_satisfies_the_published_schema(text: str, whole: Mapping[str, Any]) -> None:
    """An editor that checks with the schema finds nothing wrong with the example, taken in whole or as it is."""
    validator = jsonschema.Draft202012Validator(json_schema.schema())

    assert [] == [error.message for error in validator.iter_errors(tomllib.loads(text))]
    assert [] == [error.message for error in validator.iter_errors(whole)]


def test_the_schema_refuses_an_unknown_key(text: str) -> None:
    """The schema is as closed as the models."""
    document = tomllib.loads(text)
    document["loop"]["tik"] = "10s"

    assert not jsonschema.Draft202012Validator(json_schema.schema()).is_valid(document)


def test_every_option_of_the_example_is_one_its_room_takes(whole: Mapping[str, Any], tmp_path: Path) -> None:
    """Providers and policies open on everything the configuration lets through: no key is known on one side only."""
    for _, model, table in tables(whole):
        if model in PROVIDERS.values():
            section = model.model_validate(
                table, context={"environ": ENVIRON | {"AWS_SESSION_TOKEN": "four"}}
            )
            options = {**section.options(), **({"directory": str(tmp_path)} if "directory" in table else {})}
            open_provider(
                table["kind"], name="here", fleet="shop", options=options, clock=SystemClock()
            ).close()
        if model in POLICIES.values():
            options = model.model_validate(table).options()
            assert open_policies([PolicySpec(kind=table["kind"], options=options)])
