"""Launches: their beginning, the check of the platform's message, and the way into a course."""
