"""Dockerfile and lock files as they stand in the files; `make test-image` builds and runs them."""

import http.client
import re
from pathlib import Path

import pytest
import yaml

from app.settings import Settings
from grader.settings import variable

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
STAGES = {
    stage: (base, body)
    for base, stage, body in re.findall(
        r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
}
TARGETS = ("web", "gpu", "cpu")


def _lock(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("target", TARGETS)
def test_the_compose_file_takes_away_nothing_that_the_image_needs(target):
    """A key without a value removes the image's own from the container where nothing else sets it."""
    services = [each for each in yaml.safe_load(COMPOSE)["services"].values() if "build" in each]
    unset = {
        name
        for each in services
        if each["build"]["target"] == target
        for name, value in each["environment"].items()
        if value is None
    }
    stage, kept = target, {}
    while stage in STAGES:
        stage, body = STAGES[stage]
        for variables in re.findall(r"^ENV ((?:.*\\\n)*.*)", body, re.MULTILINE):
            kept = dict(re.findall(r"(\w+)=(\S+)", variables)) | kept
    defaults = {variable(name): field.default for name, field in Settings.model_fields.items()}
    assert kept["LSTM_GRADER_PORT"]
    assert all(kept[name] == str(defaults[name]) for name in unset & kept.keys())


@pytest.mark.parametrize(("port", "asked"), [(None, 8000), ("", 8000), ("8123", 8123)])
def test_the_health_check_asks_the_port_of_the_service(monkeypatch, port, asked):
    (code,) = re.findall(r'CMD \["python", "-c", "\\\n(.*?)"\]', DOCKERFILE, re.DOTALL)
    monkeypatch.delenv("LSTM_GRADER_PORT", raising=False)
    if port is not None:
        monkeypatch.setenv("LSTM_GRADER_PORT", port)
    connected = []

    class Connection(http.client.HTTPConnection):
        def connect(self):
            connected.append((self.host, self.port))
            raise ConnectionRefusedError

    monkeypatch.setattr(http.client, "HTTPConnection", Connection)
    with pytest.raises(ConnectionRefusedError):
        exec(code.replace("\\\n", ""), {})
    assert connected == [("127.0.0.1", asked)]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_as_an_ordinary_user_and_keeps_its_data_in_a_volume(target):
    base, body = STAGES[target]
    assert base == "base"
    assert "\nVOLUME /data\nUSER 10001\n" in body
    assert f"COPY --from={target}-packages /opt/venv /opt/venv" in body
    assert f"dependencies requirements/{target}.txt" in STAGES[f"{target}-packages"][1]


def test_web_and_workers_have_the_same_versions():
    web, cpu = _lock("web"), _lock("cpu")
    assert web.items() <= cpu.items()
    assert {"tensorflow-cpu", "keras", "tf-keras"} <= cpu.keys() - web.keys()
