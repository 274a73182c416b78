"""Submissions of students: uploads, storage, lists, and grades."""
