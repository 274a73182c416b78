"""The cost of a grade, against two measures taken in the same run. Ratios, because machines are shared and noisy."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
import safetensors.numpy
from pytest_benchmark.fixture import BenchmarkFixture

from grader import Report, Status, Submission, grade, load_assignments
from grader.sandbox import ForkSandbox, Kind, Limits, Outcome
from grader.sandbox.host.cores import available_cores
from grader.sandbox.namespaces import RUNNER
from reference import ReferenceStore, new_seed
from reference.cases import cases_to_arrays
from tests.acceptance.installation import Installation
from tests.processes import children

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus"
ASSIGNMENT = load_assignments()["lstm-layer"]
SUBMISSION = Submission("submission.py", (HERE / "submission.py").read_bytes())
WRONG = Submission("wrong.py", SUBMISSION.content.replace(b"c = f * c + i * ch", b"c = i * c + f * ch"))
# Nothing known makes these numbers, so everything is tried.
UNKNOWN = Submission("unknown.py", SUBMISSION.content.replace(b"i * ch", b"i * tf.sin(3.0 * ch) * f"))
# Right answers that a bare child can build with one number, written in ways that are as different as there are.
STYLES = (
    *("correct_cell_call_direct", "correct_gates_dict", "correct_own_add_weight", "correct_own_fused_dense_ifoc"),
    *("correct_scatter_update", "correct_prints_reference_shape", "correct_zeros_like_state", "style_concat"),
    *("style_layer_cell", "style_onefused_concat", "style_pytorch_names", "style_tf_while", "style_tfvariable"),
    "style_transposed_weights",
)
# Copies and compares itself, with a comparison that is real and a number.
TASK2 = CORPUS / "lstm_notebook" / "opposite_direction" / "submission.ipynb"
ROUNDS, ROUNDS_OF_STYLES, UPLOADS = 11, 3, 15
# The folder of another version of this project, to compare with in turns: BASE=folder.
BASE = os.environ.get("LSTM_GRADER_BENCH_BASE")
# CPU seconds that importing TensorFlow takes on hosts where it is slow, as it was where the targets were set.
SLOW_IMPORT = 6.5

Measured = Callable[..., None]


class Grader:
    """The engine, warm, with the CPU time of all its processes."""

    def __init__(self, slots: int, cache: Path) -> None:
        self.sandbox = ForkSandbox(slots)
        self.references = ReferenceStore(cache)
        self.sandbox.warm_up(Kind.READER, Kind.KERAS3)
        assert self.grade().status == Status.PASSED

    def grade(self, submission: Submission = SUBMISSION) -> Report:
        return grade(submission, ASSIGNMENT, seed=new_seed(), sandbox=self.sandbox, references=self.references)

    def cpu_seconds(self) -> float:
        ticks = os.sysconf("SC_CLK_TCK")
        total = time.process_time()
        for pid in chain.from_iterable((warm, *children(warm)) for warm in self.sandbox.pids()):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / ticks  # of the process and of the children it has buried
        return total

    def cost(self, submission: Submission = SUBMISSION) -> float:
        """CPU seconds of one grade, the trusted side and the supervisors included."""
        before = self.cpu_seconds()
        self.grade(submission)
        return self.cpu_seconds() - before


class Program:
    """A program that stays warm, and answers each line with numbers."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line: object) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        return [float(number) for number in self._process.stdout.readline().split()]

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def floor() -> Iterator[Program]:
    """The floor of a grade: builds the class in a file and calls it once; answers with seconds of CPU and clock."""
    floor = Program(sys.executable, HERE / "bare_child.py")
    floor.ask(HERE / "submission.py")
    yield floor
    floor.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def grader(cache: Path) -> Iterator[Grader]:
    grader = Grader(1, cache)
    yield grader
    grader.sandbox.close()


def test_cpu_per_grade(benchmark: BenchmarkFixture, measured: Measured, grader: Grader, floor: Program) -> None:
    floors, costs, wrong, unknown, phases = [], [], [], [], []
    # Taken in turns, so that all meet the same weather.
    for _ in range(ROUNDS + 1):
        floors.append(floor.ask(HERE / "submission.py")[0])
        costs.append(grader.cost())
        wrong.append(grader.cost(WRONG))
        unknown.append(grader.cost(UNKNOWN))
        phases.append(grader.grade().timing.phases)
    least, cost = statistics.median(floors[1:]), statistics.median(costs[1:])
    spent = {name: statistics.median(run[name] for run in phases) for name in phases[0]}
    measured(
        "where the time of a grade goes, in milliseconds: "
        + ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in spent.items()),
        floor_cpu_seconds=least,
        grade_cpu_seconds=cost,
        grade_to_floor=cost / least,
        wrong_minus_right_cpu_milliseconds=1000 * (statistics.median(wrong[1:]) - cost),
        unknown_minus_right_cpu_milliseconds=1000 * (statistics.median(unknown[1:]) - cost),
        lockdown_milliseconds=1000 * spent["lockdown"],
        phases_seconds=spent,
    )
    benchmark.pedantic(grader.grade, rounds=ROUNDS, warmup_rounds=1)


def test_cpu_of_any_style(benchmark: BenchmarkFixture, measured: Measured, grader: Grader, floor: Program) -> None:
    ratios = {}
    for style in STYLES:
        path = CORPUS / "lstm_layer" / style / "submission.py"
        submission = Submission(path.name, path.read_bytes())
        assert grader.grade(submission).points == 100, style
        pairs = [(grader.cost(submission), floor.ask(path)[0]) for _ in range(ROUNDS_OF_STYLES)]
        costs, floors = zip(*pairs, strict=True)
        ratios[style] = statistics.median(costs) / statistics.median(floors)
    dearest = sorted(ratios, key=ratios.__getitem__)
    measured(
        "a grade to the floor of its own style: "
        + ", ".join(f"{style} {ratios[style]:.2f}" for style in (*dearest[:2], *dearest[-3:])),
        any_style_to_floor=ratios[dearest[-1]],
        styles_to_floor=ratios,
    )
    benchmark.pedantic(grader.grade, rounds=3)


@pytest.fixture
def installation(cache: Path, tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path, cache, None, LSTM_GRADER_SLOTS="1") as installation:
        installation.start_web()
        yield installation


def test_upload_to_report(
    benchmark: BenchmarkFixture, measured: Measured, floor: Program, installation: Installation
) -> None:
    def upload() -> float:
        started = time.monotonic()
        answer = installation.post(SUBMISSION.content, wait="60")
        assert answer.json()["report"]["points"] == 100, answer.text
        return time.monotonic() - started

    upload()
    pairs = [(upload(), floor.ask(HERE / "submission.py")[1]) for _ in range(UPLOADS)]
    reports, floors = (statistics.median(values) for values in zip(*pairs, strict=True))
    measured(
        f"from upload to report over HTTP: {reports:.2f} s, where the floor takes {floors:.2f} s",
        report_seconds=reports,
        floor_seconds=floors,
        report_to_floor=reports / floors,
    )
    benchmark.pedantic(upload, rounds=3)


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[list[Program]]:
    """The other version and this one, each with its own packages if `make setup` was run there."""
    if BASE is None:
        pytest.skip("compares with another version: make bench BASE=FOLDER")
    versions = []
    for name, folder in (("before", Path(BASE)), ("now", HERE.parents[1])):
        own = folder / ".venv" / "bin" / "python"
        python = own if own.exists() else sys.executable
        versions.append(Program(python, HERE / "other_version.py", folder, tmp_path / name))
    yield versions
    for version in versions:
        version.close()


def test_against_another_version(benchmark: BenchmarkFixture, measured: Measured, versions: list[Program]) -> None:
    layer, notebook = f"lstm-layer {HERE / 'submission.py'}", f"lstm-notebook {TASK2}"
    orders = (("grade", f"cost {layer}", 8), ("task2", f"cost {notebook}", 4), ("two_slots", f"two-slots {layer}", 4))
    figures: dict[str, list[float]] = {}
    for name, order, rounds in orders:
        pairs = [[version.ask(order)[0] for version in versions] for _ in range(rounds)]
        # The first of them starts warm processes.
        figures[name] = [statistics.median(values) for values in zip(*pairs[1:], strict=True)]
    (grade_before, grade_now), (task2_before, task2_now), (two_before, two_now) = figures.values()
    measured(
        f"before and now: a grade takes {grade_before:.2f} and {grade_now:.2f} s of CPU, one with Task 2 "
        f"{task2_before:.2f} and {task2_now:.2f} s, and two slots grade {two_before:.2f} and {two_now:.2f} a second",
        grade_to_before=grade_now / grade_before,
        task2_to_before=task2_now / task2_before,
        two_slots_to_before=two_now / two_before,
    )
    benchmark.pedantic(versions[1].ask, args=(orders[0][1],), rounds=1)


def test_memory_of_a_child(benchmark: BenchmarkFixture, measured: Measured, grader: Grader, tmp_path: Path) -> None:
    request = tmp_path / "request"

    class Recorder:
        def run(self, kind: Kind, content: bytes, limits: Limits) -> Outcome:
            request.write_bytes(content)
            return grader.sandbox.run(kind, content, limits)

    grade(SUBMISSION, ASSIGNMENT, seed=new_seed(), sandbox=Recorder(), references=grader.references)
    command = [sys.executable, HERE / "child_memory.py", RUNNER, request]
    private = int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    measured(child_private_megabytes=private / 1e6)
    benchmark.pedantic(grader.grade, rounds=3)


def test_against_a_plain_script(
    benchmark: BenchmarkFixture, measured: Measured, grader: Grader, tmp_path: Path
) -> None:
    cases = grader.references.load([case.spec() for case in ASSIGNMENT.cases], digest=ASSIGNMENT.digest)
    arrays = tmp_path / "cases.safetensors"
    safetensors.numpy.save_file(cases_to_arrays(cases), arrays)
    command = [sys.executable, HERE / "script_grader.py", HERE / "submission.py", arrays]

    def script() -> tuple[float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        imported = float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, imported

    script()  # brings TensorFlow into the page cache
    pairs = [(script(), grader.cost()) for _ in range(ROUNDS)]
    whole, imported, cost = (
        statistics.median(values)
        for values in zip(*((whole, imported, cost) for (whole, imported), cost in pairs), strict=True)
    )
    measured(
        f"the script takes {whole:.1f} s of CPU here, of which {imported:.1f} s import TensorFlow; "
        f"where that takes {SLOW_IMPORT:g} s it would be {(whole - imported + SLOW_IMPORT) / cost:.1f} times a grade",
        script_cpu_seconds=whole,
        import_cpu_seconds=imported,
        script_to_grade=whole / cost,
    )
    benchmark.pedantic(grader.grade, rounds=3)


def test_ready_to_grade(benchmark: BenchmarkFixture, measured: Measured) -> None:
    def seconds_to_import() -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import tensorflow; tensorflow.keras.layers.LSTM"], check=True)
        return time.monotonic() - started

    def seconds_to_ready() -> float:
        started = time.monotonic()
        with ForkSandbox(1) as sandbox:
            sandbox.warm_up(Kind.READER, Kind.KERAS3)
            return time.monotonic() - started

    pairs = [(seconds_to_import(), seconds_to_ready()) for _ in range(6)]
    measured(ready_to_import=statistics.median(ready / imported for imported, ready in pairs[1:]))
    benchmark.pedantic(seconds_to_ready, rounds=1)


def test_two_slots(benchmark: BenchmarkFixture, measured: Measured, grader: Grader, cache: Path) -> None:
    two = Grader(2, cache)

    def throughput(grader: Grader, threads: int, grades: int = 12) -> float:
        started = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: grader.grade(), range(grades)))
        return grades / (time.monotonic() - started)

    ratios = [throughput(two, 2) / throughput(grader, 1) for _ in range(5)]
    measured(cores=available_cores(), two_slots_to_one=statistics.median(ratios))
    benchmark.pedantic(two.grade, rounds=3)
    two.sandbox.close()


def test_idle_cost(benchmark: BenchmarkFixture, measured: Measured, grader: Grader) -> None:
    def idle() -> None:
        time.sleep(10)  # Sleeps: the cost of doing nothing is measured.

    before = grader.cpu_seconds()
    benchmark.pedantic(idle, rounds=1)
    measured(idle_percent_of_a_core=100 * (grader.cpu_seconds() - before) / 10)
