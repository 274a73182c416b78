"""Submissions of students: read from the wire, stored, listed, counted, deleted."""
