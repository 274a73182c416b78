"""The service as platforms read it: the JSON of Canvas, and the values for forms."""

from pathlib import Path

from app.lti.registration.kinds import FORMS
from tests.platforms.registrar import SCOPES
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import browser

ROOT = Path(__file__).parents[4]


async def test_canvas_can_read_its_json(service: Service) -> None:
    """Source: Canvas, doc/api/lti_dev_key_config.md and lib/schemas/lti_configuration.rb."""
    async with browser(service) as canvas:
        answer = await canvas.get("/lti/canvas.json")
    # Canvas refuses any other type.
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["title"]
    assert document["description"]
    assert document["target_link_uri"] == "http://grader.test/lti/open"
    assert document["oidc_initiation_url"] == "http://grader.test/lti/login"
    assert document["public_jwk_url"] == "http://grader.test/lti/keys"
    assert document["scopes"] == SCOPES
    (extension,) = document["extensions"]
    assert (extension["platform"], extension["domain"]) == ("canvas.instructure.com", "grader.test")
    assert extension["privacy_level"] == "public"
    for placement in extension["settings"]["placements"]:
        assert placement["message_type"] == "LtiDeepLinkingRequest"
        assert placement["target_link_uri"] == "http://grader.test/lti/open"
    # Both take Deep Linking (app/models/lti/resource_placement.rb).
    placements = [each["placement"] for each in extension["settings"]["placements"]]
    assert placements == ["assignment_selection", "link_selection"]


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


async def test_tool_opened_without_a_platform_says_so(service: Service) -> None:
    async with browser(service) as client:
        assert "from your course" in (await client.get("/lti/open")).text
