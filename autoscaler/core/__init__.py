"""The pure heart: facts and records in, transitions and a plan out. No clock, no I/O, no chance."""
