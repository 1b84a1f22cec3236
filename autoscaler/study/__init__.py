"""What a pool's settings would have done: the production rules on virtual time, beside others' and the optimum.

A workload goes in, waits and costs come out. What never happens here: a clock, a broker, a provider, or a fault; a
world full of trouble is `autoscaler.simulate`.
"""
