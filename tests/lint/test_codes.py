"""The codes of a report: each that the source can give has its words, in both languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import grader
from grader.report.messages import LANGUAGES, codes, translate
from reference.lstm.misconceptions import bank

MODULES = sorted(Path(grader.__file__).parent.rglob("*.py"))
# Calls that take the code of a finding or a remark first, or by name.
MAKERS = {"Finding.of", "Remark", "Advisory", "_fact"}


def codes_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MAKERS:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            for value in [*node.args[:1], *named]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def test_every_code_of_the_source_and_of_the_bank_has_words() -> None:
    found = {code for module in MODULES for code in codes_in(module)} | {mistake.code for mistake in bank()}
    assert len(found) > 100
    assert sorted(found - set(codes())) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_shows_a_brace_or_an_unknown_value(language: str) -> None:
    for code in codes():
        text = translate(f"{code}.message", language)
        assert "{" not in text, code
        assert "}" not in text, code
