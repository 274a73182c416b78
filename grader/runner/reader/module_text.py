"""Turns the text of a file into one module text, cell below cell, parsed and planned."""

import ast
import bisect
import itertools
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reader.facts.class_facts import CallSite, find_call_site
from reader.plan.cell_order import better_order
from reader.plan.statement_plan import Plan, make_plan
from reader.plan.statement_rules import Statement, statements_of
from reader.text import magics, notebook_cells
from reader.text.decoding import CODING_LINE, INVISIBLE_SPACE, Unreadable, is_link
from reader.text.repair import Problem, repair

CLASS_TEXT = re.compile(r"^[ \t#>]*class[ \t]+LSTM\b", re.MULTILINE)
#: A line above or below code, as chats and forums have it.
FENCE = re.compile(r"^[ \t]*```[ \t]*[\w{}.+-]*[ \t]*$", re.MULTILINE)
# Each round moves some cells; a cycle of cells would move for ever.
MAX_ORDERINGS = 4


@dataclass(frozen=True)
class CodeCell:
    """A code cell, or a whole ``.py`` file. `python` is the part left to run: blank lines if there is none."""

    index: int
    text: str
    python: str
    problem: Problem | None = None
    foreign_magic: str | None = None


@dataclass(frozen=True)
class Module:
    """All cells one below the other, each from its line in `first_lines`, with the facts found about the whole."""

    cells: list[CodeCell]
    first_lines: list[int]
    source: str
    tree: ast.Module
    plan: Plan
    call_site: CallSite | None
    is_script: bool

    def span(self, place: int) -> tuple[int, int]:
        first = self.first_lines[place]
        return first, first + self.cells[place].python.count("\n")

    def text_as_handed_in(self) -> str:
        return _joined([cell.text for cell in self.cells])

    def places(self) -> list[int]:
        """Return for each statement the place of its cell in `cells`."""
        return _places(self.plan.statements, self.first_lines)


def notebook_code(text: str) -> tuple[list[CodeCell], str | None]:
    """Return the code cells, and where else the class stands, if it does.

    Raises:
        Unreadable: as `notebook_cells.parse_notebook`; ``empty_file``, ``link_only``.
    """
    cells = notebook_cells.parse_notebook(text)
    whole = "\n".join(cell.source for cell in cells)
    if not whole.strip(INVISIBLE_SPACE):
        raise Unreadable("empty_file")
    if is_link(whole):
        raise Unreadable("link_only")
    elsewhere = next((cell.kind for cell in cells if cell.kind != "code" and CLASS_TEXT.search(cell.source)), None)
    code = [
        code_cell(cell.index, _clean(cell.source), in_notebook=True)
        for cell in cells
        if cell.kind == "code" and cell.source.strip(INVISIBLE_SPACE)
    ]
    if not any(CLASS_TEXT.search(cell.text) for cell in code if cell.foreign_magic is None):
        code = [_from_file(cell) for cell in code]
    return code, elsewhere


def _from_file(cell: CodeCell) -> CodeCell:
    """Unpack a cell that only writes the class into a file, to import it from there: that code was handed in."""
    if cell.foreign_magic not in ("writefile", "file") or not CLASS_TEXT.search(cell.text):
        return cell
    header, _, code = cell.text.partition("\n")
    return code_cell(cell.index, "#" + header + "\n" + code)


def _clean(source: str) -> str:
    """Return a cell's text with ``\\n`` line ends and without lone surrogates, which no file can hold."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def code_cell(index: int, text: str, *, in_notebook: bool = False) -> CodeCell:
    python, magic = text, None
    if in_notebook:
        magic, python = magics.take_cell_magics(magics.strip_prompts(text))
    blank = "\n" * text.count("\n")
    if magic is not None:
        return CodeCell(index, text, blank, foreign_magic=magic)
    python, problem = repair(python)
    for code in (FENCE.sub("", python), _between_fences(python)) if problem else ():
        if problem and (stripped := magics.strip_prompts(code)) != python:
            python, problem = repair(stripped)
    return CodeCell(index, text, blank if problem else python, problem)


def _between_fences(text: str) -> str:
    """Return a chat's answer without the sentences around its code, in as many lines."""
    if FENCE.search(text) is None:
        return text
    # The odd pieces stand between two fences.
    pieces = FENCE.split(text)
    return "".join(piece if at % 2 else "\n" * piece.count("\n") for at, piece in enumerate(pieces))


def _joined(texts: Sequence[str]) -> str:
    # The blank line keeps a backslash at the end of a cell from joining the next one.
    return "\n\n".join(texts) + "\n"


def join_cells(cells: list[CodeCell], sizes: Iterable[int], *, is_script: bool) -> Module:
    """Join the cells in an order in which the code to run finds its names, and plan what to run.

    Args:
        sizes: the exercise's own numbers.
    """
    for _ in range(MAX_ORDERINGS):
        source = _without_coding_line(_joined([cell.python for cell in cells]))
        heights = [cell.python.count("\n") + 2 for cell in cells]
        first_lines = [1 + height for height in itertools.accumulate(heights, initial=0)][: len(cells)]
        tree = _parse(source)
        statements = statements_of(tree)
        call_site = find_call_site(statements, source, sizes)
        also_needed = call_site.reads if call_site else ()
        plan = make_plan(tree, statements, is_script=is_script, also_needed=also_needed)
        module = Module(cells, first_lines, _with_open_guards(source, plan), tree, plan, call_site, is_script)
        order = better_order(plan, _places(statements, first_lines))
        if order is None:
            break
        without_statements = [place for place in range(len(cells)) if place not in set(order)]
        cells = [cells[place] for place in [*order, *without_statements]]
    return module


def _places(statements: Sequence[Statement], first_lines: list[int]) -> list[int]:
    return [bisect.bisect_right(first_lines, statement.first_line) - 1 for statement in statements]


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    _spell_out(tree)
    return tree


def _spell_out(tree: ast.Module) -> None:
    """Put the text beside the name in ``exec(name)``, where the module gives this name one text."""
    texts: dict[str, ast.Constant | None] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str()) as text) if name not in texts:
                texts[name] = text
            case ast.Assign(targets=[ast.Name(id=name)]):
                texts[name] = None  # it has others, too
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="exec"), args=[ast.Name(id=name) as given, *_]) if known := texts.get(name):
                node.args[0] = ast.copy_location(ast.BoolOp(ast.And(), [given, known]), given)


def _with_open_guards(source: str, plan: Plan) -> str:
    """Make the condition true where the class stands under ``if __name__ == "__main__":``."""
    lines = source.split("\n")
    for index in plan.reasons:
        statement = plan.statements[index]
        test = statement.node.test if isinstance(statement.node, ast.If) else None
        if test is not None and statement.is_main_guard() and test.lineno == test.end_lineno:
            line = lines[test.lineno - 1].encode()
            lines[test.lineno - 1] = (line[: test.col_offset] + b"True" + line[test.end_col_offset :]).decode()
    return "\n".join(lines)


def _without_coding_line(source: str) -> str:
    """Blank out the coding line: the text is written as UTF-8 later, whatever encoding it came in."""
    lines = source.split("\n", 2)
    for number, line in enumerate(lines[:2]):
        if match := CODING_LINE.match(line.encode("utf-8", "replace")):
            lines[number] = line.replace(match[1].decode("ascii"), "utf-8")
    return "\n".join(lines)
