"""The dashboard of Grafana: its panels are explained and side by side, and ask the data source that is chosen."""

from __future__ import annotations

import json
from pathlib import Path

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS = DASHBOARD["panels"]


def test_panels_are_numbered_explained_and_side_by_side() -> None:
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    assert all(panel["description"] for panel in PANELS)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_every_panel_asks_the_data_source_that_is_chosen() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    # Another job's numbers are not ours.
    assert all('job="lstm-grader"' in target["expr"] for panel in PANELS for target in panel["targets"])
