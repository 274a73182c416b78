"""Submissions of students: received, stored, listed, counted, deleted."""
