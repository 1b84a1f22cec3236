"""What stands in a pool's upstream file, as a tick sees it and the journal keeps it. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from providers.contract import NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One upstream file and how far its readers are with it."""

    file: str
    servers: tuple[NodeName, ...] = ()
    """Machines in the file that was last taken in by whoever reads it."""
    awaited: tuple[NodeName, ...] = ()
    """Machines that serve and do not stand in it yet: they do not answer, or nobody knows their address."""
    exposed: tuple[NodeName, ...] = ()
    """Machines that leave and that requests may still reach; their ends wait."""
    trouble: str = ""
    """Why the file is not what it should be, or was not taken in; empty where all is well."""
    since_at: float = 0.0
    """Since when; 0 where all is well."""
