"""Pictures of figures over time: as a page that needs nothing, and as PNG.

What never happens here: a figure that is computed, or a look at a run, a journal or a fleet.
"""
