"""Bodies about courses, and about what belongs to one."""
