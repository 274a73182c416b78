"""The dashboard of Grafana: its panels ask the chosen data source for series that a service exports, in their units."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.operations.metrics import Metrics

DASHBOARD = json.loads((Path(__file__).parents[3] / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


@pytest.fixture(scope="module")
def exported() -> list[tuple[str, dict[str, str]]]:
    """The series of a process that has answered a request: names and labels."""
    metrics = Metrics()
    metrics.count_answer("GET", "/", 200, 0.1)
    document = metrics.document(None, self_test=None, is_writable=True).decode()
    families = text_string_to_metric_families(document)
    return [(sample.name, dict(sample.labels)) for family in families for sample in family.samples]


def test_every_panel_asks_the_data_source_that_is_chosen():
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)


@pytest.mark.parametrize(
    ("panel", "query"), [(panel, target["expr"]) for panel in PANELS for target in panel["targets"]], ids=str
)
def test_a_panel_asks_for_series_that_a_service_exports(exported, panel, query):
    grouped = {label for labels in re.findall(r"by \(([^)]+)\)", query) for label in labels.split(", ")}
    for name, matchers in re.findall(r"\b(up|lstm_grader_\w+)(\{[^}]*\})?", query):
        asked = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
        assert asked.pop("job", None) == "lstm-grader", "another job's numbers are not ours"
        labels = [labels for series, labels in exported if series == name and asked.items() <= labels.items()]
        assert name == "up" or labels, f"no service exports {name}{asked}"
        assert all(grouped <= each.keys() for each in labels), f"{name} has no labels {grouped}"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_shows_the_unit_of_what_it_asks_for(panel):
    def unit_of(query: str) -> str | None:
        if re.search(r"_seconds(_bucket|_sum)?\{", query):
            return "s"
        if "_bytes{" in query:
            return "bytes"
        if " / " in query:
            return "percentunit"
        return "reqps" if query.startswith("sum by (status) (rate(") else None

    queries = [target["expr"] for target in panel["targets"]]
    assert {unit_of(query) for query in queries} == {panel["fieldConfig"]["defaults"].get("unit")}, queries
    assert all(query.startswith("60 * ") == ("per minute" in panel["title"]) for query in queries)
