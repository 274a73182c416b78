"""The report as one HTML file that needs nothing else: it contains style and pictures, but no scripts.

The service shows the same body in its own pages. Templates escape every value: names, messages and output are a
student's.
"""

import base64
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from grader.formats import view as views
from grader.formats.commands import without_commands
from grader.formats.source import Sources
from grader.report import numbers
from grader.report.messages import place_of, translate
from grader.report.pictures.charts import Picture, pictures
from grader.report.proof.presentation import proofs
from grader.report.server_paths import clean

TEMPLATES = Path(__file__).parent / "templates"
#: The files that the service must serve for `report_body.html`.
STATIC_FILES = Path(__file__).parent / "static"
WITH_EXPONENT = re.compile(r"[\d.,]+e-\d+")
#: A second defence, if anything of a student's ever gets through: no script runs, and nothing is fetched.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write(view: views.View) -> str:
    facts = [view.report["submission"]["filename"], view.report["assignment"]["id"]]
    embedded = [_embedded(picture, view.draw(picture.spec)) for picture in pictures_in_page(view).values()]
    context: dict[str, Any] = {"report": view.report, "facts": facts, "pictures": embedded, "sources": Sources(view)}
    context["proofs"] = proofs(view.report, view.language, view.artefacts)
    return fill("report_page.html", view.language, **context)


def fill(template: str, language: str, **context: object) -> str:
    """Make a self-contained page from one of our templates."""
    style = (STATIC_FILES / "report.css").read_text(encoding="utf-8")

    def name(id: str, /, **params: object) -> str:
        return translate(id, language, **params)

    # The style is ours, and the only value that is not escaped.
    context |= {"language": language, "name": name, "style": Markup(style), "policy": POLICY}  # noqa: S704
    return without_commands(environment().get_template(template).render(**context), "text/html")


def pictures_of(view: views.View) -> dict[str, Picture]:
    """Return the pictures of a report, under names that are unique in it.

    Only wrong public cases have pictures: those of a right answer would show only noise.
    """
    shown = [case for case in view.report["cases"] if case["first_divergence"]]
    drawn = ((case["id"], picture) for case in shown for picture in pictures(case, view.language, view.artefacts))
    return {f"{case}-{picture.id}": picture for case, picture in drawn}


def pictures_in_page(view: views.View) -> dict[str, Picture]:
    """Return the pictures that a page shows beside its proof, which has a map of its own."""
    return {name: picture for name, picture in pictures_of(view).items() if picture.id != "heat"}


def picture_for_script(picture: Picture, address: str) -> dict[str, str | None]:
    """Prepare a picture for the template, with its definition for a script.

    Args:
        address: the address of its SVG, for readers without scripts.
    """
    definition = htmlsafe_json_dumps(picture.spec, separators=(",", ":"))
    return {"title": picture.title, "text": picture.text, "address": address, "definition": definition}


def _embedded(picture: Picture, svg: str) -> dict[str, str | None]:
    address = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return {"title": picture.title, "text": picture.text, "address": address, "definition": None}


@cache
def environment(*folders: Path) -> Environment:
    """Make an environment for templates: it escapes everything, has our filters, and searches our own folder last."""
    jinja = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_without_control_characters,
    )
    jinja.filters.update(
        unbroken=_unbroken,
        quotes_error=views.quotes_error,
        shows_error=views.shows_error,
        stopped_elsewhere=views.stopped_elsewhere,
        in_zone=numbers.in_zone,
        consequences=views.consequences,
        strip=views.strip,
        parts=views.parts,
    )
    for name, function in IN_LANGUAGE.items():
        jinja.filters[name] = _in_language(function)
    return jinja


def _in_language(function: Callable[[Any, str], Any]) -> Callable[[Context, Any], Any]:
    """Make a filter that gets the language of the page."""
    return pass_context(lambda context, value: function(value, context["language"]))


def _without_control_characters(value: object) -> object:
    # Markup is ours, and already escaped.
    return clean(value) if type(value) is str else value


def _points(value: float | None, language: str) -> str:
    return "–" if value is None else numbers.points(value, language)


def _number(value: float | None, language: str) -> str:
    """Format a number of a comparison; null in a report stands for NaN and infinity."""
    return translate("report.not_finite", language) if value is None else numbers.number(value, language)


IN_LANGUAGE: dict[str, Callable[[Any, str], Any]] = {
    "points": _points,
    "number": _number,
    "percent": numbers.percent,
    "moment": numbers.moment,
    "distance": numbers.distance,
    "duration": numbers.duration,
    "time_left": numbers.time_left,
    "signed": numbers.signed,
    "cause_title": views.cause_title,
    "causes": views.causes,
    "rows": views.rows,
    "causes_beside_proof": partial(views.causes, elsewhere=views.IN_PROOF),
    "rows_beside_proof": partial(views.rows, elsewhere=views.IN_PROOF, has_summary=True),
    "parts_not_run": views.parts_not_run,
    "summary": views.summary,
    "place": place_of,
    "remark_place": views.remark_place,
}


def _unbroken(value: str) -> Markup:
    """Keep each number with an exponent on one line: browsers break 1.34e-7 after its hyphen."""
    return Markup(WITH_EXPONENT.sub(r'<span class="nowrap">\g<0></span>', str(escape(clean(value)))))  # noqa: S704
