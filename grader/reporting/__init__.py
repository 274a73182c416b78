"""Turns the evidence into a report."""
