"""THE PROGRAM ON THE MACHINE: makes a fresh machine a worker, and tells its fleet how far it is.

It is not part of the daemon: `bootstrap.program` packs these modules into one file of the user data, and the machine's
own /usr/bin/python3 runs them. So: Python 3.9, the standard library alone, and little code, because the tightest
clouds take 12 kB of user data in all. Comments, docstrings and annotations cost nothing: they stay behind. What only
some pools need (a lease, a grant, systemd as the keeper) is a module of its own, packed for those alone. In goes
/etc/autoscaler/machine.json; out comes a worker under its keeper, and reports to the broker. What never happens here:
a secret in a command line or a log, a wait without an end.
"""
