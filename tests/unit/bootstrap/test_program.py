"""The program of a machine as it is packed: small, whole, and fit for the oldest Python that machines have."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from bootstrap import assets, program
from bootstrap.assets import enrol

SOURCES = {
    each.name.removesuffix(".py"): each.read_text("utf-8")
    for each in resources.files(enrol).iterdir()
    if each.name.endswith(".py")
}
PLAIN = program.modules_for({})
EVERYTHING = program.modules_for({"credentials": "node", "lease": {"after_s": 60}})


class _Needless(ast.NodeTransformer):
    """Takes out what no program needs: docstrings, annotations, imports for them."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module in {"__future__", "typing", "collections.abc"} else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return ast.Assign([node.target], self.visit(node.value)) if node.value else None

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return self._filled(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return self._filled(node)

    def _filled(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        node.body = node.body or [ast.Pass()]
        return node


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_packed_means_what_was_written(name: str) -> None:
    """Without comments, docstrings and annotations it is the same program, statement by statement."""
    needed = _Needless().visit(ast.parse(SOURCES[name]))

    assert ast.dump(needed) == ast.dump(ast.parse(program.bare(SOURCES[name], {})))


@pytest.mark.parametrize("name", SOURCES)
def test_the_oldest_python_of_a_machine_reads_it(name: str) -> None:
    """Debian 11 has Python 3.9: as it is written, and as it is packed."""
    for text in (SOURCES[name], program.bare(SOURCES[name], program._shorter())):
        ast.parse(text, feature_version=(3, 9))


@pytest.mark.parametrize("name", SOURCES)
def test_it_needs_nothing_but_the_standard_library_and_itself(name: str) -> None:
    """Nothing is installed on a machine for it; and its text is plain, whatever passes it on. What runs beside
    cloud-init reads YAML as that does."""
    there = {"yaml"} if name == "early" else set()
    imported = set()
    for node in ast.walk(ast.parse(SOURCES[name])):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")

    assert SOURCES[name].isascii()
    assert there == {
        each
        for each in imported
        if each.split(".")[0] not in sys.stdlib_module_names and each != enrol.__name__
    }


def test_a_short_name_stands_for_one_name_and_for_nothing_else() -> None:
    """Two names that became one, or one that was somebody else's, would be another program."""
    shorter = program._shorter()
    words = {
        word
        for source in SOURCES.values()
        for node in ast.walk(ast.parse(source))
        for word in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "arg", None))
    }

    assert len(shorter) == len(set(shorter.values()))
    assert set() == set(shorter.values()) & words
    assert "_published" in shorter
    assert "masked" not in shorter  # other modules call it by its name


def test_the_same_modules_give_the_same_bytes() -> None:
    """Nothing of when or where it was packed is in it."""
    once = program.packed(PLAIN)
    program.packed.cache_clear()

    assert once == program.packed(PLAIN)
    assert once.isascii()
    assert once.startswith("#!/usr/bin/python3 -I")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"supervisord"}),
        ({"keeper": "systemd"}, {"systemd"}),
        ({"credentials": "node"}, {"supervisord", "grant"}),
        ({"lease": {"after_s": 90.0, "then": "stop"}}, {"supervisord", "lease"}),
        ({"lease": {"after_s": 0}}, {"supervisord"}),
    ],
)
def test_a_pool_gets_what_it_has_a_use_for(settings: dict[str, object], expected: set[str]) -> None:
    """User data is scarce."""
    optional = {"supervisord", "systemd", "grant", "lease", "imaging", "early"}

    assert expected == optional & set(program.modules_for(settings))
    assert set(SOURCES) - {"__init__"} == {*program.modules_for(settings), *optional}


def test_files_that_it_carries_are_there_before_it_needs_them(tmp_path: Path) -> None:
    """Whole, for everybody to read and run, and written by whatever mode it is started in."""
    path = "/usr/local/lib/autoscaler/python/asset"
    packed = tmp_path / "become-worker"
    packed.write_text(program.packed(PLAIN, ((path, "fetch-application"),)))
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-ISXutf8", packed],
            env={"AUTOSCALER_ROOT": str(tmp_path)},
            capture_output=True,
            timeout=30,
            check=False,
        )
    written = tmp_path / path[1:]

    assert assets.fill("fetch-application") == written.read_text()
    assert 0o755 == written.stat().st_mode & 0o777
    assert [written] == list(written.parent.iterdir())


@pytest.mark.parametrize("modules", [PLAIN, EVERYTHING])
def test_the_packed_program_runs_alone(modules: tuple[str, ...], tmp_path: Path) -> None:
    """On a machine nothing of this repository is there: it loads, and misses its settings."""
    packed = tmp_path / "become-worker"
    packed.write_text(program.packed(modules))
    done = subprocess.run(
        [sys.executable, "-ISXutf8", packed],
        env={"AUTOSCALER_ROOT": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 1 == done.returncode
    assert "machine.json" in done.stderr
