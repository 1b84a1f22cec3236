"""What an operator wrote, checked: a TOML file in, frozen `Settings` out, or every problem in one `ConfigError`.

Durations come in as text with a unit and are attributes in seconds (`tick = "10s"` is `tick_s`). Secrets come in by
reference only. What never happens here: a decision, a connection, or a guess at what was meant.
"""

from autoscaler.config.load import config_path, load, parse, text_of
from autoscaler.config.problem import ConfigError, Problem
from autoscaler.config.secret import Secret
from autoscaler.config.settings import Settings

__all__ = ["ConfigError", "Problem", "Secret", "Settings", "config_path", "load", "parse", "text_of"]
