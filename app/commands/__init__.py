"""The commands of an operator, beside a running service or without one."""
