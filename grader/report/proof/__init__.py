"""The proof of a report: one curve, the first wrong step worked out in numbers, and a map of every number.

Only public cases have one. The arrays behind it are an artefact, which also holds the step, computed while grading
(`grader.reporting.proof`).
"""
