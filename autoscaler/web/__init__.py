"""What the daemon shows and takes by HTTP: the page, the API, metrics, and orders on their way to the journal.

It reads the journal by `views` and writes nothing but orders. What never happens here: a look at a broker or a cloud, a
touch of the loop, and anything that a tick could have to wait for.
"""
