"""Every example of the documents says its language and can be read; one that does not run has a reason that holds."""

import ast
import json
import re

import yaml

from tests.acceptance.test_examples import EXAMPLES, ROOT, SHELLS

READERS = {"python": ast.parse, "json": json.loads, "yaml": yaml.safe_load}
#: Read by tests of their own, or by nobody but people.
OTHERS = {"text", "nginx"}


def test_every_example_says_its_language() -> None:
    known = SHELLS | READERS.keys() | OTHERS
    assert [f"{example}: {example.language!r}" for example in EXAMPLES if example.language not in known] == []


def test_every_example_of_data_or_python_can_be_read() -> None:
    for example in EXAMPLES:
        if read := READERS.get(example.language):
            assert read(example.code) is not None, example


def test_every_test_that_a_reason_names_exists() -> None:
    reasons = [example.reason for example in EXAMPLES if example.reason]
    assert reasons
    paths = [path for reason in reasons for path in re.findall(r"tests/[\w/.]+", reason)]
    assert [path for path in paths if not (ROOT / path).exists()] == []
