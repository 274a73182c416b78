"""Courses: their members, the assignments that they use, and the log of changes to them.

It knows tables and the files of assignments, and nothing of requests, tokens or submissions. Rooms above ask
`members.enrol` who a student is, `assignments.in_course` by which dates and rules an attempt goes, and
`assignments.offer` which row it belongs to.
"""
