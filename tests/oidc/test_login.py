"""Authentication of the user as the client asks for it: prompt, max_age, hints, claims. OIDC Core §3.1.2, RFC 9470."""

import time

import proofs
import pytest
import relying

SILENT_ERRORS = ("login_required", "interaction_required", "consent_required", "account_selection_required")


def auth_time(rp, journey):
    return rp.id_token(rp.good(rp.redeem(journey))["id_token"])["auth_time"]


def next_second():
    """auth_time counts seconds: what is to be later must wait for the next one."""
    time.sleep(1 - time.time() % 1 + 0.05)


def test_none_without_a_session(web):
    """OIDC Core §3.1.2.6: `login_required`, and no page."""
    journey = web.authorize(prompt="none")
    assert relying.error_of(journey) == "login_required" and not journey.asked


def test_none_with_a_session(web):
    """OIDC Core §3.1.2.1: silent when the user is signed in and has agreed."""
    browser = web.browser()
    first = web.authorize(browser=browser)
    again = web.authorize(browser=browser, prompt="none")
    assert again.asked == [] and again.callback["code"] != first.callback["code"]
    one, two = (web.id_token(web.good(web.redeem(journey))["id_token"]) for journey in (first, again))
    assert one["sub"] == two["sub"] and one.get("auth_time") == two.get("auth_time")


def test_none_without_consent(rp):
    """OIDC Core §3.1.2.6: signed in, but never asked for this client: `consent_required` or `interaction_required`."""
    web, other = rp("web"), rp("other")
    browser = web.browser()
    web.authorize(browser=browser)
    journey = other.authorize("alice", browser, prompt="none", scope="openid address phone")
    assert relying.error_of(journey) in ("consent_required", "interaction_required")


def test_single_sign_on(rp):
    """A second client of the same browser needs no password."""
    browser = rp("web").browser()
    rp("web").authorize(browser=browser)
    journey = rp("spa").authorize(browser=browser)
    assert "login" not in journey.asked and journey.callback["code"]


def test_login_again(web):
    """OIDC Core §3.1.2.1: prompt=login asks although there is a session, and gives a later auth_time."""
    browser = web.browser()
    first = auth_time(web, web.authorize(browser=browser, max_age=1000))
    next_second()
    journey = web.authorize(browser=browser, prompt="login", max_age=1000)
    assert "login" in journey.asked and auth_time(web, journey) > first


def test_login_again_cannot_be_cut_short(web):
    """OIDC Core §3.1.2.1: leaving prompt=login's page and coming back without it changes nothing of the first request."""
    browser = web.browser()
    web.authorize(browser=browser)
    waiting = web.ask(browser, web.parameters(prompt="login"))
    assert any(form.has("password") or form.has("username") for form in waiting.last.forms()), waiting
    reloaded = browser.get(waiting.last.url)
    assert not reloaded.is_redirect or "code=" not in reloaded.location


def test_consent_again(web):
    """OIDC Core §3.1.2.1: prompt=consent asks although it is remembered."""
    browser = web.browser()
    web.authorize(browser=browser)
    assert "consent" in web.authorize(browser=browser, prompt="consent").asked


def test_consent_is_remembered(web):
    """The design: consent is remembered per client and scope."""
    browser = web.browser()
    web.authorize(browser=browser, scope="openid email")
    assert web.authorize(browser=browser, scope="openid email").asked == []


def test_more_scope_asks_again(rp):
    """The design: what was not agreed to is asked for."""
    post = rp("post")
    browser = post.browser()
    post.authorize(browser=browser, scope="openid")
    journey = post.authorize("alice", browser, scope="openid phone")
    assert journey.asked == ["consent"], journey


def test_consent_names_client_and_scope(rp):
    """The issue: consent screens name the client."""
    web = rp("web")
    browser = web.browser()
    journey = web.authorize(browser=browser, decision=None, prompt="consent", scope="openid email")
    assert web.client.name in journey.last.text and journey.last.forms()[0].method == "POST", journey


def test_denial(web):
    """RFC 6749 §4.1.2.1: `access_denied`, with the state."""
    journey = web.authorize(decision="deny", prompt="consent")
    assert relying.error_of(journey) == "access_denied" and journey.callback["state"] == journey.sent["state"]


def test_several_prompts(web):
    """OIDC Core §3.1.2.1: a list of values."""
    browser = web.browser()
    web.authorize(browser=browser)
    assert web.authorize(browser=browser, prompt="login consent").asked[-2:] == ["login", "consent"]


def test_max_age_in_time(web):
    """OIDC Core §3.1.2.1: within max_age nothing is asked, and auth_time is in the ID token (§2)."""
    browser = web.browser()
    first = auth_time(web, web.authorize(browser=browser, max_age=1000))
    journey = web.authorize(browser=browser, max_age=1000)
    assert journey.asked == [] and auth_time(web, journey) == first


def test_max_age_exceeded(web):
    """OIDC Core §3.1.2.1: past max_age the user is asked again, and auth_time is later."""
    browser = web.browser()
    first = auth_time(web, web.authorize(browser=browser, max_age=1000))
    time.sleep(2.1)
    journey = web.authorize(browser=browser, max_age=1)
    assert "login" in journey.asked and auth_time(web, journey) > first


def test_max_age_exceeded_in_silence(web):
    """OIDC Core §3.1.2.6: with prompt=none that is `login_required`."""
    browser = web.browser()
    web.authorize(browser=browser)
    time.sleep(2.1)
    assert relying.error_of(web.authorize(None, browser, prompt="none", max_age=1)) == "login_required"


def test_max_age_zero(web):
    """OIDC Core §3.1.2.1: max_age=0 is prompt=login."""
    browser = web.browser()
    web.authorize(browser=browser)
    next_second()
    assert "login" in web.authorize(browser=browser, max_age=0).asked


def test_auth_time_is_fresh(web):
    """OIDC Core §2: the time of the authentication, now."""
    before = int(time.time())
    assert before <= auth_time(web, web.authorize(max_age=1000)) <= time.time() + 1


def test_id_token_hint(web):
    """OIDC Core §3.1.2.1: the hinted user is signed in: silent."""
    browser = web.browser()
    hint = web.good(web.redeem(web.authorize(browser=browser)))["id_token"]
    assert web.authorize(None, browser, prompt="none", id_token_hint=hint).callback["code"]


def test_id_token_hint_of_another(web):
    """OIDC Core §3.1.2.1: another user's hint is never answered with this user's code."""
    hint = web.tokens("bob")["id_token"]
    browser = web.browser()
    web.authorize(browser=browser)
    assert relying.error_of(web.authorize(None, browser, prompt="none", id_token_hint=hint)) == "login_required"


@pytest.mark.parametrize("forged", ["tampered", "alg none", "another key", "access token"])
def test_forged_hint(web, forged):
    """OIDC Core §3.1.2.1: a hint that we did not sign is an error or counts as none, and is never believed."""
    browser = web.browser()
    body = web.good(web.redeem(web.authorize(browser=browser)))
    claims = proofs.claims_of(body["id_token"])
    hint = {
        "tampered": proofs.tampered(body["id_token"], sub="somebody"), "alg none": proofs.unsigned(claims),
        "another key": proofs.Key("ES256").sign(claims), "access token": body["access_token"],
    }[forged]  # fmt: skip
    assert web.refused(browser=browser, prompt="none", id_token_hint=hint) in ("invalid_request", *SILENT_ERRORS, None)


def test_hint_of_another_client(rp):
    """OIDC Core §3.1.2.1: an ID token of another client tells this one nothing: no oracle."""
    web, other = rp("web"), rp("other")
    hint = other.tokens()["id_token"]
    journey = web.authorize(None, prompt="none", id_token_hint=hint)
    assert relying.error_of(journey) in ("login_required", "invalid_request")


def test_another_user_logs_in(web):
    """OIDC Core §3.1.2.1: prompt=login may end with another user, whose token it then is."""
    browser = web.browser()
    one = web.id_token(web.good(web.redeem(web.authorize("alice", browser)))["id_token"])
    two = web.id_token(web.good(web.redeem(web.authorize("bob", browser, prompt="login")))["id_token"])
    assert one["sub"] != two["sub"]
    assert web.userinfo(web.tokens("bob")["access_token"]).json()["sub"] == two["sub"]


def test_wrong_password(web, person):
    """RFC 9700 §4.11: nobody is sent anywhere before the user has authenticated."""
    import dataclasses

    mallory = dataclasses.replace(person(), password="not it")
    journey = web.authorize(mallory, web.stranger())
    assert journey.callback is None and set(journey.asked) == {"login"}, journey
    assert any(form.has("password") or form.has("username") for form in journey.last.forms())


@pytest.mark.parametrize("member", ["email", "name", "phone_number"])
def test_claims_parameter(web, member):
    """OIDC Core §5.5: honoured when it is announced."""
    if not web.metadata.get("claims_parameter_supported"):
        assert web.authorize(claims="{}").callback["code"]
        return
    journey = web.authorize(claims=f'{{"userinfo":{{"{member}":null}},"id_token":{{"auth_time":{{"essential":true}}}}}}')
    body = web.good(web.redeem(journey))
    assert web.userinfo(body["access_token"]).json()[member] == web.target.users["alice"].claims[member]
    assert "auth_time" in web.id_token(body["id_token"])


def test_claims_parameter_and_the_subject(web):
    """OIDC Core §5.5.1: a demanded `sub` is that user's or nobody's."""
    if not web.metadata.get("claims_parameter_supported"):
        return
    browser = web.browser()
    web.authorize(browser=browser)
    journey = web.authorize(None, browser, prompt="none", claims='{"id_token":{"sub":{"value":"somebody-else"}}}')
    assert relying.error_of(journey) in SILENT_ERRORS


def test_essential_acr_that_nobody_has(web):
    """OIDC Core §5.5.1.1: an essential acr that can't be had is a failed authentication, not another acr."""
    claims = '{"id_token":{"acr":{"essential":true,"values":["urn:no:such"]}}}'
    journey = web.authorize(claims=claims)
    if web.metadata.get("claims_parameter_supported"):
        assert journey.callback is None or "error" in journey.callback, journey


def test_voluntary_acr(web):
    """OIDC Core §3.1.2.1: acr_values is a wish; the `acr` that is said was reached."""
    claims = web.id_token(web.tokens(acr_values="urn:no:such")["id_token"])
    assert claims.get("acr") != "urn:no:such"


def test_amr(web):
    """RFC 8176: what was used, as a list."""
    claims = web.id_token(web.tokens()["id_token"])
    assert "amr" not in claims or claims["amr"] == ["pwd"]


def test_session_is_new_after_login(web):
    """The design: the session's cookie changes at login and at each new authentication (fixation)."""
    browser = web.browser()
    web.ask(browser, web.parameters())
    before = dict(browser.cookies)
    web.authorize(browser=browser)
    first = dict(browser.cookies)
    web.authorize(browser=browser, prompt="login")
    assert set(first.items()) - set(before.items()) and set(browser.cookies.items()) - set(first.items())


def test_planted_cookie_is_not_adopted(web):
    """The design: a session identifier that someone else chose is never taken over."""
    browser = web.browser()
    web.authorize(browser=browser)
    names = list(browser.cookies)
    victim = web.browser()
    victim.cookies = {name: "A" * 43 for name in names}
    journey = web.authorize(browser=victim)
    assert journey.callback["code"] and "A" * 43 not in victim.cookies.values()


def test_somebody_elses_page(web):
    """RFC 6819 §4.4.1.8: the pages of one browser's request do nothing in another browser (login CSRF)."""
    mine, theirs = web.browser(), web.browser()
    waiting = web.ask(mine, web.parameters())
    form = next(form for form in waiting.last.forms() if form.has("password") or form.has("username"))
    alice = web.target.users["alice"]
    answer = theirs.submit(form, {"username": alice.name, "password": alice.password}, next(iter(form.buttons), None))
    for _ in range(5):
        assert not (answer.location or "").startswith(web.client.redirect), answer
        if not answer.is_redirect:
            break
        answer = theirs.get(answer.location)
