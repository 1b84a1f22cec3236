"""A fleet's life on virtual time: the production loop in a world whose faults come from a seed.

The daemon never imports this.
"""
