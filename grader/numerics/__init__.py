"""Numbers of answers, and nothing else: compared, read in other forms, explained by known mistakes."""
