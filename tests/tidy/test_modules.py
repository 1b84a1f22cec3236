"""Every module can be placed by a newcomer: it has a sign on its door, a telling name and a size one can read."""

import ast

import pytest

from tests.tidy import repository

MODULE_LINES = 400
FUNCTION_LINES = 70
NAMES_THAT_TELL_NOTHING = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
OURS = (*repository.PACKAGES, "testbed", "examples", "tests")


def test_every_module_says_what_it_is() -> None:
    """A module's docstring says what this room does; an empty sign is none."""
    silent = [
        str(path)
        for path in repository.modules(*OURS)
        if not (ast.get_docstring(repository.tree(path)) or "").strip()
    ]

    assert [] == silent


def test_no_module_outgrows_one_sitting() -> None:
    """No module passes 400 lines: past that it holds two ideas."""
    counted = {str(path): len(repository.text(path).splitlines()) for path in repository.modules(*OURS)}

    assert {} == {path: lines for path, lines in counted.items() if lines > MODULE_LINES}


def test_no_function_outgrows_one_screen() -> None:
    """No function of the program passes 70 lines, its docstring included."""
    long = {
        f"{path}:{function.name}": lines
        for path in repository.modules(*repository.PACKAGES, "testbed")
        for function in repository.functions(path)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES
    }

    assert {} == long


def test_every_name_tells_what_is_inside() -> None:
    """`utils`, `helpers`, `common`, `manager` and `base` name no room; whatever is put there belongs elsewhere."""
    vague = [
        str(path)
        for path in repository.modules(*OURS)
        if NAMES_THAT_TELL_NOTHING & {part.removesuffix(".py") for part in path.parts}
    ]

    assert [] == vague


def test_every_test_says_the_rule_it_holds() -> None:
    """A test's docstring is its rule in words."""
    silent = [
        f"{path}:{function.name}"
        for path in repository.modules("tests")
        for function in repository.functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert [] == silent


@pytest.mark.parametrize("package", repository.PACKAGES)
def test_every_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    """PEP 561: without py.typed nobody else's mypy reads our annotations."""
    assert (repository.ROOT / package / "py.typed").exists()
