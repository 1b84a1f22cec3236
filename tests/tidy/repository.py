"""What the tidy tests look at: the files under version control, and the modules among them, parsed once."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("autoscaler", "providers", "policies", "bootstrap")


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Every file git knows or would take, relative to the root; ignored ones are not ours to judge."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=30,
    )
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def modules(*folders: str) -> tuple[Path, ...]:
    """The Python modules of these top-level folders, relative to the root."""
    return tuple(path for path in tracked_files() if path.suffix == ".py" and path.parts[0] in folders)


@functools.cache
def text(path: Path) -> str:
    """The text of a file; empty for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@functools.cache
def tree(path: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(text(path), filename=str(path))


def functions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    """Every function and method of a module, nested ones too."""
    return tuple(
        node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
