"""What Sphinx is told: `scripts/site/build.py` runs it over the pages that `stage.py` laid out."""

import tomllib
from pathlib import Path

_HERE = Path(__file__).parent
_PROJECT = tomllib.loads((_HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "autoscaler"
version = release = _PROJECT["version"]
extensions = ["myst_parser"]
root_doc = "index"
needs_sphinx = "9.0"

# Links to chapters are written as the repository's own readers have them: `page.md#the-chapter`.
myst_heading_anchors = 4

# What is typed after a prompt over several lines, and files with words to fill in, the highlighter takes for mistakes.
# `tests/docs` parses them by what they are for.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"autoscaler {version}"
html_static_path = [str(_HERE / "static")]
html_css_files = ["site.css"]
html_show_sphinx = html_show_sourcelink = html_copy_source = False
# Without dates and other people's addresses in it: one commit makes one site, and a reader's browser asks nobody else.
html_last_updated_fmt = None
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#1f5f8b", "color-brand-content": "#1f5f8b"},
    "dark_css_variables": {"color-brand-primary": "#7cc0e8", "color-brand-content": "#7cc0e8"},
}
pygments_style = "default"
pygments_dark_style = "github-dark"
