"""Finds the arguments that the student's constructor wants, and builds the model."""
