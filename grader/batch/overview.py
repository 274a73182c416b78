"""All results of a course for the teacher, on one page that needs nothing else."""

from collections.abc import Sequence

from grader.assignment import Assignment
from grader.batch.run import Row, status_name, summary
from grader.formats import html
from grader.report.messages import translate


def overview(rows: Sequence[Row], assignment: Assignment, language: str) -> str:
    return html.fill(
        "batch_page.html",
        language,
        title=assignment.title_in(language),
        counts=[(status_name(status, language), count) for status, count in summary(rows).items()],
        rows=[
            {**row.as_json(language), "problem": row.problem and translate(f"batch.{row.problem}", language)}
            for row in rows
        ],
    )
