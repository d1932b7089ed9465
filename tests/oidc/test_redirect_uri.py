"""Where answers may go: exact match, RFC 9700 §2.1 and §4.1; RFC 8252 §7.3 for native applications."""

import agent as browsers
import pytest

pytestmark = pytest.mark.bcp("redirect-exact")
GOOD = "https://web.test/cb"

WRONG = {
    "another host": "https://evil.test/cb",
    "a subdomain": "https://www.web.test/cb",
    "a longer host": "https://web.test.evil.test/cb",
    "a host before": "https://evilweb.test/cb",
    "plain http": "http://web.test/cb",
    "a port": "https://web.test:8443/cb",
    "the default port": "https://web.test:443/cb",
    "a trailing slash": GOOD + "/",
    "a longer path": GOOD + "/more",
    "a shorter path": "https://web.test/",
    "no path": "https://web.test",
    "path traversal": GOOD + "/../evil",
    "encoded traversal": GOOD + "/%2e%2e/evil",
    "backslash traversal": GOOD + "\\..\\evil",
    "a dot segment": "https://web.test/./cb",
    "a double slash": "https://web.test//cb",
    "an encoded letter": "https://web.test/c%62",
    "a capital in the path": "https://web.test/CB",
    "a capital in the host": "https://WEB.test/cb",
    "a capital in the scheme": "HTTPS://web.test/cb",
    "an extra query": GOOD + "?a=b",
    "an empty query": GOOD + "?",
    "a query with a code": GOOD + "?code=evil",
    "a fragment": GOOD + "#evil",
    "an empty fragment": GOOD + "#",
    "user information": "https://evil@web.test/cb",
    "user information before": "https://web.test@evil.test/cb",
    "user and password": "https://web.test:x@evil.test/cb",
    "a backslash for the host": "https://evil.test\\@web.test/cb",
    "an encoded slash": "https://evil.test%2f@web.test/cb",
    "a space after": GOOD + " ",
    "a space before": " " + GOOD,
    "a tab within": "https://web.test/\tcb",
    "a line break": GOOD + "\r\nSet-Cookie: a=b",
    "a zero byte": GOOD + "\x00",
    "a semicolon": GOOD + ";a=b",
    "javascript": "javascript:alert(1)//web.test/cb",
    "data": "data:text/html,web.test/cb",
    "no scheme": "//web.test/cb",
    "a path alone": "/cb",
    "a star": "https://*.test/cb",
    "a full-width dot": "https://web。test/cb",
    "a homoglyph": "https://wеb.test/cb",
    "very long": GOOD + "/" + "a" * 3000,
    "another client's": "https://other.test/cb",
}


def shown_as_error(journey):
    """An error page: not a redirect to anywhere, no link to the unproven place."""
    assert journey.callback is None and not journey.last.is_redirect, journey
    assert 400 <= journey.last.status < 500, journey
    assert not journey.asked, "the user was asked before the place was known to be right"


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("prompt", ["login", "none"])
def test_unregistered(web, wrong, prompt):
    """RFC 6749 §3.1.2.4, §4.1.2.1: the user is told, and is not sent anywhere."""
    journey = web.ask(web.browser(), web.parameters(redirect_uri=WRONG[wrong], prompt=None if prompt == "login" else prompt))
    shown_as_error(journey)
    place = WRONG[wrong]
    assert len(place) < 8 or f'href="{place}' not in journey.last.text, "a link to the unproven place"


@pytest.mark.parametrize("error", ["response_type", "scope", "code_challenge", "request"])
def test_errors_go_nowhere_unproven(web, error):
    """RFC 6749 §4.1.2.1, RFC 9700 §4.11: an error of another parameter is no reason to redirect there, either."""
    bent = {"response_type": "token", "scope": "\x01", "code_challenge": "x", "request": "a.b.c"}[error]
    shown_as_error(web.ask(web.browser(), web.parameters(redirect_uri="https://evil.test/cb", **{error: bent})))


def test_unregistered_by_post(web):
    """RFC 6749 §3.1: POST is no way around."""
    shown_as_error(web.ask(web.browser(), web.parameters(redirect_uri="https://evil.test/cb"), "POST"))


@pytest.mark.parametrize("order", ["good first", "bad first"])
def test_two_redirects(web, order):
    """RFC 6749 §3.1: a parameter comes once; told by a page, or to the only place that is registered."""
    both = [("redirect_uri", GOOD), ("redirect_uri", "https://evil.test/cb")]
    fields = browsers.pairs(web.parameters(redirect_uri=None)) + (both if order == "good first" else both[::-1])
    journey = web.ask(web.browser(), fields)
    if journey.callback is None:
        shown_as_error(journey)
    else:
        assert journey.redirect.split("?")[0] == GOOD and journey.callback["error"] == "invalid_request", journey


@pytest.mark.parametrize("empty", ["", None])
def test_missing(web, empty):
    """OIDC Core §3.1.2.1, RFC 6749 §3.1, §3.1.2.3: refused, or the only registered place; empty is as if it were absent."""
    fields = browsers.pairs(web.parameters(redirect_uri=None)) + ([("redirect_uri", "")] if empty == "" else [])
    journey = web.ask(web.browser(), fields)
    if journey.callback is None:
        assert 400 <= journey.last.status < 500 or journey.last.forms(), journey
    else:
        assert journey.redirect.split("?")[0] == GOOD, journey


def test_missing_with_several(rp):
    """RFC 6749 §3.1.2.3: with several registered the request must say which."""
    many = rp("many")
    shown_as_error(many.ask(many.browser(), many.parameters(redirect_uri=None)))


@pytest.mark.parametrize("index", [0, 1])
def test_each_registered_one(rp, index):
    """RFC 6749 §3.1.2.3: every registered place works."""
    many = rp("many")
    journey = many.authorize(redirect_uri=many.client.redirects[index])
    assert journey.redirect.split("?")[0] == many.client.redirects[index]
    assert many.good(many.redeem(journey))


def test_query_of_the_client_stays(rp):
    """RFC 6749 §3.1.2: a query of the registered place is kept, the answer is added."""
    one = rp("query")
    journey = one.authorize()
    assert journey.redirect.startswith("https://query.test/cb?tenant=a&") and journey.callback["code"]
    assert one.good(one.redeem(journey))


@pytest.mark.parametrize("place", ["https://query.test/cb", "https://query.test/cb?tenant=b", "https://query.test/cb?tenant=a&b=c"])
def test_query_is_part_of_it(rp, place):
    """RFC 9700 §2.1: compared with its query."""
    one = rp("query")
    shown_as_error(one.ask(one.browser(), one.parameters(redirect_uri=place)))


@pytest.mark.bcp("redirect-loopback")
@pytest.mark.parametrize("port", [":1024", ":51004", ":65535", ""])
def test_loopback_port(rp, port):
    """RFC 8252 §7.3: any port of the loopback address, chosen at the time of the request."""
    native = rp("native")
    journey = native.authorize(redirect_uri=f"http://127.0.0.1{port}/cb")
    assert journey.redirect.split("?")[0] == f"http://127.0.0.1{port}/cb"
    assert native.good(native.redeem(journey))["id_token"]


@pytest.mark.bcp("redirect-loopback")
@pytest.mark.parametrize(
    "place",
    [
        "http://localhost:51004/cb", "http://127.0.0.2:51004/cb", "http://[::1]:51004/cb", "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:51004/other", "http://127.0.0.1:51004/cb/", "http://127.0.0.1:51004/cb?x=y",
        "http://127.0.0.1:51004@evil.test/cb", "http://evil.test:51004/cb", "http://127.0.0.1.evil.test:51004/cb",
        "http://127.0.0.1:99999/cb", "http://127.0.0.1:0x50/cb", "http://127.0.0.1:51004#/cb", "http://2130706433:51004/cb",
    ],
)  # fmt: skip
def test_only_the_port_is_free(rp, place):
    """RFC 8252 §7.3, RFC 9700 §2.1: nothing but the port may differ."""
    native = rp("native")
    shown_as_error(native.ask(native.browser(), native.parameters(redirect_uri=place)))


def test_port_is_no_exception_elsewhere(rp):
    """RFC 9700 §2.1: the exception is the loopback's, not every client's."""
    other = rp("other")
    shown_as_error(other.ask(other.browser(), other.parameters(redirect_uri="https://other.test:8443/cb")))


@pytest.mark.bcp("redirect-loopback")
def test_loopback_code_keeps_its_port(rp):
    """RFC 6749 §4.1.3: at the token endpoint the place is that of the request, with its port."""
    native = rp("native")
    journey = native.authorize(redirect_uri="http://127.0.0.1:51004/cb")
    assert native.redeem(journey, redirect_uri="http://127.0.0.1:51005/cb").refusal() == "invalid_grant"
