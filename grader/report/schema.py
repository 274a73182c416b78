"""The report for other programs: its JSON Schema, and reading a `Report` back from JSON."""

import json
from typing import Any

from pydantic import ValidationError

from grader.errors import sentence_of
from grader.report.model import Report

#: The keys that `grader.report.messages.render` adds to each model.
SENTENCES = {
    "Check": ("title", "message", "hint"),
    "Diagnosis": ("message", "hint"),
    "Advisory": ("message",),
    "SkippedCell": ("message",),
}


class NotAReport(ValueError):
    """The text is not a report of this schema version."""


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of a report with its sentences. Other keys are allowed: later versions may add some."""
    schema = Report.model_json_schema(mode="serialization")
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of lstm-grader"}
    for model in (schema, *schema["$defs"].values()):
        model.pop("additionalProperties", None)
    for name, keys in SENTENCES.items():
        model = schema["$defs"][name]
        for key in keys:
            text: dict[str, Any] = {"type": "string", "description": "for people; may be reworded"}
            model["properties"][key] = {"anyOf": [text, {"type": "null"}]} if key == "hint" else text
        model["required"] = [*model.get("required", []), *keys]
    return schema


def read_report(text: str | bytes) -> Report:
    """Read a report from JSON: with sentences or as stored, alone or inside an answer of the HTTP API.

    Raises:
        NotAReport: it is not a report, or holds something that this version does not know.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise NotAReport(f"not JSON: {exc}") from exc
    if isinstance(data, dict) and isinstance(data.get("report"), dict):
        data = data["report"]
    if not isinstance(data, dict):
        raise NotAReport("the JSON is no object")
    _remove_sentences(data)
    try:
        return Report.model_validate(data)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "report"
        raise NotAReport(f"{where}: {sentence_of(first)}") from exc


def _remove_sentences(stored: dict[str, Any]) -> None:
    def strip(owner: dict[str, Any], key: str, model: str) -> None:
        parts = owner.get(key)
        for part in parts if isinstance(parts, list) else ():
            for sentence in SENTENCES[model] if isinstance(part, dict) else ():
                part.pop(sentence, None)

    for key, model in (("checks", "Check"), ("diagnoses", "Diagnosis"), ("advisories", "Advisory")):
        strip(stored, key, model)
    if isinstance(extraction := stored.get("extraction"), dict):
        strip(extraction, "cells_skipped", "SkippedCell")
