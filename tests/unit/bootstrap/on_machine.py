"""The program of a machine inside this process: its modules loaded anew for a root of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bootstrap.assets import enrol

NAMES = (
    "machine",
    "amqp",
    "grant",
    "reports",
    "installing",
    "disk",
    "supervisord",
    "systemd",
    "lease",
    "enrolment",
    "early",
)


@contextmanager
def loaded(root: Path | str) -> Iterator[SimpleNamespace]:
    """Its modules by their names, with all their paths under `root`; as before when the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOSCALER_ROOT", str(root))
        for name in NAMES:
            patch.delitem(sys.modules, f"{enrol.__name__}.{name}", raising=False)
            patch.delattr(enrol, name, raising=False)
        modules: dict[str, ModuleType] = {}
        for name in NAMES:
            modules[name] = importlib.import_module(f"{enrol.__name__}.{name}")
        yield SimpleNamespace(**modules)
        for name in NAMES:
            sys.modules.pop(f"{enrol.__name__}.{name}", None)
            delattr(enrol, name)
