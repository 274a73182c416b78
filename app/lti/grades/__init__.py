"""Grades on their way to the grade books of platforms."""
