"""Launches: begun, believed, and led into a course."""
