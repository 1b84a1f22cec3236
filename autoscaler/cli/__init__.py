"""The commands: what operators type, in a module for each job; `main` is the console script.

In go arguments, out come words, JSON and an exit code. Commands read the journal and write orders into it; `run` alone
becomes the daemon. What never happens here: a decision, or a traceback for trouble that can be foreseen.
"""

from autoscaler.cli.app import main

__all__ = ["main"]
