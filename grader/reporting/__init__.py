"""From the evidence to a report."""
