"""docs/threat-model.md says which test tries what; here that each of them exists, and that each of ours is named."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
CONTAINMENT = ROOT / "tests" / "containment"
# A module of tests/containment, a path from the root, or either with a test in it: `test_limits::test_a_flood_...`.
NAMED = {name for name in re.findall(r"`([^`\s]+)`", TEXT) if name.startswith(("test_", "wall/test_", "tests/"))}


def _file(name: str) -> Path:
    module = name.partition("::")[0]
    return ROOT / module if module.startswith("tests/") else CONTAINMENT / f"{module}.py"


def _defined(path: Path) -> set[str]:
    return set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))


def test_every_test_that_the_threat_model_names_exists():
    assert len(NAMED) > 15
    assert [name for name in sorted(NAMED) if not _file(name).exists()] == []
    single = [name for name in sorted(NAMED) if "::" in name]
    assert [name for name in single if name.partition("::")[2] not in _defined(_file(name))] == []


def test_every_module_of_the_hostile_suite_is_in_the_threat_model():
    assert set(CONTAINMENT.rglob("test_*.py")) - {_file(name) for name in NAMED} == set()


def test_every_row_of_the_table_of_threats_names_a_test():
    table = TEXT.partition("## What a submission may try")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| it may", "| ---"))]
    assert len(rows) > 20
    assert [row for row in rows if not re.search("`(wall/)?test", row.rstrip(" |").rpartition(" | ")[2])] == []
