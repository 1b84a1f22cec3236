"""One module per outside system, in its own words: what it said becomes a fact, or a reason why there is none."""
