"""How the daemon's cost grows: the production tick over fleets of many sizes. `make bench-scale` runs it."""
