"""JUnit XML, which every continuous integration system reads: a suite per submission, a test case per check.

A failed check is a ``failure``, a check that could not be tried is ``skipped``, and our own failure is an ``error``.

Source: the elements and attributes common to the schemas of Ant (JUnit.xsd of Windy Road) and Jenkins (junit-10.xsd).
"""

from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from grader.formats.source import Sources
from grader.formats.view import View, causes, root_failures

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write(view: View) -> str:
    root = ET.Element("testsuites")
    root.append(_suite(view))
    ET.indent(root)
    return XML_HEAD + ET.tostring(root, encoding="unicode") + "\n"


def _suite(view: View) -> ET.Element:
    report = view.report
    checks = report["checks"]
    statuses = [check["status"] for check in checks]
    errors = 0 if view.is_graded else 1
    seconds = f"{report['timing']['wall_seconds']:.3f}"
    suite = ET.Element(
        "testsuite",
        name=report["submission"]["filename"],
        tests=str(len(checks) + errors),
        failures=str(statuses.count("failed")),
        errors=str(errors),
        skipped=str(statuses.count("skipped")),
        time=seconds,
        # The schemas require whole seconds and no time zone.
        timestamp=datetime.fromisoformat(report["receipt"]["created_at"]).strftime("%Y-%m-%dT%H:%M:%S"),
        hostname="localhost",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        ET.SubElement(properties, "property", name=name, value=str(value))
    roots = [check["id"] for check in root_failures(report)]
    for check in checks:
        _case(suite, report, check, _places(view) if check["id"] in roots[:1] else [])
    if errors:
        case = ET.SubElement(suite, "testcase", classname=report["assignment"]["id"], name="grading", time=seconds)
        error = ET.SubElement(case, "error", message=view.verdict(), type=report["status"])
        error.text = report["error"]["type"] if report["error"] else ""
    for name, element in (("stdout", "system-out"), ("stderr", "system-err")):
        ET.SubElement(suite, element).text = report["output"][name]
    return suite


def _properties(report: dict[str, Any]) -> dict[str, object]:
    graded = {} if report["points"] is None else {"points": report["points"], "score": report["score"]}
    return {
        "status": report["status"],
        **graded,
        "max_points": report["max_points"],
        "diagnoses": " ".join(diagnosis["code"] for diagnosis in report["diagnoses"]),
        "assignment_digest": report["receipt"]["assignment_digest"],
        "submission_sha256": report["receipt"]["submission_sha256"],
        "grader_version": report["receipt"]["grader_version"],
    }


def _places(view: View) -> list[str]:
    """Return the places of all causes: each of them explains the first failure."""
    sources = Sources(view)
    return [line for cause in causes(view.report, view.language) for line in sources.lines_of(cause["code"])]


def _case(suite: ET.Element, report: dict[str, Any], check: dict[str, Any], places: list[str]) -> None:
    # The time of one check is not known: all checks read one run.
    case = ET.SubElement(suite, "testcase", classname=report["assignment"]["id"], name=check["id"], time="0.000")
    if check["status"] == "failed":
        failure = ET.SubElement(case, "failure", message=check["message"], type=check["code"] or "failed")
        failure.text = "\n".join(line for line in [check["hint"], *places] if line)
    elif check["status"] == "skipped":
        ET.SubElement(case, "skipped", message=check["message"])
