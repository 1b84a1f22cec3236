"""What is known in closed form of a queue with c servers, Poisson arrivals and exponential runtimes (M/M/c).

Simulated worlds are held against these. What never happens here: a simulation, or a formula for a queue that never
settles. Times are seconds; a load is in erlangs, that is, arrivals per second × mean seconds of running.

Sources: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges" (1917), for the two formulas of his name; L. Kleinrock, "Queueing Systems, Volume 1: Theory" (1975), for the
recursion's use and for the wait's distribution.
"""

from __future__ import annotations

import math


def erlang_b(servers: int, load: float) -> float:
    """Erlang's first formula: the share of arrivals that find all servers busy, where those are turned away.

    By its recursion over the servers, which neither overflows nor cancels. `load` in erlangs may exceed the servers.
    ValueError for negative or endless arguments.
    """
    if servers < 0 or not 0 <= load < math.inf:
        raise ValueError(f"{servers} servers, {load} erlangs: expected finite numbers, not negative")
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Erlang's second formula: the share of arrivals that must wait, where they queue.

    ValueError unless the load is below the servers: otherwise the queue grows without end.
    """
    blocked = erlang_b(servers, load)
    if load >= servers:
        raise ValueError(
            f"{servers} servers, {load} erlangs: the queue grows without end; expected a lower load"
        )
    return servers * blocked / (servers - load * (1 - blocked))


def mean_wait_s(servers: int, rate_per_s: float, task_s: float) -> float:
    """Mean wait of all arrivals, those that wait for nothing included. Errors as for `erlang_c`."""
    load = rate_per_s * task_s
    return erlang_c(servers, load) * task_s / (servers - load)


def share_waiting_longer(servers: int, rate_per_s: float, task_s: float, wait_s: float) -> float:
    """P(W > wait_s), from 0 to 1, served in the order of arrival. Errors as for `erlang_c`, and for a negative wait."""
    if wait_s < 0:
        raise ValueError(f"a wait of {wait_s} seconds; expected 0 or more")
    load = rate_per_s * task_s
    return erlang_c(servers, load) * math.exp(-(servers - load) * wait_s / task_s)


def wait_quantile_s(servers: int, rate_per_s: float, task_s: float, share: float) -> float:
    """The wait that this share of arrivals does not exceed: 0 where so many do not wait at all.

    `share` is from 0 to below 1, otherwise ValueError; further errors as for `erlang_c`.
    """
    if not 0 <= share < 1:
        raise ValueError(f"the quantile of {share}; expected a share from 0 to below 1")
    load = rate_per_s * task_s
    waiting = erlang_c(servers, load)
    if waiting <= 1 - share:
        return 0.0
    return math.log(waiting / (1 - share)) * task_s / (servers - load)
