"""Writes the pages under `docs/` that are made from code. Tests hold each of them equal to what it is made from."""

from pathlib import Path

from autoscaler.cli import commands_page
from autoscaler.config import json_schema, reference
from autoscaler.core import lifecycle_page

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {
    "commands.md": commands_page.render,
    "lifecycle.md": lifecycle_page.render,
    "config.schema.json": json_schema.text,
    "configuration.md": reference.text,
}

if __name__ == "__main__":
    for name, render in PAGES.items():
        (DOCS / name).write_text(render())
