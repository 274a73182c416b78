"""Workers on several machines, which share nothing but PostgreSQL: each in a network of its own, with one cable."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.installation import CORRECT, UNHURRIED, Installation, kill
from tests.postgresql import PostgreSQL, running_postgresql
from tests.programs import program

pytestmark = pytest.mark.thorough

NETWORK = "10.213.0.0/16"


class Host:
    """A network namespace that reaches this machine, and nothing else, through a cable that can be cut."""

    def __init__(self, number: int) -> None:
        self.name = f"lstm-grader-{os.getpid()}-{number}"
        self.cable = f"lstmg{number}p{os.getpid()}"[:15]
        self.gateway = f"10.213.{number}.1"
        self.address = f"10.213.{number}.2"

    def make(self) -> None:
        """Raises: CalledProcessError: only root may, and not in every container."""
        ip("netns", "add", self.name)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "cable", "netns", self.name)
        ip("addr", "add", f"{self.gateway}/24", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        for command in (["addr", "add", f"{self.address}/24", "dev", "cable"], ["link", "set", "cable", "up"]):
            ip("-netns", self.name, *command)

    @property
    def within(self) -> tuple[str, str]:
        return program("nsenter"), f"--net=/var/run/netns/{self.name}"

    def cut(self) -> None:
        ip("link", "set", self.cable, "down")

    def mend(self) -> None:
        ip("link", "set", self.cable, "up")

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # One that could not be made.
            ip("netns", "delete", self.name)


def ip(*arguments: str) -> None:
    subprocess.run([program("ip"), *arguments], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    hosts = [Host(1), Host(2)]
    with contextlib.ExitStack() as stack:
        for host in hosts:
            stack.callback(host.remove)
            try:
                host.make()
            except subprocess.CalledProcessError as exc:
                pytest.skip(f"hosts are network namespaces, which only root may make: {exc.stderr.decode().strip()}")
        yield hosts


@pytest.fixture
def shared_postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql(NETWORK) as server:
        yield server


def test_worker_that_is_cut_off_is_replaced_and_works_again_when_it_is_back(
    hosts, shared_postgresql, receiver, tmp_path, cache_dir
):
    with Installation(tmp_path, cache_dir, shared_postgresql, receiver, LSTM_GRADER_SLOTS="1") as installation:
        installation.start_web()
        first, second = (
            installation.start_worker(
                *host.within, LSTM_GRADER_DATABASE_URL=installation.database_url.replace("127.0.0.1", host.gateway)
            )
            for host in hosts
        )
        for id in [installation.post(UNHURRIED).json()["id"] for _ in range(2)]:
            installation.wait_for_running(id)
        hosts[0].cut()
        for _ in range(2):
            installation.post(CORRECT)
        installation.expect_one_result_each()
        assert (first.poll(), second.poll()) == (None, None)
        hosts[0].mend()
        kill(second)
        installation.post(CORRECT)
        installation.expect_one_result_each()
        for id in installation.accepted:
            assert installation.client.get(f"/api/v1/submissions/{id}").json()["report"]["points"] == 100
