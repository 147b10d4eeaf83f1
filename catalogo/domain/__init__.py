"""The bakery's rules: no I/O, no clock, the standard library only."""
