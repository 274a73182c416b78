"""Finds the weights of the student's model, and tells what each of them is for."""
