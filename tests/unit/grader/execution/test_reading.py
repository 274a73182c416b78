"""Facts about a submission that was read, beside those that the reader gives itself."""

from __future__ import annotations

from grader.execution.reading import LEAST_CODE, Reading

CODE = "".join(f"value_{n} = {n}  # number {n}\n" for n in range(LEAST_CODE // 20))


def _digest(source: str) -> str | None:
    return Reading(format="py", error=None, source=source).code_sha256


def test_equal_code_has_an_equal_digest_whatever_its_white_space():
    assert _digest(CODE) == _digest(CODE.replace("\n", "  \n\n").replace(" = ", "  =  "))
    assert _digest(CODE) != _digest(CODE.replace("# number 1", "# Number 1"))
    assert _digest(CODE) != _digest(CODE.replace("value_1 ", "wert_1 "))


def test_code_as_short_as_two_people_write_it_alike_has_none():
    assert _digest(CODE[: LEAST_CODE - 100]) is None
