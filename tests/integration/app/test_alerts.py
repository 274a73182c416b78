"""The alert rules that come with the service, tried by Prometheus' own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from tests.programs import program

FOLDER = Path(__file__).parents[3] / "deploy" / "prometheus"


def assert_promtool_passes(*arguments: str) -> None:
    ended = subprocess.run([program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_rules_are_rules() -> None:
    assert_promtool_passes("check", "rules", "--lint-fatal", "alerts.yml")


def test_alerts_fire_when_they_must_and_only_then() -> None:
    assert_promtool_passes("test", "rules", "alerts_test.yml")


def test_every_alert_is_tried() -> None:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    fired = re.findall(
        r'alertname="(\w+)", alertstate="firing"|alertname: (\w+)', (FOLDER / "alerts_test.yml").read_text()
    )
    assert {name for names in fired for name in names if name} == {rule["alert"] for rule in group["rules"]}
