"""Shared by all tests: none of our environment variables, no network but this machine, no Hypothesis deadline.

Tests marked `gpu` run where a GPU is that the box can use; elsewhere they are skipped, and say what is missing. No
other test is skipped in continuous integration: what it needs and does not find there is a failure.

Several processes can share the work, as in `make test`. Then one of them runs all tests of a file, in their order; what
Keras answers is computed once for all; and a test marked `alone` waits until the others pause.
"""

import ast
import asyncio
import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import random
import secrets
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ExceptionChainRepr
from _pytest._io.saferepr import saferepr
from hypothesis import settings
from joserfc.jwk import RSAKey
from sqlalchemy import Connection, Engine, Select, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.sql import operators, visitors
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from app.log_config import OURS
from app.lti import keys
from app.operations.collecting import not_collecting
from app.storage import engines
from app.storage.database import Database
from grader.sandbox import ForkSandbox, Kind, choose_device
from grader.sandbox.host.cores import available_cores
from reference import Case, CaseSpec, ReferenceStore
from reference.cases import specs_to_json
from tests.mailbox import Mailbox, receiving
from tests.postgresql import PostgreSQL, running_postgresql
from tests.receiver import Receiver, listening

# Shared machines stall now and then; a slow example is no failure. With CI set, Hypothesis' own profile takes the same
# examples each time, so that what fails there is the commit; everywhere else they are new ones.
settings.register_profile("default", settings.default, deadline=None)
settings.load_profile("default")

SAW_LINES = 4
SLOWEST_FILES = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--mutants", action="store_true", help="grade all wrong answers of tests/integration/grader/mutants"
    )
    parser.addoption("--pictures", action="store_true", help="make the pictures of docs/pictures anew")
    parser.addoption("--seed", type=int, help="of all that tests choose by chance: moments, and the numbers asked")


@pytest.hookimpl(tryfirst=True)  # before the other processes get their options
def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = random.randrange(1_000_000)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.option.seed} (--seed={config.option.seed} chooses the same moments and numbers again)"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """A command that runs in this process logs to a stream that is closed when its test ends."""
    root, loggers = logging.getLogger(), [logging.getLogger(name) for name in ("", *OURS)]
    handlers, levels = root.handlers[:], [each.level for each in loggers]
    yield
    root.handlers[:] = handlers
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chooses moments and sizes by the seed of this session, for each test in its own way."""
    return random.Random(f"{request.config.option.seed} {request.node.nodeid}")


@pytest.fixture(scope="session")
def questions_seed(request: pytest.FixtureRequest) -> bytes:
    """The seed of what is asked in this session: each asks new numbers, and one that fails can be repeated."""
    return hashlib.sha256(str(request.config.option.seed).encode()).digest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and (reason := choose_device("auto").reason):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no GPU here: {reason}"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Thousands of tests stay to the end. To scan them again and again would take a tenth of the time.
    with not_collecting():
        return (yield)


def _round_of_loops(path: Path, raised: pytest.ExceptionInfo[BaseException]) -> str:
    """Return the variables of the loops of this file in which an exception was raised, with their values."""
    loops = [each for each in ast.walk(ast.parse(path.read_bytes())) if isinstance(each, ast.For | ast.AsyncFor)]
    values: dict[str, str] = {}
    for entry in raised.traceback:
        for loop in loops:
            if entry.path == path and loop.lineno <= entry.lineno + 1 <= loop.end_lineno:
                names = (each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name))
                values |= {name: saferepr(entry.locals[name], 80) for name in names if name in entry.locals}
    return ", ".join(f"{name} = {value}" for name, value in values.items())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo and isinstance(report.longrepr, ExceptionChainRepr) and report.longrepr.reprcrash:
        # The failed assertion comes first, and not below the code of all the functions that led there.
        entry = report.longrepr.reprtraceback.reprentries[0]
        in_round = _round_of_loops(item.path, call.excinfo)
        seen = ([f"with {in_round}"] if in_round else []) + report.longrepr.reprcrash.message.splitlines()
        entry.lines[:0] = [f"E   {line}" for line in seen[:SAW_LINES]]
    if report.skipped and os.environ.get("CI") and not item.get_closest_marker("gpu"):
        report.outcome = "failed"
        report.longrepr = f"nothing but a GPU may be missing here: {report.longrepr[2]}"  # type: ignore[index]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: Counter[str] = Counter()
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > SLOWEST_FILES:
        terminalreporter.section(f"the {SLOWEST_FILES} slowest files")
        for path, spent in seconds.most_common(SLOWEST_FILES):
            terminalreporter.line(f"{spent:6.1f} s  {path}")


WAITING = "tests/acceptance/"
#: Parts of the ids of tests that run notebooks, which need warm processes that no other test needs.
OF_NOTEBOOKS = ("[lstm_notebook-", "containment/test_task2.py", "test_notebook_run.py", "test_prepared_runs.py")


class FileScheduling(LoadScopeScheduling):
    """Gives out whole files, whose tests share processes that take seconds to start; those with many tests first.

    A submission of the corpus is a unit of its own, so that nobody is idle at the end. All that runs notebooks is one.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if any(part in nodeid for part in OF_NOTEBOOKS):
            return "notebooks"
        return nodeid if path.startswith("tests/corpus/") else path

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Tests of the whole service often wait for a lease or a page: one file of them at a time, beside computing."""
        given = (unit for units in self.assigned_work.values() for unit in units.items())
        one_waits = any(scope.startswith(WAITING) and not all(tests.values()) for scope, tests in given)
        wanted = next((scope for scope in self.workqueue if scope.startswith(WAITING) != one_waits), None)
        if wanted is not None:
            self.workqueue.move_to_end(wanted, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileScheduling:
    return FileScheduling(config, log)


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, kind)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Every test is in a room that several may share, or one alone."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    folder = Path(item.config.option.basetemp).parent
    kind = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with contextlib.ExitStack() as room:
        # Whoever waits to be alone waits in the door, and nobody gets in before.
        with _locked(folder / "door", fcntl.LOCK_EX):
            room.enter_context(_locked(folder / "room", kind))
        return (yield)


@pytest.fixture(autouse=True)
def _no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LSTM_GRADER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _sqlite_for_tests() -> Iterator[None]:
    """Let SQLite answer at once, and in an order that nobody would expect.

    Processes are killed here, never the kernel: what a commit wrote stays, and waiting for the disk takes 6 ms. Rows
    that no query has ordered come backwards: otherwise they come as they were written, and a missing order is not seen.
    """
    prepare = engines._prepare_sqlite

    def prepare_for_tests(connection: DBAPIConnection, record: object) -> None:
        prepare(connection, record)
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.execute("PRAGMA reverse_unordered_selects = ON")
        cursor.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "_prepare_sqlite", prepare_for_tests)
        yield


def _waits_in_no_order(query: Select[Any]) -> bool:
    """Tell whether the query waits for locks of several rows: it has no order, and names no row by a key."""
    lock = query._for_update_arg
    if lock is None or lock.skip_locked or lock.nowait or query._order_by_clauses:
        return False
    compared = (each for each in visitors.iterate(query.whereclause) if getattr(each, "operator", None) is operators.eq)
    columns = [getattr(each, "left", None) for each in compared]
    return not any(getattr(each, "primary_key", False) or getattr(each, "unique", False) for each in columns)


@pytest.fixture(autouse=True)
def _rows_are_locked_in_an_order() -> Iterator[None]:
    """Queries that lock rows in different orders can wait for each other, on PostgreSQL and only now and then."""
    unordered = []

    def look(connection: Connection, statement: object, *_: object) -> None:
        if isinstance(statement, Select) and _waits_in_no_order(statement):
            unordered.append(str(statement))

    event.listen(Engine, "before_execute", look)
    yield
    event.remove(Engine, "before_execute", look)
    assert unordered == []


@pytest.fixture(scope="session")
def made_keys() -> Iterator[RSAKey]:
    """Keys for services, in turn: making one takes a tenth of a second. No service of a test needs five."""
    return itertools.cycle([RSAKey.generate_key(keys.BITS) for _ in range(4)])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture
def new_database(postgresql: PostgreSQL) -> Iterator[Callable[..., str]]:
    """`PostgreSQL.new_database`; it goes with the test, because each takes 9 MB."""
    with contextlib.ExitStack() as stack:

        def new_database(copied: str = "template1") -> str:
            url = postgresql.new_database(copied)
            stack.callback(postgresql.drop, url)
            return url

        yield new_database


async def _upgrade(url: str) -> None:
    database = Database(url)
    await database.upgrade()
    await database.close()


def _upgraded(url: str) -> str:
    with ThreadPoolExecutor(1) as thread:  # A loop may run in this one.
        thread.submit(asyncio.run, _upgrade(url)).result()
    return url


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that has all tables and no rows, to be copied: migrations take a quarter of a second."""
    folder = tmp_path_factory.mktemp("empty") / "data"
    _upgraded(f"sqlite:///{folder / 'lstm-grader.sqlite3'}")
    return folder


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: PostgreSQL) -> str:
    """The same on PostgreSQL: the URL of a database, to be copied by `new_database`."""
    return _upgraded(postgresql.new_database())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with receiving() as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def cores() -> int:
    """This process' share of the machine."""
    return max(1, available_cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Keras' answers and the table of mistakes, for all processes: they take seconds to make."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"


class SharedAnswers(ReferenceStore):
    """Tests change limits and tolerances, and with them the digest, but seldom the questions."""

    def load(self, specs: Sequence[CaseSpec], *, digest: str) -> tuple[Case, ...]:
        return super().load(specs, digest=hashlib.sha256(specs_to_json(specs).encode()).hexdigest())


@pytest.fixture(scope="session")
def references(cache_dir: Path) -> ReferenceStore:
    return SharedAnswers(cache_dir)


@pytest.fixture(scope="session")
def canary() -> Iterator[str]:
    """A secret of the service: in its memory and in its environment, where no run may find it."""
    secret = secrets.token_hex(16)
    os.environ["CANARY_TOKEN"] = secret
    yield secret
    del os.environ["CANARY_TOKEN"]


@pytest.fixture(scope="session")
def sandbox(cores: int, canary: str) -> Iterator[ForkSandbox]:
    """One box for all files: its warm processes take ten seconds of a core to start.

    It has two slots at least: some submissions look for the others. It is without the outer ring: the wall must hold
    alone, and a hole in it would not be seen behind the other. Tests that close or starve a box have one of their own.
    """
    with ForkSandbox(slots=max(2, cores), accept_missing=["namespaces"]) as box:
        box.start(Kind.READER, Kind.KERAS3)
        yield box
