"""Dockerfile, its locks, docker-compose.yml and .env.example as they stand in files; `make test-image` runs them."""

import http.client
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import SECRETS, Settings
from grader.settings import ENV_PREFIX, variable

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
ALL = {variable(name) for name in Settings.model_fields}
#: Variables that image and compose file set.
FIXED = {variable(name) for name in ("host", "data_dir", "cache_dir", "database_url", "worker_port")}


def test_the_example_has_every_setting_once():
    assert len(re.findall(r"^#[A-Z_]+=", EXAMPLE, re.MULTILINE)) == len(EXAMPLES)
    assert {name for name in EXAMPLES if name.startswith(ENV_PREFIX)} == ALL - FIXED
    assert set(re.findall(rf"{ENV_PREFIX}[A-Z_]*[A-Z]", EXAMPLE.rpartition("\n\n")[2])) == FIXED


def test_the_example_has_every_variable_of_the_compose_file():
    named = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert {name for name in EXAMPLES if not name.startswith(ENV_PREFIX)} == named - ALL


def test_the_settings_take_what_the_example_shows(monkeypatch):
    for name, value in EXAMPLES.items():
        monkeypatch.setenv(name, value)
    for name in ("oidc_client_secret", "smtp_password"):
        monkeypatch.setenv(variable(name), "not-shown-in-an-example")
    settings = Settings()
    assert settings.registration is not None
    assert settings.mail_server is not None


def test_the_example_shows_defaults_where_there_are_any():
    names = [name for name in Settings.model_fields if variable(name) not in FIXED]
    defaults = {name: Settings.model_fields[name].default for name in names}
    defaults = {name: value for name, value in defaults.items() if isinstance(value, int | float | str) and value != ""}
    shown = Settings(**{name: EXAMPLES[variable(name)] for name in defaults})
    assert shown.model_dump(include=set(defaults)) == defaults


@pytest.mark.parametrize("service", ["grader", "grader-gpu", "web"])
def test_a_service_can_be_given_every_setting(service):
    assert SERVICES[service]["environment"].keys() >= ALL - FIXED


def test_a_worker_gets_no_secret_but_those_it_reads():
    secrets = {variable(name) for name in SECRETS}
    assert secrets & SERVICES["worker"]["environment"].keys() == {variable("database_url"), variable("metrics_token")}


def test_workers_reach_nothing_but_the_database():
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if service.get("networks") == ["database"]} == {
        "worker",
        "upgrade",
        "postgres",
    }


def test_a_service_without_a_profile_can_be_left_out_where_another_has_its_port():
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"grader"}
    assert SERVICES["grader"]["ports"] == SERVICES["web"]["ports"]
    assert SERVICES["grader"]["deploy"]["replicas"] == "${GRADERS:-1}"


def test_a_stop_may_take_as_long_as_the_default_says():
    seconds = Settings.model_fields["shutdown_seconds"].default
    for service in ("grader", "grader-gpu", "web", "worker"):
        assert float(SERVICES[service]["stop_grace_period"].rstrip("s")) > seconds


def test_a_service_that_ends_depends_on_none():
    """Podman starts nothing that depends on one that has ended and depends on another."""
    ending = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
    assert ending == {"upgrade"}
    assert "depends_on" not in SERVICES["upgrade"]
    assert "--wait" in SERVICES["upgrade"]["command"]
    assert SERVICES["web"]["depends_on"].keys() == {"postgres", "upgrade"}


DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
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
    services = [each for each in SERVICES.values() if "build" in each]
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
