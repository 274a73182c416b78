"""nginx or Caddy with TLS before the service, and the certificate for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.programs import program, running

CADDYFILE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Certificate:
    """A certificate that nobody has signed, and its key."""

    file: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> Certificate:
        """Make one for this name, and for both names of this machine."""
        certificate = cls(folder / "grader.pem", folder / "grader.key")
        names = f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1"
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        written = ("-out", certificate.file, "-keyout", certificate.key)
        command = [program("openssl"), *new, "-subj", f"/CN={name}", "-addext", names, *written]
        subprocess.run(command, check=True, capture_output=True)
        return certificate


@contextlib.contextmanager
def nginx(folder: Path, servers: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx with these parts of a configuration, which stand in ``http {}``. Its logs are in the folder."""
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
    config = folder / "nginx.conf"
    config.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\ndaemon off;\npid {folder}/pid;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{temporary}{servers}}}\n"
    )
    log, pid = folder / "error.log", folder / "pid"
    # The id of the process is written once it listens.
    with running([program("nginx"), "-e", log, "-c", config], log, pid.exists) as process:
        yield process


@contextlib.contextmanager
def caddy(folder: Path, upstream: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Caddy with our configuration, for ``localhost``. The folder gets its log and the root of its certificates."""
    config = folder / "Caddyfile"
    ours = "admin off\nskip_install_trust\n"
    config.write_text(
        f"{{\n{ours}http_port {free_port()}\nhttps_port {port}\nstorage file_system {folder}\n}}\nimport {CADDYFILE}\n"
    )
    environment = {"DOMAIN": "localhost", "UPSTREAM": upstream, "HOME": str(folder)}
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", config]
    root = folder / "pki" / "authorities" / "local" / "root.crt"
    with running(command, folder / "error.log", root.exists, **environment) as process:
        yield process
