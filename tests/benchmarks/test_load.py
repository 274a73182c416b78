"""A deadline: many uploads at once, on both databases. What a client waits for an answer, who is graded when, what is
kept in memory. The submissions are correct answers, graded by the real box with one slot per core.

`make bench-load SHORT=1` measures accepting only.
"""

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grader.sandbox.host.cores import available_cores
from tests.acceptance.installation import CORRECT, NO_CLASS, Installation, wait_until
from tests.benchmarks.clients import Client, arriving, at_once, watching
from tests.postgresql import PostgreSQL

UPLOADS, STUDENTS, CLIENTS = 500, 200, 50
# Files without a class cross the box, too, and cost milliseconds.
GRADES_FOR_MEMORY = 2000
PROBES = 100
ACCEPTED, A_SECOND, CLOSED = 300, 20, 600
# All of them watch at the same time: 300 streams and 200 polls that wait.
STREAMS, POLLS, WATCHED_SECONDS = 300, 200, 20

Measured = Callable[..., None]


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    server: PostgreSQL | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    settings = {"LSTM_GRADER_SLOTS": str(available_cores()), "LSTM_GRADER_STUDENT_UPLOADS_PER_MINUTE": "1000000"}
    with Installation(tmp_path, tmp_path / "cache", server, **settings) as installation:
        installation.start_web()
        if server:
            installation.start_worker()
        assert installation.post(CORRECT, wait="90").status_code == 200
        yield installation


def test_accepting_while_all_slots_grade(
    request: pytest.FixtureRequest, benchmark: BenchmarkFixture, measured: Measured, installation: Installation
) -> None:
    port = installation.client.base_url.port
    assert port
    clients = [Client(port) for _ in range(CLIENTS)]
    for client in clients:
        request.addfinalizer(client.close)
    numbers = itertools.count()

    def students(count: int) -> list[str]:
        return [f"student-of-many-{next(numbers)}" for _ in range(count)]

    def all_slots_grade() -> bool:
        return installation.query("SELECT count(*) FROM submissions WHERE job_status = 'running'") == [
            (available_cores(),)
        ]

    at_once(clients, students(CLIENTS))  # So that each slot has one to grade until the end, and has begun.
    wait_until(all_slots_grade, 30)
    steady = arriving(clients, students(ACCEPTED), A_SECOND)
    closed = benchmark.pedantic(at_once, args=(clients, students(CLOSED)), rounds=1)
    waiting = installation.query("SELECT id FROM submissions WHERE job_status = 'queued' ORDER BY id DESC")
    ids = [id for (id,) in itertools.islice(itertools.cycle(waiting), STREAMS + POLLS)]
    red = 0
    watched: list[float] = []
    with watching(port, ids[:STREAMS], ids[STREAMS:]):
        until = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < until:
            red += installation.client.get("/readyz").status_code != 200
            watched.append(accepted_in(installation))
            time.sleep(0.2)  # Sleeps: a probe every 0.2 s.
    wait_until(all_slots_grade, 5)
    installation.accepted += steady.ids + closed.ids
    measured(
        f"{installation.kind}: while all slots graded, {ACCEPTED} uploads at {A_SECOND} a second were accepted in "
        f"(median, p99 milliseconds) {words(steady.seconds)}; {CLIENTS} clients at once, in {words(closed.seconds)}, "
        f"{CLOSED / closed.elapsed:.1f} a second; among {STREAMS} streams and {POLLS} polls, in {words(watched)}",
        arriving_median_milliseconds=1000 * statistics.median(steady.seconds),
        arriving_p99_milliseconds=p99(steady.seconds),
        closed_loop_uploads_a_second=CLOSED / closed.elapsed,
        not_ready=red,
        watched_slowest_milliseconds=1000 * max(watched),
    )
    # Nothing that was answered 202 is missing.
    stored = {id for (id,) in installation.query("SELECT id FROM submissions")}
    assert set(installation.accepted) <= stored


def test_burst_at_a_deadline(benchmark: BenchmarkFixture, measured: Measured, installation: Installation) -> None:
    idle = [accepted_in(installation) for _ in range(PROBES)]
    installation.expect_one_result_each(60)
    burst: list[float] = []
    busy: list[float] = []
    over = threading.Event()

    def probe() -> None:
        while not over.wait(0.2):
            busy.append(accepted_in(installation))

    def all_graded() -> float:
        started = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            burst.extend(clients.map(lambda number: accepted_in(installation, number), range(UPLOADS)))
        probing = threading.Thread(target=probe)
        probing.start()
        # The probes go before the second uploads, so while they come the burst is not over.
        time.sleep(30)  # Sleeps: the probes are spread over this time.
        over.set()
        probing.join()
        installation.expect_one_result_each(UPLOADS * 5)
        return time.monotonic() - started

    seconds = benchmark.pedantic(all_graded, rounds=1)
    unfair = unfair_turns(installation)
    measured(
        f"{installation.kind}: {UPLOADS} uploads from {STUDENTS} students were graded in {seconds:.0f} s; accepted in "
        f"(median, p99 milliseconds): idle {words(idle)}, burst {words(burst)}, while grading {words(busy)}",
        burst_seconds=seconds,
        idle_p99_milliseconds=p99(idle),
        burst_p99_milliseconds=p99(burst),
        grading_p99_milliseconds=p99(busy),
        unfair_turns=unfair,
    )


def test_memory_over_many_grades(benchmark: BenchmarkFixture, measured: Measured, installation: Installation) -> None:
    def grade(count: int) -> None:
        with ThreadPoolExecutor(8) as clients:
            assert all(response.is_success for response in clients.map(lambda _: installation.post(), range(count)))
        installation.expect_one_result_each(count)

    grade(200)
    before = installation.memory_bytes()
    benchmark.pedantic(grade, args=(GRADES_FOR_MEMORY,), rounds=1)
    after = installation.memory_bytes()
    measured(
        f"{installation.kind}: memory of all processes before and after {GRADES_FOR_MEMORY} grades: {before / 1e6:.0f} "
        f"and {after / 1e6:.0f} MB",
        memory_growth_percent=100 * (after / before - 1),
    )


def accepted_in(installation: Installation, number: int | None = None) -> float:
    """Seconds until a submission is answered 202: a correct one of a student of the burst, or a probe."""
    started = time.monotonic()
    if number is None:
        response = installation.post(NO_CLASS)
    else:
        response = installation.post(CORRECT, f"burst-{number % STUDENTS}")
    assert response.status_code == 202, response.text
    return time.monotonic() - started


def unfair_turns(installation: Installation) -> int:
    """Count the uploads that were begun while one waited whose student had fewer uploads before it."""
    rows = installation.query(
        "SELECT student, created_at, started_at FROM submissions WHERE student LIKE 'burst-%' ORDER BY created_at"
    )
    uploads = [
        (sum(other == student and begun > created for other, _, begun in rows[:place]), created, started)
        for place, (student, created, started) in enumerate(rows)
    ]
    return sum(
        behind > other_behind and other_created < started < other_started
        for behind, created, started in uploads
        for other_behind, other_created, other_started in uploads
    )


def p99(seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * statistics.quantiles(seconds, n=100)[98]


def words(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.0f}, {p99(seconds):.0f}"
