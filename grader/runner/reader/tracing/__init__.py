"""Follows the values of a class from its input to its answer, in its syntax tree: nothing of the code runs."""
