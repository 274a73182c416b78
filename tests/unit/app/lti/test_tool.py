"""The service as platforms read it: the JSON of Canvas, and the values for forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from app.lti.registration.kinds import FORMS
from tests.platforms.registrar import SCOPES
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import browser

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[4]
TEXT = {"type": "string", "minLength": 1}
URL = {"type": "string", "pattern": "^https?://"}
#: Canvas, doc/api/lti_dev_key_config.md and lib/schemas/lti_configuration.rb; the placements that take Deep Linking are
#: in app/models/lti/resource_placement.rb.
CANVAS: dict[str, Any] = {
    "type": "object",
    "required": ["title", "description", "target_link_uri", "oidc_initiation_url", "public_jwk_url"],
    "additionalProperties": False,
    "properties": {
        "title": TEXT,
        "description": TEXT,
        "target_link_uri": URL,
        "oidc_initiation_url": URL,
        "public_jwk_url": URL,
        "scopes": {"type": "array", "items": {"enum": SCOPES}, "minItems": 1},
        "custom_fields": {"type": "object", "additionalProperties": {"type": "string"}},
        "extensions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["platform", "settings"],
                "additionalProperties": False,
                "properties": {
                    "platform": {"const": "canvas.instructure.com"},
                    "domain": {"type": "string", "pattern": "^[A-Za-z0-9.-]+(:[0-9]{1,5})?$"},
                    "tool_id": TEXT,
                    "privacy_level": {"enum": ["public", "name_only", "email_only", "anonymous"]},
                    "settings": {
                        "type": "object",
                        "required": ["placements"],
                        "additionalProperties": False,
                        "properties": {
                            "text": TEXT,
                            "icon_url": URL,
                            "placements": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "object",
                                    "required": ["placement"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "placement": {
                                            "enum": ["assignment_selection", "link_selection", "editor_button"]
                                        },
                                        "message_type": {"const": "LtiDeepLinkingRequest"},
                                        "target_link_uri": URL,
                                        "text": TEXT,
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


async def test_canvas_can_read_its_json(service: Service) -> None:
    for language in ("en", "ru"):
        async with browser(service, **{"Accept-Language": language}) as canvas:
            answer = await canvas.get("/lti/canvas.json")
        # Canvas refuses any other type.
        assert answer.headers["content-type"] == "application/json"
        document = answer.json()
        validate(document, CANVAS)
    assert document["oidc_initiation_url"] == "http://grader.test/lti/login"
    assert document["public_jwk_url"] == "http://grader.test/lti/keys"
    assert document["scopes"] == SCOPES


async def test_admin_copies_each_platforms_own_fields(service: Service) -> None:
    async with service.browser() as admin:
        shown = (await admin.get("/platforms")).text
    for platform, form in FORMS.items():
        assert f"<summary>{platform}</summary>" in shown
        assert form.menu in shown
        assert (ROOT / form.document).is_file()
        for field, _ in form.fields:
            assert f'<dt lang="en">{field}</dt>' in shown
    for value in (
        "http://grader.test/lti/canvas.json",
        "http://grader.test/lti/open",
        ">grader.test<",
        "[&#34;http://grader.test/lti/launch&#34;]",
    ):
        assert value in shown
    # Buttons that copy need a script; without it a click selects the text.
    assert shown.count("data-copy=") == sum(len(form.fields) for form in FORMS.values())
