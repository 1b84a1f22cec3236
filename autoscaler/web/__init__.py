"""The daemon's own page, API and metrics over HTTP: what `views` tells, for browsers, programs and Prometheus.

In go the journal and the settings, out come answers. What never happens here: a look at a broker or a cloud, a choice,
or a write to the journal but of an operator's order.
"""
