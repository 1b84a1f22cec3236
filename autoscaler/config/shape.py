"""Which keys may stand where: the models seen as a tree that is walked by places of the document.

In goes a place, out comes the section that stands there. Error reports and the reference are made from it. What never
happens here: a look at values.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any

from pydantic import Tag

from autoscaler.config.problem import Place
from autoscaler.config.values import Section

TAG = "kind:"
"""What the tags of sections with a `kind` begin with; they stand in places of validation errors, not in the
document."""


def without_tags(place: Place) -> Place:
    """The place as the document has it."""
    return tuple(part for part in place if not (isinstance(part, str) and part.startswith(TAG)))


def keys(section: type[Section]) -> Mapping[str, Any]:
    """The keys of a section as they are written, with what stands behind them."""
    hints = typing.get_type_hints(section, include_extras=True)
    return {field.alias or name: hints[name] for name, field in section.model_fields.items()}


def section_at(root: type[Section], place: Place) -> type[Section] | None:
    """The section at a place of a validation error, tags included; None where there is none."""
    kind: Any = root
    for part in place:
        section = sections(kind)
        if isinstance(part, str) and part.startswith(TAG):
            kind = _tagged(kind, part)
        elif len(section) == 1 and isinstance(part, str):
            kind = keys(section[0]).get(part)
        else:
            kind = _inside(kind)
        if kind is None:
            return None
    found = sections(kind)
    return found[0] if len(found) == 1 else None


def sections(kind: Any) -> tuple[type[Section], ...]:
    """The section that a value of this kind is, or all it may be; none for plain values, lists and maps."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return (kind,)
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return sections(typing.get_args(kind)[0])
    if origin in {typing.Union, UnionType}:
        return tuple(section for option in typing.get_args(kind) for section in sections(option))
    return ()


def inner_sections(kind: Any) -> tuple[type[Section], ...]:
    """The sections a value of this kind is, or holds as items of a list or a map."""
    while kind is not None:
        if found := sections(kind):
            return found
        kind = _inside(kind)
    return ()


def _inside(kind: Any) -> Any:
    """What a list or a map holds."""
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is Annotated:
        return _inside(arguments[0])
    if origin is tuple:
        return arguments[0]
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments[1]
    return None


def _tagged(kind: Any, tag: str) -> Any:
    """The member of a union that bears this tag."""
    if typing.get_origin(kind) is Annotated:
        base, *marks = typing.get_args(kind)
        if any(isinstance(mark, Tag) and mark.tag == tag for mark in marks):
            return base
        return _tagged(base, tag)
    if typing.get_origin(kind) in {typing.Union, UnionType}:
        return next((found for option in typing.get_args(kind) if (found := _tagged(option, tag))), None)
    return None
