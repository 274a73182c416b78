"""Notices what a submission reaches for that the exercise has no use for."""
