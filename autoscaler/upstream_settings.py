"""Which pools publish their machines and how, from settings.

Settings and the pools' rules go in, publications come out. What never happens here: a default, or a look at a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.config import Settings
from autoscaler.core.model import PoolName, PoolRules
from autoscaler.core.upstream import Upstream
from autoscaler.upstream_files import Publication


def publications(settings: Settings, rules: Mapping[PoolName, PoolRules]) -> Mapping[PoolName, Publication]:
    """Of each pool that has an upstream file."""
    found = {}
    for name, pool in settings.pools.items():
        section = pool.upstream
        if section is not None:
            found[PoolName(name)] = Publication(
                upstream=Upstream(
                    pool=rules[PoolName(name)],
                    file=section.file,
                    port=section.port,
                    address=section.address,
                    max_fails=section.max_fails,
                    fail_timeout_s=section.fail_timeout_s,
                ),
                reload=section.reload,
                check=section.check,
                command_timeout_s=section.command_timeout_s,
                linger_s=section.linger_s,
                probe=section.probe,
            )
    return found
