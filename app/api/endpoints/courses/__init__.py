"""Endpoints of courses: the courses themselves, and what belongs to one."""
