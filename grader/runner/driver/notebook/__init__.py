"""Runs a whole notebook, for Task 2, and watches its models."""
