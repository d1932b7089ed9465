"""The device authorization grant, RFC 8628."""

import re
import time

import agent as browsers
import proofs
import pytest
import registry
import targets

PENDING = "authorization_pending"


@pytest.fixture
def tv(rp):
    return rp("tv")


def begin(rp, **fields):
    answer = rp.post("device_authorization", {"scope": "openid offline_access", **fields})
    assert answer.status == 200, answer
    return answer.json()


def poll(rp, begun, **options):
    return rp.token(registry.DEVICE, device_code=begun["device_code"], **options)


def code_page(rp, browser, begun, complete=False):
    journey = browsers.Journey(browser, targets.origin(rp.target.issuer))
    journey.take(browser.get(begun["verification_uri_complete" if complete else "verification_uri"]))
    return journey


def code_form(journey):
    return next((form for form in journey.last.forms() if form.has("user_code")), None)


def enter(rp, browser, journey, user_code, user="alice", decision="allow"):
    """Types the code in, after the login if that comes first; goes through what the provider asks."""
    alice = rp.target.users[user] if user else None
    if code_form(journey) is None:
        journey.go(alice, None)
    form = code_form(journey)
    assert form, f"no page with a field user_code: {journey!r}"
    journey.take(browser.submit(form, {"user_code": user_code}, next(iter(form.buttons), None)))
    return journey.go(alice, decision)


def test_begin(tv):
    """RFC 8628 §3.2: codes, an address for the user, a lifetime; not cached."""
    answer = tv.post("device_authorization", {"scope": "openid"})
    assert answer.status == 200 and "no-store" in answer.header("cache-control"), answer
    body = answer.json()
    assert body["verification_uri"].startswith("https://") and "?" not in body["verification_uri"]
    assert 0 < body["expires_in"] <= 1800 and 1 <= body.get("interval", 5) <= 10
    assert len(body["device_code"]) >= 22
    letters = re.sub(r"[^A-Za-z0-9]", "", body["user_code"])
    assert 6 <= len(letters) <= 16, body["user_code"]
    if "verification_uri_complete" in body:
        assert browsers.query_of(body["verification_uri_complete"])


def test_user_code_is_easy_to_type(tv):
    """RFC 8628 §6.1: letters that aren't confused, and codes that differ."""
    codes = {begin(tv)["user_code"] for _ in range(5)}
    assert len(codes) == 5
    letters = set("".join(codes).replace("-", "").replace(" ", ""))
    assert not letters & set("0O1Il") and not (any(map(str.islower, letters)) and any(map(str.isupper, letters)))


def test_whole_flow(tv):
    """RFC 8628 §3.3-3.5: the user types the code and agrees; the device gets its tokens, once."""
    begun = begin(tv)
    assert poll(tv, begun).refusal() == PENDING
    browser = tv.browser()
    journey = enter(tv, browser, code_page(tv, browser, begun), begun["user_code"])
    assert journey.last.status == 200 and journey.last.is_page, journey
    wait(begun)
    body = tv.good(poll(tv, begun))
    assert tv.id_token(body["id_token"])["sub"] and tv.is_alive(body["access_token"]) and body["refresh_token"]
    assert tv.good(tv.refresh(body["refresh_token"]))["access_token"]
    assert poll(tv, begun).refusal() in ("invalid_grant", "expired_token", "slow_down")


def wait(begun):
    """Between two polls: what the provider said, at least."""
    time.sleep(begun.get("interval", 5) + 0.1)


def test_complete_address(tv):
    """RFC 8628 §3.3.1: with the code in the address the user still confirms."""
    begun = begin(tv)
    if "verification_uri_complete" not in begun:
        return
    browser = tv.browser()
    journey = code_page(tv, browser, begun, complete=True)
    assert not journey.asked, "nobody agreed yet"
    for _ in range(2):
        form = code_form(journey)
        if form is None:
            journey.go(tv.target.users["alice"], None)
            form = code_form(journey)
        if form and any(value for name, value, _ in form.fields if name == "user_code"):
            journey.take(browser.submit(form, {}, next(iter(form.buttons), None)))
    journey.go(tv.target.users["alice"])
    assert tv.good(poll(tv, begun))["access_token"]


def test_denied(tv):
    """RFC 8628 §3.5: `access_denied`."""
    begun = begin(tv)
    browser = tv.browser()
    enter(tv, browser, code_page(tv, browser, begun), begun["user_code"], decision="deny")
    assert poll(tv, begun).refusal() == "access_denied"


def test_too_fast(tv):
    """RFC 8628 §3.5: who polls faster than the interval is told to `slow_down`."""
    begun = begin(tv)
    errors = [poll(tv, begun).refusal() for _ in range(4)]
    assert errors[0] in (PENDING, "slow_down") and "slow_down" in errors[1:]
    assert set(errors) <= {PENDING, "slow_down"}


def test_expired(hasty_rp):
    """RFC 8628 §3.5: `expired_token`."""
    tv = hasty_rp("tv")
    begun = begin(tv)
    tv.target.outlive("device", begun["expires_in"])
    assert poll(tv, begun).refusal() == "expired_token"
    browser = tv.browser()
    journey = enter(tv, browser, code_page(tv, browser, begun), begun["user_code"], user="alice")
    assert not journey.callback and poll(tv, begun).refusal() in ("expired_token", "invalid_grant", "slow_down")


def test_code_of_another_client(tv, rp):
    """RFC 8628 §3.4: a device code works for its client."""
    begun = begin(tv)
    answer = rp("web").token(registry.DEVICE, device_code=begun["device_code"])
    assert answer.refusal() in ("invalid_grant", "unauthorized_client", "invalid_request")


@pytest.mark.parametrize("code", [None, "", "x", "A" * 43, "\x00", "x" * 20000], ids=range(6))
def test_no_such_device_code(tv, code):
    """RFC 6749 §5.2: `invalid_grant`, or `invalid_request` when it is missing."""
    answer = tv.token(registry.DEVICE, device_code=code)
    assert answer.status == 413 or answer.refusal() in ("invalid_grant", "invalid_request", "expired_token")


def test_user_code_is_no_device_code(tv):
    """RFC 8628 §5.2: what the user sees is no credential of the device."""
    begun = begin(tv)
    assert tv.token(registry.DEVICE, device_code=begun["user_code"]).refusal() in ("invalid_grant", "invalid_request")


def test_wrong_user_codes(tv):
    """RFC 8628 §5.1: wrong codes are refused alike, and guessing is slowed or stopped."""
    begun = begin(tv)
    browser = tv.browser()
    for wrong in ("ZZZZ-ZZZZ", "x", "", "A" * 500, "<script>", "' or 1=1"):
        journey = code_page(tv, browser, begun)
        if code_form(journey) is None:
            journey.go(tv.target.users["alice"], None)
        form = code_form(journey)
        if form is None:
            break
        answer = browser.submit(form, {"user_code": wrong}, next(iter(form.buttons), None))
        assert answer.status < 500 and "<script>" not in answer.text.replace("<script nonce", ""), answer
        if answer.status == 429:
            break
    assert poll(tv, begun).refusal() in (PENDING, "slow_down")


@pytest.mark.parametrize("shape", ["lower", "without the dash", "with spaces"])
def test_user_code_as_people_type(tv, shape):
    """RFC 8628 §6.1: case and punctuation don't count."""
    begun = begin(tv)
    code = begun["user_code"]
    typed = {"lower": code.lower(), "without the dash": code.replace("-", ""), "with spaces": f" {code} "}[shape]
    browser = tv.browser()
    enter(tv, browser, code_page(tv, browser, begun), typed)
    assert tv.good(poll(tv, begun))["access_token"]


def test_code_for_one_user(tv, rp):
    """RFC 8628 §5: a user code that was used does nothing for the next."""
    begun = begin(tv)
    one, two = tv.browser(), tv.browser()
    enter(tv, one, code_page(tv, one, begun), begun["user_code"], "alice")
    enter(tv, two, code_page(tv, two, begun), begun["user_code"], "bob")
    body = tv.good(poll(tv, begun))
    web = rp("web")
    assert tv.id_token(body["id_token"])["sub"] == web.id_token(web.tokens("alice")["id_token"])["sub"]


def test_client_without_the_grant(rp):
    """RFC 8628 §3.1, RFC 6749 §5.2: not for every client."""
    assert rp("web").post("device_authorization", {"scope": "openid"}).refusal() in ("unauthorized_client", "invalid_client", "invalid_request")


@pytest.mark.parametrize("fields", [{"client_id": "nosuch"}, {"client_id": ""}], ids=str)
def test_unknown_client(tv, fields):
    """RFC 8628 §3.1: `invalid_client`."""
    assert tv.post("device_authorization", {"scope": "openid", **fields}, None).refusal() in ("invalid_client", "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_post(tv, method):
    """RFC 8628 §3.1: POST."""
    url = browsers.with_query(tv.metadata["device_authorization_endpoint"], {"client_id": "tv", "scope": "openid"})
    assert tv.http.send(method, url, None if method == "GET" else b"").status in (404, 405)


def test_pages_refuse_frames(tv):
    """RFC 8628 §5.4, RFC 9700 §4.16: the code page is in no frame."""
    begun = begin(tv)
    answer = code_page(tv, tv.browser(), begun).last
    assert "frame-ancestors 'none'" in (answer.header("content-security-policy") or "") or answer.header("x-frame-options"), answer


def test_dpop_bound(tv):
    """RFC 9449 §5: the proof at the poll binds the device's tokens."""
    begun = begin(tv)
    browser = tv.browser()
    enter(tv, browser, code_page(tv, browser, begun), begun["user_code"])
    key = proofs.Key()
    proof = proofs.dpop(key, "POST", tv.metadata["token_endpoint"])
    body = tv.good(poll(tv, begun, headers={"DPoP": proof}))
    assert body["token_type"] == "DPoP" and tv.userinfo(body["access_token"]).status == 401
