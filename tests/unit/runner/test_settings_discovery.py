"""Settings are made of what a constructor asks for."""

import json
from typing import Any

import pytest


def _read(construct: Any, *, as_text: bool = False) -> Any:
    from driver.construction.settings_discovery import discover_settings

    return discover_settings(construct, 11, lambda path: 0.5 if path[-1] == "rate" else len(path), as_text=as_text)


@pytest.mark.parametrize(
    ("construct", "settings"),
    [
        (lambda c: c["units"], {"units": 1}),
        (lambda c: c["lstm"]["units"], {"lstm": {"units": 2}}),
        (lambda c: (c.model.hid, c.model.emb, c.rate), {"model": {"hid": 2, "emb": 2}, "rate": 0.5}),
        (lambda c: c.get("lstm", {}).get("units", 8), {"lstm": {"units": 2}}),
        (lambda c: c["layers"][0]["units"], {"layers": [{"units": 2}]}),
        (lambda c: c["sizes"][-2], {"sizes": [1, 1]}),
        (lambda c: c["units"] if "units" in c else c["hidden"], {"units": 1}),
    ],
)
def test_a_program_that_is_asked_for_is_there(construct, settings):
    assert _read(construct) == settings


def test_code_that_raises_later_has_still_shown_its_reads():
    assert _read(lambda c: c["lstm"]["units"] / 0) == {"lstm": {"units": 2}}


def test_a_text_is_made_of_what_is_read_out_of_it():
    text = _read(lambda text: json.loads(text)["lstm"]["units"], as_text=True)
    assert json.loads(text) == {"lstm": {"units": 2}}


def test_other_texts_are_parsed_as_ever_and_the_parser_is_given_back():
    decoder = json._default_decoder  # type: ignore[attr-defined]
    seen = []
    _read(lambda text: (seen.append(json.loads("[1]")), json.loads(text)["a"]), as_text=True)
    assert seen == [[1]]
    assert json._default_decoder is decoder  # type: ignore[attr-defined]


def test_nothing_is_made_of_nothing():
    with pytest.raises(LookupError):
        _read(lambda c: None)
    with pytest.raises(LookupError):
        _read(lambda c: c + 1)
