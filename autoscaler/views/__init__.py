"""What operators see, as values and as documents for programs: the same for commands, pages, the API and metrics.

In go the journal and the settings. What never happens here: words in colour, HTML, a look at a broker or a cloud, and
any write.
"""
