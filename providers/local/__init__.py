"""Machines that are processes on this computer: real workers, real ends, no bill."""
