"""What every gateway says when it could not look or was not obeyed."""

from __future__ import annotations


class FactUnavailable(Exception):
    """Could not look, or could not be sure of having been heard. The message says why; it holds no secret."""


class NotSent(FactUnavailable):
    """An order was held back because we may give none any more: nothing of it went out."""
