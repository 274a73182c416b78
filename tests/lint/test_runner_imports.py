"""Import Linter does not look into `grader/runner`, which is no package; this does. The box imports nothing of ours."""

import ast
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "grader" / "runner"
FILES = sorted(RUNNER.rglob("*.py"))
TOP = {file.stem for file in RUNNER.glob("*.py")}
ALLOWED = {"IPython", "landlockpy", "numpy", "pygments", "pyseccomp", "safetensors", "tensorflow"}
# A room imports from those further down, and from the modules on top, which stand below all of them.
DRIVER = (
    ("driver",),
    ("driver.notebook",),
    ("driver.construction", "driver.reaches", "driver.built_in"),
    ("driver.weights", "driver.short_ways"),
    ("driver.student",),
)
READER = (("reader",), ("reader.facts", "reader.parts"), ("reader.tracing",), ("reader.plan",), ("reader.text",))


def _imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _room(file: Path) -> str:
    return ".".join(file.parent.relative_to(RUNNER).parts)


def _rooms_of(names: set[str]) -> set[str]:
    """The rooms of the runner that these names lie in, the names being those of modules or of something in one."""
    rooms = set()
    for name in names:
        while name and not ((path := RUNNER / name.replace(".", "/")).is_dir() or path.with_suffix(".py").is_file()):
            name = name.rpartition(".")[0]
        if "." in name:
            rooms.add(name if (RUNNER / name.replace(".", "/")).is_dir() else name.rpartition(".")[0])
    return rooms


def test_the_box_imports_only_what_it_may() -> None:
    for file in FILES:
        imported = {name.partition(".")[0] for name in _imported(file)}
        own = TOP | {_room(file).partition(".")[0]}
        # The warm process runs one of the two programs.
        own |= {"driver", "reader"} if file.name == "zygote.py" else set()
        assert imported - ALLOWED - own - sys.stdlib_module_names == set(), file.relative_to(RUNNER)


@pytest.mark.parametrize("floors", [DRIVER, READER], ids=["driver", "reader"])
def test_each_room_imports_only_from_rooms_below_it(floors: tuple[tuple[str, ...], ...]) -> None:
    listed = {room for floor in floors for room in floor}
    assert listed == {_room(file) for file in FILES if _room(file).startswith(floors[0][0])}
    for at, floor in enumerate(floors):
        below = {room for rooms in floors[at + 1 :] for room in rooms}
        for room in floor:
            imported = {name for file in FILES if _room(file) == room for name in _imported(file)}
            assert _rooms_of(imported) <= below | {room}, room


def test_the_box_is_no_package() -> None:
    assert FILES
    assert not (RUNNER / "__init__.py").exists()
