"""Reads an upload without running any of it: which file it is, its code as one module text, and which part to run.

Runs in a short-lived child with limits on CPU, memory and time, because decoding, JSON, IPython and `ast` are the first
place where a malicious file can do harm. The result is data; the docstring of `read` lists its keys.
"""

import ast
import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from box_requests import Kind, UploadRequest
from frames import frame, read_request
from lockdown import RESULT, Wall

from reader import source_lines
from reader.facts import review
from reader.facts.call_effects import only_computes
from reader.facts.class_facts import global_x, instead_of_class, kind_of_class, near_class
from reader.facts.gradient_paths import lets_gradients_through
from reader.facts.joined_order import joined_order
from reader.facts.spelling import homoglyphs, odd_keyword, skeleton
from reader.fingerprints import fingerprints
from reader.module_text import CLASS_TEXT, Module, code_cell, join_cells, notebook_code
from reader.parts.finding import parts
from reader.plan.statement_plan import Plan
from reader.plan.statement_rules import CLASS, Statement
from reader.source_lines import source_cells
from reader.text.decoding import INVISIBLE_SPACE, Unreadable, binary_kind, decode, is_html, is_link
from reader.text.notebook_cells import looks_like_notebook
from reader.use_plan import find_uses

Result = dict[str, Any]
Fact = dict[str, Any]

COMMENTED_CLASS = re.compile(r"^[ \t]*#[ \t#]*class[ \t]+LSTM\b", re.MULTILINE)
MAX_TEXT = 200


def preload(_kind: Kind, _wall: Wall) -> dict[str, str]:
    """Import and warm everything that reading uses. Called in the warm process that forks for every upload."""
    notebook = {"cells": [{"cell_type": "code", "source": "%time x = 1\n!ls\nx?"}]}
    read(json.dumps(notebook).encode(), "warm.ipynb", {})
    source_lines.warm_up()
    return {"ipython": version("ipython")}


def main(request_fd: int, _lockdown_seconds: float) -> None:
    """Answer the request on `request_fd`: a frame, and the bytes of the file."""
    request: UploadRequest
    request, content = read_request(request_fd)
    for answer in answers(content, request["filename"], request["canonical"]):
        remaining = memoryview(frame(answer))
        while remaining:
            remaining = remaining[os.write(RESULT, remaining) :]


def answers(content: bytes, filename: str, canonical: dict[str, int]) -> Iterator[Result]:
    """Yield the facts about an upload, as `read` returns them, then its source for showing it.

    The second answer is a courtesy: a right answer's grade does not depend on it, and it is left out where anything
    stands in its way. Its keys: ``cells``, as `source_lines.source_cells` returns them, those of `parts.finding.parts`,
    and ``fingerprints``, as `fingerprints.fingerprints` does.
    """
    result, module = _read_module(content, filename, canonical)
    yield result
    if module is not None:
        with contextlib.suppress(Exception):
            source: Result = {"cells": source_cells(module)}
            # Code that cannot be followed is still shown.
            with contextlib.suppress(Exception):
                source |= parts(module.plan)
            with contextlib.suppress(Exception):
                source["fingerprints"] = fingerprints(module)
            yield source


def read(content: bytes, filename: str, canonical: dict[str, int]) -> Result:
    """Find out everything about an upload without running it. Never raises for anything in `content`.

    Args:
        canonical: the exercise's own sizes by name; a call of the class that uses one of them is how it is constructed.

    Returns:
        JSON-able. All lines count from 1, and within `source` unless said otherwise. For a file without code there
        are ``format``, ``error`` and ``advisories`` alone.

        - ``format``: py, ipynb or None; ``error``: None, or ``code``, ``params`` and ``line``.
        - ``source``: one module text; ``cells``: ``index`` in the notebook, ``first_line`` and ``last_line``.
        - ``statements``, the i-th for the i-th of ``ast.parse(source).body``: ``first_line`` (of its decorators, if it
          has any), ``last_line``, ``cell`` (its index), ``run``, ``reason``.
        - ``skipped``, one for each cell and code: ``index``, ``code``, ``params`` (with lines of the cell).
        - ``class_line``: of the last binding of LSTM; ``call_site``: ``args`` and ``kwargs`` as source text, or None.
        - ``global_x``: ``line``, ``shape_only``; ``homoglyphs``: ``name``, ``looks_like``, ``line``.
        - ``joined``: ``xh``, ``hx`` or None, the order of x and h in a joined input.
        - ``advisories``: ``code``, ``params``, ``line``.
        - ``result_files``: lines that write files such as graders write.
        - ``only_computes``: whether calls of the class leave nothing behind, as `call_effects` sees it.
        - ``lets_gradients_through``: whether nothing named in it could cut a gradient, as `gradient_paths` sees it.
        - ``uses``, the statements that are run for Task 2: ``statement`` (its place), ``sides``, ``shape_only``,
          ``equality``, ``assigns_attribute``, ``reads_weights``, as `use_plan.Use` describes them.
    """
    return _read_module(content, filename, canonical)[0]


def _read_module(content: bytes, filename: str, canonical: dict[str, int]) -> tuple[Result, Module | None]:
    result: Result = {"format": None, "error": None, "advisories": []}
    module = None
    try:
        module = _read(content, PurePosixPath(filename).suffix.lower(), canonical, result)
    except Unreadable as exc:
        result["error"] = {"code": exc.code, "params": exc.params, "line": exc.line}
    except (RecursionError, MemoryError):
        result["error"] = {"code": "too_complex", "params": {"reason": "nested too deeply"}, "line": None}
    return result, module


def _read(content: bytes, extension: str, canonical: dict[str, int], result: Result) -> Module:
    named_notebook = extension == ".ipynb"
    if kind := binary_kind(content):
        raise Unreadable("invalid_notebook_json" if named_notebook else "not_text", variant="known", found=kind)
    text, guessed = decode(content)
    if is_link(text):
        raise Unreadable("link_only")
    if is_html(text):
        raise Unreadable("wrong_extension", extension=extension, found="html")
    if guessed:
        result["advisories"].append(_fact("guessed_encoding", encoding=guessed))
    misnamed = named_notebook and not text.lstrip(INVISIBLE_SPACE).startswith(("{", "[")) and _is_python(text)
    is_notebook = not misnamed and (named_notebook or looks_like_notebook(text))
    result["format"] = "ipynb" if is_notebook else "py"
    cells, elsewhere = notebook_code(text) if is_notebook else ([code_cell(0, text)], None)
    module = join_cells(cells, canonical.values(), is_script=not is_notebook)
    _describe(module, result)
    error = result["error"] = _missing_class(module, elsewhere)
    if error and error["code"] == "syntax_error":
        # Nothing will be run: show the text as it was handed in.
        result["source"] = module.text_as_handed_in()
    elif extension not in (".ipynb" if is_notebook else ".py", ".txt"):
        kind_of_file = "notebook" if is_notebook else "python"
        result["advisories"].append(_fact("wrong_extension", extension=extension, found=kind_of_file))
    return module


def _is_python(text: str) -> bool:
    return CLASS_TEXT.search(text) is not None and code_cell(0, text).problem is None


def _describe(module: Module, result: Result) -> None:
    plan, places = module.plan, module.places()
    result["source"] = module.source
    result["cells"] = [
        {"index": cell.index, "first_line": module.span(place)[0], "last_line": module.span(place)[1]}
        for place, cell in enumerate(module.cells)
    ]
    result["statements"] = [
        {
            "first_line": statement.first_line,
            "last_line": statement.last_line,
            "cell": module.cells[place].index,
            "run": index in plan.reasons,
            "reason": plan.reasons.get(index) or _reason_not_run(statement, hides=index in plan.hiding),
        }
        for index, (statement, place) in enumerate(zip(plan.statements, places, strict=True))
    ]
    result["skipped"] = _skipped(module, plan, places)
    result["class_line"] = plan.class_line
    site = module.call_site
    result["call_site"] = {"args": site.args, "kwargs": site.kwargs} if site is not None else None
    classes = sum(isinstance(each.node, ast.ClassDef) and each.node.name == CLASS for each in plan.statements)
    if classes > 1:
        result["advisories"].append({**_fact("several_classes", count=classes), "line": plan.class_line})
    result["advisories"] += review.advisories(plan, module.source)
    result["only_computes"] = only_computes(plan)
    result["lets_gradients_through"] = lets_gradients_through(plan)
    result["result_files"] = review.result_files(plan.statements)
    odd = result["homoglyphs"] = homoglyphs(plan)
    # An argument that is not called x in Latin letters is the cause where x is the global one.
    result["global_x"] = [] if any(letter["looks_like"] == "x" for letter in odd) else global_x(plan)
    result["joined"] = joined_order(plan)
    result["uses"] = [
        {**vars(use), "sides": sorted(use.sides)} for use in find_uses(module.tree, plan, is_script=module.is_script)
    ]


def _reason_not_run(statement: Statement, *, hides: bool) -> str:
    if hides:
        return "hides_class"
    if shell := statement.shell_code():
        return shell[0]
    if statement.is_main_guard():
        return "main_guard"
    return "no_effect" if statement.has_no_effect() else "not_needed"


def _skipped(module: Module, plan: Plan, places: Sequence[int]) -> list[Fact]:
    """Make one entry for each cell and code, with its ranges of lines. Lines count within the cell."""
    facts: dict[tuple[int, str], Fact] = {}
    for place, cell in enumerate(module.cells):
        if (problem := cell.problem) is not None:
            if problem.line is None:
                facts[place, "too_complex"] = {"variant": "nested"}
            else:
                named = {"line": problem.line, "message": problem.message, "text": problem.text}
                facts[place, "syntax_error"] = named
        elif cell.foreign_magic is not None:
            facts[place, "cell_magic"] = {"magic": "%%" + cell.foreign_magic}
    before: tuple[int, str] | None = None
    for index, (statement, place) in enumerate(zip(plan.statements, places, strict=True)):
        if statement.has_no_effect():
            continue
        if index in plan.reasons:
            before = None
            continue
        first, last = (line - module.first_lines[place] + 1 for line in (statement.first_line, statement.last_line))
        code, text = statement.shell_code() or ("not_needed", "")
        params = facts.setdefault((place, code), {"line": first, "statements": 0, "lines": []})
        params["statements"] += 1
        if before == (place, code):
            params["lines"][-1][1] = last
        else:
            params["lines"].append([first, last])
        before = (place, code)
        if text:
            params.setdefault("text" if code == "shell_line" else "magic", text[:MAX_TEXT])
    entries = [
        {"index": module.cells[place].index, "code": code, "params": params} for (place, code), params in facts.items()
    ]
    return sorted(entries, key=lambda entry: (entry["index"], entry["code"]))


def _missing_class(module: Module, elsewhere: str | None) -> Fact | None:
    """Return the error when nothing binds the class, or only an import of Keras' own while a near name exists."""
    near = near_class(module.tree)
    if module.plan.is_bound and not (near and "cell" not in near[0].lower() and _only_keras_binds(module.plan)):
        return None
    broken = [place for place, cell in enumerate(module.cells) if cell.problem is not None]
    if broken:
        place = next((place for place in broken if CLASS_TEXT.search(module.cells[place].text)), broken[0])
        problem = module.cells[place].problem
        assert problem is not None
        if problem.line is None:
            return _fact("too_complex", variant="nested")
        params: Fact = {"message": problem.message, "text": problem.text}
        if not module.is_script:
            params["cell"] = module.cells[place].index
        if odd := odd_keyword(problem.text):
            params |= {"variant": "letter", "found": odd[0], "looks_like": odd[1]}
        return {**_fact("syntax_error", **params), "line": module.first_lines[place] + problem.line - 1}
    params = {}
    if near and near[0] == CLASS:
        elsewhere = "function"
    elif near:
        params["found"] = near[0]
        if skeleton(near[0]) == CLASS:
            params |= {"looks_like": CLASS, "variant": "letter"}
    if any(cell.foreign_magic and CLASS_TEXT.search(cell.text) for cell in module.cells):
        elsewhere = "cell_magic"
    elif any(COMMENTED_CLASS.search(cell.text) for cell in module.cells):
        elsewhere = elsewhere or "comment"
    if elsewhere:
        params["found_in"] = elsewhere
    elif near and "looks_like" not in params:
        is_cell = "cell" in near[0].lower()
        params["variant"] = "not_written" if is_cell else kind_of_class(module.tree, near[1]) or "other_name"
    line = near[1] if near else None
    if not params and (instead := instead_of_class(module.tree)):
        params["variant"], params["found"], line = instead
    return {**_fact("no_lstm_class", **params), "line": line}


def _only_keras_binds(plan: Plan) -> bool:
    binding = [s for s in plan.statements if CLASS in s.uses.binds | s.uses.late_binds or s.binds_by_import()]
    return bool(binding) and all(statement.binds_by_keras_import() for statement in binding)


def _fact(code: str, **params: Any) -> Fact:
    return {"code": code, "params": params, "line": None}
