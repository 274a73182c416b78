"""Runs a submission: imports it, builds its model, and answers questions with raw arrays."""
