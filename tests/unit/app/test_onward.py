"""The browser stays on this service, whoever names the page to go on with."""

import re
from urllib.parse import quote, urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from app.onward import HOME, mail_target, onward

ORIGIN = "https://grader.example.org"
#: Addresses that lead elsewhere, or may in some browser, and those that are no address.
BAD = (
    "",
    "https://evil.example.org",
    "//evil.example.org",
    "/\\evil.example.org",
    "\\/evil.example.org",
    "/x\\..\\..\\\\evil.example.org",
    "/\t/evil.example.org",
    "/\x00/evil.example.org",
    "/a b",
    "/x\r\nSet-Cookie: a=b",
    "/\N{FULLWIDTH SOLIDUS}evil.example.org",
    "/\ud800",
    "JaVaScRiPt:alert(1)",
    "/" + "x" * 1001,
)
LOCAL = (
    "/",
    "/submissions/01ksvh1y8gk3v0q4m2z7c9x5ab?lang=ru#conversation",
    "/join/Sec_ret-1",
    "/?course=x&to=https://evil.example.org",
    "/courses?q=%2F%2Fevil.example.org",
    "/entering",
    "/tasks",
)
PIECES = ("/", "//", "\\", ":", ".", "..", "@", "?", "#", "%2f", "%5c", "\t", "\r\n", " ", "\x00", "https:", "evil.org")
OURS = ("enter?next=", "t", "lti", "a", "é")
PLACES = st.lists(st.sampled_from([*PIECES, *OURS]), max_size=10).map("".join) | st.text(max_size=30)


def read_by_browser(address: str) -> str:
    """As the URL Standard reads it: the ends are stripped, tabs and line breaks dropped, a backslash is a slash."""
    return re.sub("[\t\r\n]", "", address.strip("".join(map(chr, range(33))))).replace("\\", "/")


def test_no_address_but_one_of_this_service_is_gone_to():
    gone_to = {}
    for address in BAD:
        inside = f"/enter?next={quote(address.encode('utf-8', 'surrogatepass'))}"
        gone_to[address] = {onward(address), onward(inside), mail_target(address)}
    assert {address: places for address, places in gone_to.items() if places != {HOME}} == {}


def test_address_of_this_service_is_gone_to():
    assert [onward(address) for address in LOCAL] == [*LOCAL]


def test_way_in_is_no_place_to_go_to_and_leads_to_the_one_that_it_names():
    for path in ("/enter", "/leave", "/link", "/oidc/start", "/oidc/callback"):
        assert onward(path) == onward(f"{path}?token=x") == HOME, path
        assert onward(f"{path}?next=%2Fsubmissions%2Fx&token=y") == "/submissions/x", path
    assert onward("/enter?next=" * 80 + "/x") == "/x"


def test_page_of_a_frame_or_of_a_launch_is_no_place_to_go_to():
    for path in (f"/t/{'x' * 43}/courses/x", "/t/x", "/lti/window", "/lti/login?next=%2F%2Fevil"):
        assert onward(path) == mail_target(path) == HOME, path


def test_mail_has_no_words_of_strangers():
    page = "/courses/01ksvh1y8gk3v0q4m2z7c9x5ab/assignments/lstm-layer"
    assert mail_target(page) == page
    for words in ("/evil.example.org", "/Free", "/a?b=c", "/a%20b", "/" + "x" * 65, "/x" * 9):
        assert mail_target(words) == HOME


@given(PLACES)
def test_place_that_people_are_sent_to_is_always_on_this_service(address):
    for place in (onward(address), onward(f"/{address}"), mail_target(address)):
        assert place.startswith("/")
        assert place.isascii()
        assert place.isprintable()
        for read in (place, read_by_browser(place)):
            parts = urlsplit(urljoin(f"{ORIGIN}/enter", read))
            assert (f"{parts.scheme}://{parts.netloc}", read) == (ORIGIN, place)
        assert onward(place) == place
        assert place.split("/")[1] not in ("t", "lti")
