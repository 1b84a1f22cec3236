"""The program that a machine runs, packed into one file that the machine's own Python executes.

In go the modules of `bootstrap.assets.enrol` that a pool has a use for, out comes text, the same for the same modules.
The tightest clouds take 12 kB of user data in all, so comments, docstrings and annotations stay behind, names that
nobody outside knows are short, and what is left is compressed. What never happens here: a value of any pool in the
program.
"""

from __future__ import annotations

import ast
import builtins
import functools
import io
import keyword
import lzma
import string
import tokenize
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from bootstrap import assets

_PACKAGE = f"{assets.__name__}.enrol"
_PACKED = "E"
"""The package's name on the machine."""
_ALWAYS = ("machine", "amqp", "reports", "installing", "disk")
_LAST = ("enrolment", "__main__")
"""In this order: each stands on those before it, as far as it loads them at its start."""
_OF_IMAGES = frozenset({"imaging", "early"})
"""Never in user data, so their names may be long, and cost no other module a short one."""
_UNNEEDED = frozenset({"__future__", "collections.abc", "typing"})
"""Modules that are there for annotations alone."""
_NOTHING = frozenset({tokenize.COMMENT, tokenize.NL})
_F_STRING = getattr(tokenize, "FSTRING_START", tokenize.STRING)
_WORDS = frozenset({tokenize.NAME, tokenize.NUMBER, tokenize.STRING, _F_STRING})
"""What a space must part."""

# -I: nothing of the machine's environment changes what is run. -S: no package of anybody's is looked for. The text is
# read as what it is in every locale.
_INTERPRETER = "#!/usr/bin/python3 -ISXutf8"
_LOADER = """\
import lzma,sys
M=type(sys)
P=%r
p=sys.modules[P]=M(P)
k=0
for c in b'%s':k=k*92+(c-40-(c>92))%%93
for s in lzma.decompress(k.to_bytes(%d,"big")).decode().split("\\f"):
 n,c=s.split("\\n",1)
%s m=M(n)
 setattr(p,n,m)
 exec(compile(c,n,"exec"),m.__dict__)
sys.exit(m.main(*sys.argv[1:]))
"""
_CARRIER = """\
 if n[0]=="/":
  import os
  f=os.environ.get("AUTOSCALER_ROOT","")+n
  os.makedirs(os.path.dirname(f),493,True)
  open(f+"~","w").write(c)
  os.chmod(f+"~",493)
  os.replace(f+"~",f)
  continue
"""
"""Only where something is carried: a section that bears a path is a file, readable by all and whole at any time."""
_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "pb": 0, "nice_len": 64, "depth": 1000}]
"""For text, and as hard as it is worth: longer matches, where they are taken at once, make it larger."""

_POWERS = [92**place for place in range(64)]
"""So many digits at once: a program is a very long number, and to divide that is slow."""

Point = tuple[int, int]


def modules_for(machine: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that a machine with these settings loads."""
    optional = {
        "grant": machine.get("credentials") == "node",
        "lease": (machine.get("lease") or {}).get("after_s"),
        "systemd": machine.get("keeper") == "systemd",
        "supervisord": machine.get("keeper") != "systemd",
    }
    return (*_ALWAYS, *(name for name, wanted in optional.items() if wanted), *_LAST)


@functools.cache
def packed(modules: tuple[str, ...], carried: tuple[tuple[str, str], ...] = ()) -> str:
    """The file as it stands on the machine. Besides its modules it carries files, each by its path and the name of its
    asset, and writes them before anything else: together they take least room."""
    sources, shorter = _sources(), _shorter()
    sections = [f"{path}\n{assets.fill(name)}" for path, name in carried]
    sections += [
        f"{name}\n{bare(sources[name], {} if name in _OF_IMAGES else shorter).replace(_PACKAGE, _PACKED)}"
        for name in modules
    ]
    squeezed = lzma.compress("\f".join(sections).encode(), format=lzma.FORMAT_ALONE, filters=_FILTERS)
    return f"{_INTERPRETER}\n{_LOADER % (_PACKED, _digits(squeezed), len(squeezed), _CARRIER if carried else '')}"


def _digits(data: bytes) -> str:
    """The data as one number of base 92, in the printable characters but `'` and `\\`: 2 % shorter than base 85.

    0 is `(`, and so on; behind `~` comes `!`. `data` does not begin with a 0, which compressed data never does.
    """
    number, digits = int.from_bytes(data, "big"), []
    while number:
        number, part = divmod(number, 92 * _POWERS[-1])
        for power in _POWERS:
            digit = part // power % 92
            digits.append(chr(33 + (digit + 7 + (digit > 51)) % 94))
    return "".join(reversed(digits)).lstrip("(")


def bare(source: str, shorter: Mapping[str, str]) -> str:
    """The same program with nothing in it that is for people, a statement a line. `source` is in ASCII."""
    tree = ast.parse(source)
    cuts = deque(sorted(_cuts(tree, source.splitlines())))
    cut_until = (0, 0)
    written: list[str] = []
    depth = 0
    empty = False
    before: tokenize.TokenInfo | None = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        while cuts and cuts[0][0] <= token.start:
            cut_until = max(cut_until, cuts.popleft()[1])
        if token.type in _NOTHING or token.start < cut_until:
            continue
        if token.type in {tokenize.INDENT, tokenize.DEDENT}:
            if token.type == tokenize.DEDENT and empty:
                written.append(f"{' ' * depth}pass\n")
            empty = token.type == tokenize.INDENT
            depth += 1 if empty else -1
        elif token.type in {tokenize.NEWLINE, tokenize.ENDMARKER}:
            written.append("\n" if before else "")
            before = None
        else:
            apart = before is not None and before.type in _WORDS and token.type in _WORDS
            written.append(
                " " * depth if before is None else " " if apart and before.end < token.start else ""
            )
            written.append(
                shorter.get(token.string, token.string) if token.type == tokenize.NAME else token.string
            )
            before, empty = token, False
    return "".join(written)


@functools.cache
def _sources() -> Mapping[str, str]:
    """All modules, by their names."""
    folder = resources.files(assets.__name__).joinpath("enrol")
    files = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".py")), key=lambda each: each.name
    )
    return {each.name.removesuffix(".py"): each.read_text("utf-8") for each in files}


@functools.cache
def _shorter() -> Mapping[str, str]:
    """Short names for those that nobody outside knows: local ones, and all that begin with `_`.

    The same name is the same everywhere, whatever it is the name of, so one that is also an attribute, a keyword or an
    import somewhere stays as it is. So does one that stands in an f-string, which not every Python takes apart.
    """
    sources = [source for name, source in _sources().items() if name not in _OF_IMAGES]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    counted: Counter[str] = Counter()
    kept = {*dir(builtins), *keyword.kwlist, "self"}
    for node in nodes:
        match node:
            case ast.Name(id=name) | ast.arg(arg=name):
                counted[name] += 1
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                counted[name] += 1
                kept.update(() if name.startswith("_") else (name,))
            case ast.ClassDef(name=name) | ast.keyword(arg=str(name)):
                kept.add(name)
            case ast.alias(name=name, asname=asname):
                kept.update((asname or name).split("."))
            case ast.JoinedStr():
                kept.update(
                    each.id if isinstance(each, ast.Name) else each.attr
                    for each in ast.walk(node)
                    if isinstance(each, ast.Name | ast.Attribute)
                )
            case _:
                pass
    letters = (a + b for a in ("", *string.ascii_letters) for b in string.ascii_letters)
    free = (name for name in letters if name not in kept and name not in counted)
    wanted = [name for name, _ in counted.most_common() if name not in kept and not name.startswith("__")]
    return dict(zip(wanted, free, strict=False))


def _cuts(tree: ast.Module, lines: list[str]) -> Iterator[tuple[Point, Point]]:
    """From where to where nothing is needed."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                yield _place(node)
            case ast.ImportFrom(module=module) if module in _UNNEEDED:
                yield _place(node)
            case ast.AnnAssign():
                begin = _end(node.target) if node.value else _place(node)[0]
                yield begin, _end(node.annotation)
            case ast.arg(annotation=ast.expr() as annotation):
                yield (node.lineno, node.col_offset + len(node.arg)), _end(annotation)
            case ast.FunctionDef(returns=ast.expr() as returns):
                line = lines[returns.lineno - 1]
                yield (returns.lineno, line.rindex("->", 0, returns.col_offset)), _end(returns)
            case _:
                pass


def _place(node: ast.stmt) -> tuple[Point, Point]:
    return (node.lineno, node.col_offset), _end(node)


def _end(node: ast.stmt | ast.expr) -> Point:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset
