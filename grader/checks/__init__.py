"""One module per check; `registry.py` maps a name in the assignment to a check."""
