"""What every gateway says when it could not look or was not obeyed."""

from __future__ import annotations


class FactUnavailable(Exception):
    """Could not look, or could not be sure of having been heard. The message says why; it holds no secret."""
