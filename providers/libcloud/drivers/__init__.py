"""Drivers of our own for clouds that libcloud lacks, each in the form of libcloud's, so that it could be offered there.

In go libcloud's arguments, out come libcloud's objects and exceptions; what they mean to us stands in `dialects` and
the adapter, as for any other driver. What never happens here: a retry, a wait, a word of fleets, pools or marks.
"""
