"""The own work of a student, as the student sees it: courses, assignments, attempts."""
