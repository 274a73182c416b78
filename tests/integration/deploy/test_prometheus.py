"""The files for Prometheus, tried by its own tool."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.programs import program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "prometheus"
PAGES = {page.name: page.read_text() for page in (ROOT / "docs").glob("*.md")}
SCRAPES = {name: re.findall(r"```yaml\n(scrape_configs:.*?)```", text, re.DOTALL) for name, text in PAGES.items()}


def assert_promtool_passes(*arguments: str, folder: Path = FOLDER) -> None:
    ended = subprocess.run([program("promtool"), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_rules_are_rules():
    assert_promtool_passes("check", "rules", "--lint-fatal", "alerts.yml")


def test_alerts_fire_when_they_must_and_only_then():
    assert_promtool_passes("test", "rules", "alerts_test.yml")


def test_every_alert_is_tried():
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    fired = re.findall(
        r'alertname="(\w+)", alertstate="firing"|alertname: (\w+)', (FOLDER / "alerts_test.yml").read_text()
    )
    assert {name for names in fired for name in names if name} == {rule["alert"] for rule in group["rules"]}


@pytest.mark.parametrize(("page", "block"), [(page, block) for page, found in SCRAPES.items() for block in found])
def test_a_documented_scrape_is_one_of_the_job_that_the_rules_expect(page, block, tmp_path):
    (tmp_path / "prometheus.yml").write_text(block)
    assert_promtool_passes("check", "config", "--syntax-only", "prometheus.yml", folder=tmp_path)
    assert [job["job_name"] for job in yaml.safe_load(block)["scrape_configs"]] == ["lstm-grader"], page


def test_the_number_of_workers_follows_the_queue_and_stays_when_nobody_can_read_it(tmp_path):
    scaled = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "autoscaling.yaml").read_text())
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    age = 'lstm_grader_queue_age_seconds{{job="lstm-grader", instance="{}"}}'
    rules = {
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": age.format("a"), "values": "0 40 NaN NaN"},
                    {"series": age.format("b"), "values": "0 41 42 NaN"},
                    {"series": 'lstm_grader_queue_age_seconds{job="another"}', "values": "900x4"},
                ],
                "promql_expr_test": [
                    {"expr": query, "eval_time": "0m", "exp_samples": [{"labels": "{}", "value": 0}]},
                    {"expr": query, "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 41}]},
                    {"expr": query, "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": 42}]},
                    {"expr": query, "eval_time": "3m"},
                ],
            }
        ]
    }
    (tmp_path / "query_test.yml").write_text(yaml.safe_dump(rules))
    assert_promtool_passes("test", "rules", "query_test.yml", folder=tmp_path)
