"""The units of deploy/systemd, read by systemd itself."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

from app.settings import Settings, unknown_variables
from tests.programs import program

FOLDER = Path(__file__).parents[3] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
COMMAND = "/opt/lstm-grader/bin/lstm-grader"
#: Each of them keeps bubblewrap from making namespaces, or TensorFlow from compiling.
HARMFUL = {
    "MemoryDenyWriteExecute",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelTunables",
    "ProtectProc",
    "RestrictNamespaces",
    "RestrictSUIDSGID",
    "SystemCallFilter",
}


def service_of(unit: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text())
    return dict(parser["Service"])


def test_systemd_understands_every_line(tmp_path):
    for unit in UNITS:
        # It looks for the program, which is not installed here.
        (tmp_path / unit.name).write_text(unit.read_text().replace(COMMAND, sys.executable))
    files = [tmp_path / unit.name for unit in UNITS]
    ended = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_both_units_are_as_hard():
    worker, service = (service_of(unit) for unit in UNITS)
    assert (worker.pop("ExecStart"), service.pop("ExecStart")) == (f"{COMMAND} worker", f"{COMMAND} serve")
    assert (worker.pop("IPAddressDeny"), worker.pop("IPAddressAllow")) == ("any", "localhost")
    assert worker.pop("Environment") == f"{service.pop('Environment')} LSTM_GRADER_WORKER_PORT=8001"
    assert worker == service


def test_the_hardening_leaves_what_the_box_needs():
    for unit in UNITS:
        service = service_of(unit)
        assert not service.keys() & HARMFUL
        # Bubblewrap switches the loopback device on.
        assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()
        # Not to every process of the group: running grades have their time.
        assert service["KillMode"] == "mixed"
        assert float(service["TimeoutStopSec"]) > Settings.model_fields["shutdown_seconds"].default
    named = re.findall(r"(\w+)=[,: ]", UNITS[1].read_text().partition("# Left out")[2])
    assert {*named, "SystemCallFilter"} >= HARMFUL


def test_the_units_set_settings(monkeypatch):
    for unit in UNITS:
        for name, _, value in (entry.partition("=") for entry in service_of(unit)["Environment"].split()):
            monkeypatch.setenv(name, value.replace("%S", "/var/lib").replace("%C", "/var/cache"))
    assert Settings().worker_port == 8001
    assert unknown_variables() == []
