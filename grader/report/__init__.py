"""The report: its contents, its words and its pictures."""
