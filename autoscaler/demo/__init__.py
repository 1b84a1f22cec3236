"""A whole fleet to look at: the production loop over a played broker, workers and clouds, paced against real time.

In go a directory, a speed and the machine's clock; what comes out stands in a real journal beside a real configuration,
so that pages and commands work over it as over any fleet. What never happens here: a call that leaves this computer.
"""
