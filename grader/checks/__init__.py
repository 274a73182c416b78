"""The checks; `registry.py` maps a name in the assignment to a check."""
