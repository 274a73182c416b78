"""Lines as an evaluation of Moodle's Virtual Programming Lab (VPL) prints them.

Without a grade there is no line ``Grade``: VPL then proposes none.

The last line that begins with ``Grade :=>>`` is the grade. In a comment ``-`` begins a heading, ``>`` code, and
``http:`` a link.

Source: `find_proposedgrade`, `find_proposedcomment` and `result_to_html` in vpl_submission.class.php of
https://github.com/jcrodriguez-dis/moodle-mod_vpl.
"""

from grader.formats.view import View

GRADE, COMMENT = "Grade :=>>", "Comment :=>>"
# VPL's `trim` leaves it, so no line of the text is a heading, code or a link.
BEFORE_TEXT = "\N{NO-BREAK SPACE}"


def write(view: View) -> str:
    lines = [_heading(view.verdict())]
    for paragraph in [*view.advice(), *view.remarks()]:
        lines += [*_text(paragraph), COMMENT]
    if view.gives_grade:
        for check in view.report["checks"]:
            of = f": {view.score_of(check)}" if check["max_points"] else ""
            lines += [_heading(check["title"] + of), *_text(check["message"])]
        lines.append(f"{GRADE}{view.report['points']:g}")
    return "\n".join(lines) + "\n"


def _heading(text: str) -> str:
    return f"{COMMENT}-{text}"


def _text(paragraph: str) -> list[str]:
    """Return a comment's lines. Each begins with a word of ours, so a student's ``Grade :=>>`` is not one."""
    return [f"{COMMENT}{BEFORE_TEXT}{line}" for line in paragraph.splitlines() if line.strip()]
