"""What a browser and a program see of the daemon.

In go the journal's values as `views` reads them, out come pages and documents over HTTP; orders go into the journal.
What never happens here: a tick, a look at a broker or a cloud.
"""
