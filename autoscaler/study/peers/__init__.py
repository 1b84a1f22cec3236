"""Somebody else's rules, as their documents state them, to be measured beside ours on the same workloads.

`PEERS` holds each by name at the settings of its documents, `VARIANTS` further settings for a benchmark: a factory
takes the `Terms` and gives a fresh `Peer`. What never happens here: improving on them, or a word to a real system.
"""

from autoscaler.study.peers.catalogue import PEERS, VARIANTS, PeerFactory

__all__ = ["PEERS", "VARIANTS", "PeerFactory"]
