"""The sentences of a report, in the reader's language.

Reports store codes and parameters; this module makes text of them when a report is read. The texts are gettext
catalogues keyed by id: ``CODE.title``, ``CODE.message`` and ``CODE.hint`` for a code of the report, other ids for
single words and sentences. ``CODE.message.PARAMETER`` is a sentence that follows the message when that parameter is
known and not in the message already; several follow in the order of the catalogue. Where the parameter `variant`
names a special case of a code, ``CODE/VARIANT.message`` replaces ``CODE.message``, if it exists, and
``any/VARIANT.hint`` is a hint for all codes. Above each code the catalogue says which parameters may come with it.

Parameters are the student's data: an exception's message, a name from the code, megabytes of either. One pass fills
them into ``{name}`` placeholders; it knows no attributes, indices or formats. Values are cut, and characters that do
not print (terminal colours, line breaks, reversed text) are replaced. A page must still escape the text.
"""

import re
from collections.abc import Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from babel.core import Locale, negotiate_locale
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from grader.report.model import Report
from grader.report.numbers import EXACT, ROUGH, moment, number, true_minus
from reference.lstm.weights import DENSE_LETTERS

LANGUAGES = ("ru", "en")

#: Where a catalogue has each form of a plural. Russian writes fractions as it writes two.
PLURALS = {"en": {"one": 0, "other": 1}, "ru": {"one": 0, "few": 1, "many": 2, "other": 1}}

# The form of a notebook's cell in `grader.report.model.Frame`.
CELL = re.compile(r"cell (\d{1,9})")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
VALUE_CHARACTERS = 200
# Stands in numbers, such as before a percent sign. Python does not count it among what prints.
NO_BREAK = "\N{NO-BREAK SPACE}"
# A sentence quoted at the end of ours has its own punctuation.
ENDED = re.compile(r"([?!…])\.(?=\s|$)")
#: Parameters whose values have a name in each language -> where the names stand in the catalogue.
NAMED = {
    "categories": "category", "right": "part", "wrong": "part", "repair": "repair", "form": "form", "of": "of",
    "gates": "gate", "taken": "gate", "kernel": "gate", "recurrent_kernel": "gate", "function": "function",
}  # fmt: skip
# Lists of gates with a name of their own.
LETTERS = "".join(sorted(DENSE_LETTERS.values()))
ALL_GATES = {LETTERS.replace(DENSE_LETTERS["g"], ""): "gates.three", LETTERS: "gates.all"}
#: Parameters that give the size of an error.
ROUGHLY = frozenset({"max_abs_error", "difference", "first", "last", "largest"})
# One element of an Accept-Language header: RFC 9110, sections 12.4.2 and 12.5.4.
LANGUAGE_RANGE = re.compile(
    r"([a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?", re.IGNORECASE
)


class Catalogue:
    """Texts by id and language, from a folder that holds one ``<language>.po`` for each of `LANGUAGES`.

    Raises:
        OSError: a language has no file.
        babel.messages.pofile.PoFileError: a file is not a gettext catalogue.
    """

    def __init__(self, folder: Path) -> None:
        self._texts = {language: _read(folder / f"{language}.po") for language in LANGUAGES}
        self._added: dict[str, list[str]] = {}
        for id in self._texts[LANGUAGES[0]]:
            code, separator, parameter = id.partition(".message.")
            if separator:
                self._added.setdefault(code, []).append(parameter)

    def find(self, id: str, language: str, /, **params: object) -> str | None:
        """Fill in a text's placeholders; a missing parameter shows as "?". Return None for an unknown id.

        A text with plurals has the form that goes with the parameter `count`.

        Raises:
            KeyError: `language` is not one of `LANGUAGES`.
        """
        forms = self._texts[language].get(id)
        if forms is None:
            return None
        text = _form(forms, language, params.get("count"))
        filled = PLACEHOLDER.sub(lambda match: _formatted(match[1], params.get(match[1]), language), text)
        return ENDED.sub(r"\1", filled)

    def codes(self) -> list[str]:
        """List the ids that have a message, without their variants."""
        ids = (id.removesuffix(".message") for id in self._texts[LANGUAGES[0]] if id.endswith(".message"))
        return sorted(code for code in ids if "/" not in code and "." not in code)

    def below(self, room: str, language: str) -> dict[str, str]:
        """List the texts of a room as they stand, with their placeholders, by the ids without its name."""
        beginning = f"{room}."
        ids = [id for id in self._texts[language] if id.startswith(beginning)]
        return {id.removeprefix(beginning): self._texts[language][id][0] for id in ids}

    def find_variant(self, code: str, part: str, language: str, /, **params: object) -> str | None:
        """Find a code's ``title``, ``message`` or ``hint``, in the variant that `variant` names."""
        return self.find(self._variant(code, part, language, params), language, **params)

    def extra_sentences(self, code: str, language: str, /, **params: object) -> list[str]:
        """Return the sentences that follow a code's message: about known parameters that the message leaves out."""
        message = self._texts[language].get(self._variant(code, "message", language, params), ())
        mentioned = set(PLACEHOLDER.findall(" ".join(message)))
        texts = (
            self.find(f"{code}.message.{name}", language, **params)
            for name in self._added.get(code, [])
            if name not in mentioned and params.get(name) not in (None, "", [])
        )
        return [text for text in texts if text]

    def _variant(self, code: str, part: str, language: str, params: Mapping[str, object]) -> str:
        if isinstance(variant := params.get("variant"), str):
            for id in (f"{code}/{variant}.{part}", f"any/{variant}.{part}"):
                if id in self._texts[language]:
                    return id
        return f"{code}.{part}"

    def text(self, id: str, language: str, /, **params: object) -> str:
        """Find a text; an unknown id gives the code itself, so that a newer report still says something."""
        text = self.find(id, language, **params)
        return _printable(re.sub(r"\.(title|message|hint)$", "", id)) if text is None else text


def translate(id: str, language: str, /, **params: object) -> str:
    """Return a text of the grader's own catalogue.

    Raises:
        KeyError: `language` is not one of `LANGUAGES`.
    """
    return _own().text(id, language, **_with_derived(language, params))


def render(report: Report, language: str) -> dict[str, Any]:
    """Return the JSON form of the report for a reader, with `title`, `message` and `hint`.

    A `hint` is None where there is nothing to try: a plain pass, or an unknown code.

    Raises:
        KeyError: `language` is not one of `LANGUAGES`.
    """
    rendered = report.model_dump(mode="json")
    said = [*rendered["diagnoses"], *rendered["checks"]]
    variants = {part["code"]: part["params"].get("variant") for part in reversed(said) if part["code"] is not None}
    rendered["checks"] = [_check(check, variants, language) for check in rendered["checks"]]
    rendered["diagnoses"] = _diagnoses(rendered["diagnoses"], rendered["source"]["places"], language)
    rendered["advisories"] = [
        {**advisory, "message": _message(advisory["code"], language, advisory["params"])}
        for advisory in rendered["advisories"]
    ]
    extraction = rendered["extraction"]
    extraction["cells_skipped"] = [
        {**cell, "message": _message(cell["code"], language, cell["params"])} for cell in extraction["cells_skipped"]
    ]
    return rendered


def codes() -> list[str]:
    """List the codes that a report can hold, in the order of the alphabet."""
    return _own().codes()


def negotiate(accept_language: str | None, default: str) -> str:
    """Choose the one of `LANGUAGES` that an Accept-Language header prefers, else `default`."""
    accepted = []
    for element in (accept_language or "").split(","):
        if (match := LANGUAGE_RANGE.fullmatch(element.strip())) and (quality := float(match[2] or 1)) > 0:
            accepted.append((quality, match[1]))
    # The sort is stable: among equals the first one wins.
    preferred = [name for _, name in sorted(accepted, key=lambda pair: -pair[0])]
    locale = negotiate_locale(preferred, LANGUAGES, sep="-")
    return locale.lower() if locale else default


@cache
def _own() -> Catalogue:
    return Catalogue(Path(__file__).parents[1] / "locale")


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the forms of each text: one, or as many as the language's plurals have."""
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    # The entry without an id is the file's header.
    return dict(_forms(message) for message in catalogue if message.id)


def _forms(message: Message) -> tuple[str, tuple[str, ...]]:
    strings = message.string
    id = message.id if isinstance(message.id, str) else message.id[0]
    return id, (strings,) if isinstance(strings, str) else tuple(strings or ())


def _form(forms: tuple[str, ...], language: str, count: object) -> str:
    """Choose the form of a text for `count` things."""
    if len(forms) == 1 or not isinstance(count, int | float):
        return forms[-1]
    return forms[PLURALS[language][Locale(language).plural_form(count)]]


def title_of(code: str, language: str, variant: object = None) -> str | None:
    """Return the short name of a code."""
    return _own().find_variant(code, "title", language, variant=variant)


def message_of(check: Mapping[str, Any], language: str, without: frozenset[str] = frozenset()) -> str:
    """Return the message of a rendered check, without the sentences that some of its parameters add."""
    if check["code"] is None or "follows_from" in check["params"]:
        return str(check["message"])
    params = {name: value for name, value in check["params"].items() if name not in without}
    return _message(check["code"], language, params)


def _check(check: dict[str, Any], variants: Mapping[str, object], language: str) -> dict[str, Any]:
    texts: dict[str, str | None]
    if isinstance(cause := check["params"].get("follows_from"), str):
        also = [code for code in check["params"].get("follows_also") or [] if isinstance(code, str)]
        texts = {"message": _same_cause([cause, *also], variants, language), "hint": None}
    elif check["code"] is not None:
        texts = _message_and_hint(check["code"], language, check["params"])
    else:
        texts = {"message": translate(f"check.{check['id']}.{check['status']}", language), "hint": None}
    title = _own().find(f"check.{check['id']}.title", language) or _printable(check["id"])
    details = check.pop("details")
    return {"id": check.pop("id"), "title": title, **check, **texts, "details": details}


def _diagnoses(diagnoses: list[dict[str, Any]], places: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Add texts. Where numbers alone show a mistake, say that they do: other code could give the same numbers."""
    marked = {place["code"] for place in places}
    from_numbers = [each for each in diagnoses if each["confidence"] == "exact" and each["residual"] is not None]
    like = translate("report.like" if len(from_numbers) == 1 else "report.like_together", language)
    explained = []
    for diagnosis in diagnoses:
        texts = _message_and_hint(diagnosis["code"], language, diagnosis["params"])
        if steps := diagnosis["params"].get("steps"):
            some = translate(f"report.steps.{steps}", language, **diagnosis["params"])
            texts["message"] = f"{texts['message']} {some}"
        # Formulas that are compared with the expected ones were read in the code.
        is_read = diagnosis["code"] == "other_formula" and "expected" in diagnosis["params"]
        if diagnosis in from_numbers and diagnosis["code"] not in marked and not is_read:
            texts["message"] = f"{texts['message']} {like}"
        explained.append({**diagnosis, **texts})
    return explained


def _same_cause(causes: list[str], variants: Mapping[str, object], language: str) -> str:
    """Say that a check fails for reasons explained elsewhere, named by their titles there."""
    titles = [title for code in causes if (title := title_of(code, language, variants.get(code)))]
    if not titles:
        return translate("check.follows_unknown", language)
    quoted = [translate("check.quoted", language, title=title) for title in titles]
    return translate("check.follows" if len(quoted) == 1 else "check.follows_several", language, cause=quoted)


def _message_and_hint(code: str, language: str, params: Mapping[str, object]) -> dict[str, str | None]:
    hint = _own().find_variant(code, "hint", language, **_with_derived(language, params))
    return {"message": _message(code, language, params), "hint": hint}


def _message(code: str, language: str, params: Mapping[str, object]) -> str:
    derived = _with_derived(language, params)
    said = _own().find_variant(code, "message", language, **derived)
    return " ".join([_printable(code) if said is None else said, *_own().extra_sentences(code, language, **derived)])


def _with_derived(language: str, params: Mapping[str, object]) -> dict[str, object]:
    """Add the parameters that depend on the language: places, and kinds of cases."""
    derived = {**params, "place": _place(language, params.get("line"), params.get("file"))}
    for param in ("found", "found_in"):
        if isinstance(value := params.get(param), str):
            derived[param] = _own().find(f"{param}.{value}", language) or value
    for param, kind in NAMED.items():
        names = params.get(param)
        if isinstance(names, list):
            derived[param] = [_display_name(kind, name, language, params) for name in names]
            if kind == "gate" and (all_of_them := ALL_GATES.get("".join(sorted(map(str, names))))):
                derived[param] = _own().text(all_of_them, language)
        elif isinstance(names, str):
            derived[param] = _display_name(kind, names, language, params)
    return derived


def _display_name(kind: str, name: object, language: str, params: Mapping[str, object]) -> object:
    return _own().find(f"{kind}.{name}", language, **params) or name


def place_of(frame: Mapping[str, Any], language: str) -> str:
    """Name the place of a traceback's frame: a cell of the notebook, or the file."""
    if CELL.fullmatch(frame["file"]):
        return _place(language, frame["line"], frame["file"])
    return _own().text("report.frame", language, file=frame["file"], line=frame["line"])


def _place(language: str, line: object, file: object) -> str:
    if line is None:
        return _own().text("ui.place_unknown", language)
    cell = CELL.fullmatch(file) if isinstance(file, str) else None
    if cell is None:
        return _own().text("ui.place_line", language, line=line)
    return _own().text("ui.place_cell", language, cell=cell[1], line=line)


def _formatted(name: str, value: object, language: str) -> str:
    """Format a parameter for a sentence."""
    if isinstance(value, list | tuple):
        # A number may contain a comma.
        between = "; " if any(isinstance(item, float) for item in value) else ", "
        items = [_printable(_scalar(name, item, language)) for item in islice(value, VALUE_CHARACTERS)]
        return _joined(items, between, len(value)) or "—"
    return _printable(_scalar(name, value, language)) or "—"


def _joined(items: list[str], between: str, count: int) -> str:
    """Join as many of `count` items as fit, and mark what is left out."""
    while len(between.join(items)) > VALUE_CHARACTERS and len(items) > 1:
        items.pop()
    return between.join(items if len(items) == count else [*items, "…"])


def _scalar(name: str, value: object, language: str) -> str:
    if isinstance(value, str):
        return _moment(value, language) if name.endswith("_at") else value[: VALUE_CHARACTERS + 1]
    if isinstance(value, int) and abs(value) < 10**18:
        return number(value / 1_000_000, language, ROUGH) if name.endswith("bytes") else true_minus(str(value))
    if isinstance(value, float):
        return number(value, language, ROUGH if name in ROUGHLY else EXACT)
    is_number = name in ("actual", "expected")
    return _own().text("report.not_finite", language) if value is None and is_number else "?"


def _moment(value: str, language: str) -> str:
    try:
        return moment(value, language)
    except ValueError:
        return value[: VALUE_CHARACTERS + 1]


def _printable(text: str) -> str:
    if len(text) > VALUE_CHARACTERS:
        kept = text[: VALUE_CHARACTERS - 1]
        space = kept.rfind(" ")  # not inside a word, if a space is near the end
        text = f"{kept[: space if space > VALUE_CHARACTERS * 3 // 4 else None]}…"
    return "".join(
        char if char.isprintable() or char == NO_BREAK else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
