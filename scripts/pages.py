"""Writes what is made from something else: pages under `docs/` from code, and the files that `init` starts from.

Tests hold each of them equal to what it is made from.
"""

from pathlib import Path

from autoscaler.cli import commands_page, events_page
from autoscaler.config import json_schema, reference
from autoscaler.core import lifecycle_page
from autoscaler.web import metrics_page
from providers import clouds_page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {
    "commands.md": commands_page.render,
    "events.md": events_page.render,
    "lifecycle.md": lifecycle_page.render,
    "metrics.md": metrics_page.render,
    "config.schema.json": json_schema.text,
    "configuration.md": reference.text,
    "providers.md": clouds_page.render,
}

if __name__ == "__main__":
    for name, render in PAGES.items():
        (DOCS / name).write_text(render())
    example = (ROOT / "config.example.toml").read_text()
    (ROOT / "autoscaler" / "cli" / "starter.toml").write_text(example)
    for name in ("autoscaler.service", "supervisor.conf"):
        (ROOT / "autoscaler" / "cli" / name).write_text((ROOT / "deploy" / name).read_text())
