"""Names the mistakes behind numbers and outcomes."""
