"""The remarks of a report that are for teachers alone."""

from grader import Report

#: Grounds for a second look by a person. They accuse nobody, so they are not for the student, and cost no points.
FOR_TEACHERS = frozenset({"plagiarism", "prompt_injection", "review_suggested"})


def for_student(report: Report) -> Report:
    """Return the report without the advisories for teachers."""
    shown = [advisory for advisory in report.advisories if advisory.code not in FOR_TEACHERS]
    return report.model_copy(update={"advisories": shown})
