"""Machines that are process groups on this computer: real workers, real ends, no bill."""
