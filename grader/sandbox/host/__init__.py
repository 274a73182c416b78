"""Finds out what the machine offers: cores, user ids, control groups, a GPU."""
