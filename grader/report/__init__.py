"""The report: what it says, in which words, and with which pictures."""
