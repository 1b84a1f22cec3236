"""Many daemons side by side, a fleet each, on one simulated account, on virtual time. `make bench-sharded` runs it."""
