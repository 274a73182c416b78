"""Rosters: from the bytes of a CSV file to members of a course.

`reading.read` says who is in the file, without a look at the course. `planning.plan` says row by row what an import
will do, and `planning.carry_out` does it. Moodle's and Canvas' own exports are read as they are.
"""
