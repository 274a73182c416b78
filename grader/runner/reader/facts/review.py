"""Finds things that a teacher may want to look at: code that the exercise does not need, words and files for a grader.

None of it proves anything or costs points: the numbers decide.
"""

import ast
import re
from collections.abc import Sequence
from typing import Any

from reader.plan.statement_plan import Plan
from reader.plan.statement_rules import Statement

# Python's own functions that run text; methods of these names are something else (``model.compile``, ``tensor.eval``).
RUNS_TEXT = frozenset({"exec", "eval", "compile"})
# Names and attributes that reach behind the code: into other frames, other objects' memory, or Keras' own source;
# or run a graph that was made elsewhere.
UNUSUAL = frozenset(
    {
        *("marshal", "ctypes", "base64", "codecs", "builtins", "__builtins__", "__import__"),
        *("getsource", "getsourcelines", "_getframe", "currentframe", "get_objects", "get_referrers", "settrace"),
        *("__code__", "__globals__", "__closure__", "__subclasses__", "f_locals", "f_globals", "f_back"),
        *("pywrap_tfe", "_pywrap_tfe", "TFE_Py_Execute", "TFE_Py_FastPathExecute", "quick_execute"),
        *("import_graph_def", "saved_model"),
    }
)
MOST_NAMED = 5
# Commands to a reader about its orders or the grade, and words to a machine. Students write of a forget gate, of rules
# and of attention in models, and remind themselves not to forget the instructions: none of that may be taken for one.
WHICH = (
    r"(?:(?:all|any|and|everything|about|in|of|the|these|those|your|my|previous|prior|earlier|above|other|original"
    r"|system|grading)\s+)"
)
WHICH_RU = r"(?:(?:вс|люб|эт|тво|сво|ваш|предыдущ|прежн|прошл|стар|ранее|данн|исходн|систем|выше|про|об?\b)\w*\s+)"
COMMAND = (
    rf"(?<!n.t )(?<!dont )(?<!never )(?:ignore|disregard|forget)\s+{WHICH}{{0,5}}"
    r"(?:instructions?|prompts?|(?:your|previous|grading)\s+rules)"
    rf"|(?:(?<!не )(?:игнорируй|забудь)\w*|не\s+учитывай\w*)\s+{WHICH_RU}{{0,5}}"
    r"(?:инструкц\w+|указани\w+|промпт\w*|(?:сво|тво|ваш|предыдущ)\w+\s+правил\w*|правил\w*\s+(?:оцен|провер)\w+)"
    r"|(?:give|award|assign|grant)\W+(?:\w+\W+){0,4}(?:full|maximum|max|highest|100)\W+(?:\w+\W+){0,2}"
    r"(?:points?|marks?|score|grade|credit(?!\s+to\b))"
    r"|(?:mark|grade|rate)\s+(?:\w+\s+){1,3}as\s+(?:\w+\s+)?(?:correct|passed|perfect)"
    r"|(?:(?:по|вы)ставь(?:те)?|выставить)\W+(?:\w+\W+){0,4}(?:балл\w*|оценк\w+|зач[её]т)"
    r"|дай(?:те)?\W+(?:\w+\W+){0,4}(?:балл\w*|зач[её]т|(?:высш|высок|максимальн|отличн|хорош)\w+\s+оценк\w+)"
    r"|засчитай(?:те)?\b"
    r"|(?:dear|note\s+to(?!\s+(?:my)?self)|уважаем\w+)\s+(?:\w+\s+){0,2}"
    r"(?:ai|llm|(?:chat)?gpt|auto\w*[\s-]*grader|language\s+model|нейросет\w+|ии|языков\w+\s+модел\w+|бот)\b"
    r"|(?:ai|llm|gpt)[\s-]+grader"
    r"|(?:instructions?|message)\s+(?:to|for)\s+(?:an?|any|the)\s+(?:ai|llm|(?:chat)?gpt|language\s+model|auto\w*[\s-]*grader)\b"
    r"|to\s+(?:any|the)\s+(?:ai|llm|(?:chat)?gpt)\b[^:]{0,40}:"
    r"|you\s+are\s+(?:now\s+)?(?:an?|the)\s+(?:\w+\s+){0,2}(?:grader|grading|evaluator|assistant|ai|language\s+model)\b"
    r"|(?:deserves?|output|report|return)\s+(?:an?\s+|the\s+)?"
    r"(?:(?:full|highest|maximum|perfect|top)\s+(?:credit|grades?|marks?|points)\b|score\s+(?:of\s+)?\d+)"
    r"|(?:system|системн\w+)\s*(?:prompt|message|промпт|сообщени\w+)\s*:"
)
TO_A_GRADER = re.compile(rf"\b(?:{COMMAND})", re.IGNORECASE)
LONGEST_LINE = 500
# Files that graders of all kinds write.
RESULT_FILE = re.compile(
    r"(?:.*/)?\w*(?:results?|reports?|scores?|grades?|points|feedback|verdict)\.(?:json|txt|csv|xml|ya?ml)"
)
WRITING = frozenset({"dump", "write", "write_text", "writelines", "savetxt", "to_csv", "to_json"})


def advisories(plan: Plan, source: str) -> list[dict[str, Any]]:
    """List advisories ``review_suggested`` and ``prompt_injection``, each at most once, with its first line."""
    notes = []
    first_lines = _unusual_names(plan)
    if first_lines:
        evidence = ", ".join(list(first_lines)[:MOST_NAMED])
        notes.append({"code": "review_suggested", "params": {"evidence": evidence}, "line": min(first_lines.values())})
    for number, line in enumerate(source.split("\n"), start=1):
        # In code such words are names; words addressed to somebody stand in a comment or in a text.
        if ("#" in line or '"' in line or "'" in line) and TO_A_GRADER.search(line[:LONGEST_LINE]):
            notes.append({"code": "prompt_injection", "params": {}, "line": number})
            break
    return notes


def result_files(statements: Sequence[Statement]) -> list[int]:
    """List lines with the name of a file such as graders write, in statements that write files."""
    lines = []
    for statement in statements:
        nodes = list(ast.walk(statement.node))
        if any(isinstance(node, ast.Attribute) and node.attr in WRITING for node in nodes):
            constants = [(node.lineno, node.value) for node in nodes if isinstance(node, ast.Constant)]
            lines += [line for line, value in constants if isinstance(value, str) and RESULT_FILE.fullmatch(value)]
    return lines[:MOST_NAMED]


def _unusual_names(plan: Plan) -> dict[str, int]:
    """Map name -> first line, in the code the class uses."""
    first_lines: dict[str, int] = {}
    for statement in plan.core_statements():
        for node in ast.walk(statement.node):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    names = [name]
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    names = [part for alias in aliases for part in alias.name.split(".")]
                case _:
                    continue
            for name in names:
                if name in UNUSUAL or (name in RUNS_TEXT and isinstance(node, ast.Name)):
                    first_lines.setdefault(name, getattr(node, "lineno", statement.first_line))
    return dict(sorted(first_lines.items(), key=lambda item: item[1]))
