"""The dashboard of Grafana: its panels ask the data source that is chosen."""

import json
from pathlib import Path

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS = DASHBOARD["panels"]


def test_every_panel_asks_the_data_source_that_is_chosen() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    # Another job's numbers are not ours.
    assert all('job="lstm-grader"' in target["expr"] for panel in PANELS for target in panel["targets"])
