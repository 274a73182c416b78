"""Sorts top-level statements, and decides which of them are run."""
