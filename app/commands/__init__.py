"""The commands of an operator, beside a running service or without one: a module for each group.

Whatever a page or a call of the API does as well is no command, unless it is done by scripts, or by somebody who has no
browser at hand. `shell` imports neither the web framework nor the database, and the groups do so inside functions, so
that all other commands start faster.
"""
