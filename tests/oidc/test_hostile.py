"""Bad input at every endpoint: malformed, oversized, repeated, contradictory: the protocol's own error and no more."""

import os
import random

import agent as browsers
import pytest

POSTED = ["token", "introspection", "revocation", "pushed_authorization_request", "device_authorization"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
INSIDE = ("Traceback", "node_modules", ".cc:", "    at ", "std::", "SQLITE", "syntax error at", "basic_string")


def decent(answer, endpoint):
    """A client error without anything of the inside; introspection and revocation may say that it is no token."""
    if answer.status == 200:
        assert endpoint == "revocation" or (endpoint == "introspection" and answer.json() == {"active": False}), answer
    else:
        assert 400 <= answer.status < 500, answer
    assert not any(word in answer.text for word in INSIDE), answer


BODIES = {
    "nothing": b"", "not a form": b"\x00\x01\x02\xff\xfe", "broken escapes": b"grant_type=%zz&token=%", "only separators": b"&" * 2000,
    "no value": b"grant_type&token&client_id", "only values": b"=a&=b", "many fields": b"&".join(b"f%d=1" % n for n in range(3000)),
    "same field": b"&".join([b"token=x"] * 1000), "bad utf-8": b"grant_type=%ff%fe&token=%c0%80&client_id=%ed%a0%80",
    "overlong": b"grant_type=%c1%a1", "nul": b"grant_type=client_credentials%00&token=%00", "long name": b"x" * 60000 + b"=1",
    "long value": b"token=" + b"x" * 500000, "json": b'{"grant_type":"client_credentials"}', "xml": b"<?xml version='1.0'?><a/>",
    "multipart": b"--x\r\nContent-Disposition: form-data; name=token\r\n\r\nx\r\n--x--", "arrays": b"token[]=a&token[0]=b&token.x=c",
    "prototype": b"__proto__[x]=1&constructor.prototype.y=2", "semicolons": b"grant_type=client_credentials;client_id=web",
    "plus": b"+grant_type+=+client_credentials+", "sql": b"token=' OR 1=1--&client_id=web'--", "line breaks": b"token=a%0d%0aSet-Cookie:%20x=y",
}  # fmt: skip


@pytest.mark.parametrize("endpoint", POSTED)
@pytest.mark.parametrize("body", BODIES)
def test_bodies(web, endpoint, body):
    """RFC 6749 §3.2, §5.2: with good credentials and a bad body."""
    head = {**web.credentials()[1], **FORM}
    try:
        answer = web.http.send("POST", web.metadata[f"{endpoint}_endpoint"], BODIES[body], head)
    except OSError:
        return  # cut off while it was sent
    decent(answer, endpoint)
    assert "x=y" not in str(answer.all("set-cookie"))


@pytest.mark.parametrize("endpoint", POSTED)
@pytest.mark.parametrize("kind", ["application/json", "text/html", "multipart/form-data", "application/x-www-form-urlencoded; charset=utf-16", ""])
def test_types(web, endpoint, kind):
    """RFC 6749 §3.2: forms and nothing else; an error, not a guess."""
    head = {**web.credentials()[1], "Content-Type": kind}
    answer = web.http.send("POST", web.metadata[f"{endpoint}_endpoint"], b"token=x", head)
    decent(answer, endpoint)


@pytest.mark.parametrize("endpoint", POSTED)
def test_random_bodies(web, endpoint):
    """Bad input: a hundred random bodies; the seed is in the failure."""
    seed = int(os.environ.get("OIDC_SEED", random.randrange(2**32)))
    dice = random.Random(seed)
    names = ["grant_type", "token", "client_id", "code", "scope", "refresh_token", "resource", "request_uri", "device_code", "redirect_uri"]
    alphabet = "abcXYZ019%&=+ \x00\"'<>;,.[]{}:/\\é€😀"
    head = {**web.credentials()[1], **FORM}
    for _ in range(20):
        fields = [(dice.choice(names), "".join(dice.choice(alphabet) for _ in range(dice.randrange(40)))) for _ in range(dice.randrange(8))]
        body = browsers.urllib.parse.urlencode(fields).encode()
        answer = web.http.send("POST", web.metadata[f"{endpoint}_endpoint"], body, head)
        assert answer.status < 500, (seed, answer)


@pytest.mark.parametrize("path", ["/nosuch", "/.well-known/nosuch", "/.well-known/", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/token/", "/%00",
                                  "/" + "a" * 5000, "//evil.test/", "/authorize%0d%0aX:%20y"])  # fmt: skip
def test_paths(web, path):
    """RFC 9110 §15.5: paths that are none of ours: a client error, no redirect away."""
    answer = web.http.get(web.target.issuer + path)
    assert 400 <= answer.status < 500, answer
    assert not any(word in answer.text for word in INSIDE)


@pytest.mark.parametrize("name, value", [
    ("Authorization", "x" * 9000), ("Cookie", "a=" + "b" * 9000), ("Cookie", "; ".join(f"c{n}=1" for n in range(400))), ("Cookie", "=;;=\x01"),
    ("DPoP", "x" * 9000), ("Accept-Language", "de;q=2," * 500), ("Accept", "*" * 500), ("Origin", "null"), ("X-Forwarded-Host", "evil.test"),
    ("Forwarded", "host=evil.test;proto=http"), ("X-Forwarded-Proto", "http"), ("X-Original-URL", "/admin"), ("X-HTTP-Method-Override", "DELETE"),
], ids=range(13))  # fmt: skip
def test_header_fields(web, name, value):
    """Bad input: header fields that are too long, too many, or claim another host."""
    browser = web.browser()
    answer = browser.get(web.metadata["authorization_endpoint"], web.parameters(), {name: value})
    assert answer.status < 500, answer
    assert "evil.test" not in answer.text + str(answer.fields), answer
    document = browser.get(web.target.issuer + "/.well-known/openid-configuration", (), {name: value})
    assert document.status < 500 and "evil.test" not in document.text, document


def test_line_ends_in_a_posted_request(web):
    """RFC 9110 §5.5, CWE-113: what is posted comes back in a Location, and must not begin a header of its own there."""
    body = "&".join(f"{name}={value}" for name, value in (("client_id", web.client.id), ("state", "s\r\nset-cookie: stolen=1\r\nx: y")))
    answer = web.browser().send("POST", web.metadata["authorization_endpoint"], body.encode(), FORM)
    assert answer.status < 500 and not any("stolen" in value for value in answer.all("set-cookie")), answer
    assert "\r" not in (answer.location or "") and "\n" not in (answer.location or ""), answer


def test_still_alive(web):
    """After all that, a flow works."""
    assert web.tokens()["id_token"]
