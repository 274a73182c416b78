"""From numbers and outcomes to named mistakes."""
