"""A Prometheus that scrapes a service and a worker as documented: every panel finds its numbers there."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.installation import Installation
from tests.ports import free_port
from tests.postgresql import running_postgresql
from tests.programs import program, running
from tests.waiting import SECONDS, wait_until

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
PANELS: list[dict[str, Any]] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())["panels"]
TOKEN = "metrics-token-of-these-tests"


@dataclass(frozen=True)
class Prometheus:
    _client: httpx.Client

    def is_ready(self) -> bool:
        try:
            return self._client.get("/status/config").is_success
        except httpx.TransportError:
            return False

    def samples(self, query: str) -> list[dict[str, Any]]:
        answer = self._client.get("/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return list(answer["data"]["result"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("monitored")
    worker_port, port = free_port(), free_port()
    (block,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    configuration = yaml.safe_load(block)
    environment = {"LSTM_GRADER_METRICS_TOKEN": TOKEN, "LSTM_GRADER_WORKER_PORT": str(worker_port)}
    with (
        running_postgresql() as postgresql,
        Installation(folder / "service", cache_dir, postgresql, **environment) as installation,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=SECONDS) as client,
    ):
        web = installation.start_web()
        installation.start_worker()
        installation.post()
        installation.expect_one_result_each()
        (folder / "token").write_text(TOKEN)
        (job,) = configuration["scrape_configs"]
        job["authorization"]["credentials_file"] = str(folder / "token")
        job["static_configs"][0]["targets"] = [web.url.removeprefix("http://"), f"127.0.0.1:{worker_port}"]
        configuration["global"] = {"scrape_interval": "1s"}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        scraping = Prometheus(client)
        with running(command, folder / "log", scraping.is_ready):
            # A rate needs two numbers of each process.
            rates = "rate(lstm_grader_process_cpu_seconds_total[1m])"
            wait_until(lambda: len(scraping.samples(rates)) == 2, pause=0.2)
            yield scraping


def test_every_panel_has_its_numbers_and_names_its_lines_by_labels_that_they_have(prometheus):
    for panel in PANELS:
        for target in panel["targets"]:
            lines = prometheus.samples(target["expr"].replace("$__rate_interval", "1m"))
            assert lines, panel["title"]
            labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for line in lines:
                assert labels <= line["metric"].keys(), (panel["title"], line)
