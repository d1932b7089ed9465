"""Second factors over the pages: codes by short message and mail, an authenticator, recovery codes; how they are named and
taken away; devices that are remembered; sessions that are ended."""

import re
import time

import people
import pytest
import wire


@pytest.fixture
def gate(gatehouse, certificates, mailbox, center):
    return people.with_identity(gatehouse, certificates, identity={"mail": mailbox.config, "sms": center.config}).start()


@pytest.fixture
def ada(gate):
    """Signed in."""
    people.make_user(gate, "ada", phone_number="+3250123456")
    browser = people.Browser(gate)
    browser.sign_in("ada")
    return browser


def steps_away(secret, used):
    """A code that the server takes and that isn't the one used: the next step's, which its tolerance admits."""
    return next(code for code in (people.totp(secret, time.time() + 30), people.totp(secret)) if code != used)


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06}"


# Codes by short message


def add_sms(browser, center, number="+3250123456"):
    page = browser.fill(people.choose_factor(browser, "sms"), "address", {"address": number})
    message = center.message()
    assert message["to"] == number and message["id"], message
    return browser.fill(page, "code", {"code": people.code_in(message["text"])})


def test_codes_by_short_message(gate, ada, center):
    """Added with a code, then asked for at the login; each message is signed (SmsCenter.message)."""
    assert people.place_of(add_sms(ada, center)) == "/account/factors"
    assert [factor["kind"] for factor in people.factors_of(gate, "ada")] == ["sms"]
    browser = people.Browser(gate)
    page = browser.sign_in("ada")
    assert people.place_of(page) == "/login/factor" and not people.is_signed_in(browser)
    assert "+3250123456" not in page.text, "who has only the password does not learn the number"
    page = browser.fill(page, "send")
    message = center.message()
    assert message["to"] == "+3250123456" and "login.shop.example" in message["text"]
    code = people.code_in(message["text"])
    page = browser.fill(page, "code", {"code": wrong(code)})
    assert page.status >= 400 and not people.is_signed_in(browser)
    browser.fill(page, "code", {"code": code})
    assert people.is_signed_in(browser)
    other = people.Browser(gate)
    page = other.fill(other.sign_in("ada"), "send")
    second = people.code_in(center.message()["text"])
    if second != code:
        assert other.fill(page, "code", {"code": code}).status >= 400, "a code of another visit"
    assert not people.is_signed_in(other)


def test_a_short_message_code_has_five_tries(gate, ada, center):
    """The design: at most five tries; then not even the right one is taken."""
    add_sms(ada, center)
    browser = people.Browser(gate)
    page = browser.fill(browser.sign_in("ada"), "send")
    code = people.code_in(center.message()["text"])
    for _ in range(5):
        page = browser.fill(page, "code", {"code": wrong(code)})
        assert page.status >= 400
    page = browser.fill(page, "code", {"code": code}) if has_code_form(page) else page
    assert page.status >= 400 or has_send_form(page), page
    assert not people.is_signed_in(browser)


def has_code_form(page):
    return any(form.has("code") for form in page.forms())


def has_send_form(page):
    return any(form.buttons_named("send") for form in page.forms())


def test_a_code_that_nobody_asked_for(gate, ada, center):
    """A code is good for the visit that it was sent in only, and not before it was sent."""
    add_sms(ada, center)
    browser = people.Browser(gate)
    page = browser.sign_in("ada")
    form = next(form for form in page.forms() if form.buttons_named("send"))
    fields = [(name, value) for name, value, _ in form.fields] + [("code", "000000")]
    answer = browser.post(people.ISSUER + "/login/factor", fields, {"Origin": people.ISSUER, "Sec-Fetch-Site": "same-origin"})
    assert answer.status >= 400 and not people.is_signed_in(browser), answer


@pytest.mark.parametrize("number", ["12", "+", "+32501234567890123456", "+32 50<script>", "tel:+3250123456", "nobody@shop.example"])
def test_numbers_that_are_none(gate, ada, center, number):
    page = ada.fill(people.choose_factor(ada, "sms"), "address", {"address": number})
    assert page.status == 400 and center.is_empty() and not people.factors_of(gate, "ada"), page


# Codes by mail


def test_codes_by_mail(gate, ada, mailbox):
    page = ada.fill(people.choose_factor(ada, "email"), "address", {"address": "ada@phone.example"})
    ada.fill(page, "code", {"code": people.code_in(mailbox.about("is your code", "ada@phone.example"))})
    browser = people.Browser(gate)
    page = browser.fill(browser.sign_in("ada"), "send")
    code = people.code_in(mailbox.about("is your code", "ada@phone.example"))
    browser.fill(page, "code", {"code": code})
    assert people.is_signed_in(browser)


# An authenticator


def test_an_authenticator(gate, ada, mailbox):
    """Its owner is told; a code is good once; a code without the password is good for nothing."""
    secret = people.add_totp(ada)
    mailbox.about("second factor was added", "ada@shop.example")
    used = people.totp(secret)
    browser = people.Browser(gate)
    page = browser.sign_in("ada")
    code = steps_away(secret, used)
    browser.fill(page, "code", {"code": code})
    assert people.is_signed_in(browser)
    thief = people.Browser(gate)
    page = thief.fill(thief.sign_in("ada"), "code", {"code": code})
    assert page.status >= 400 and not people.is_signed_in(thief), "a code that was used"
    guesser = people.Browser(gate)
    assert people.place_of(guesser.sign_in("ada", "not her password")) == "/login"


# Recovery codes


def prove_anew(browser, secret):
    """The steps of a fresh proof, from its first page: the password, and a code that wasn't used yet."""
    page = browser.fill(browser.follow(browser.log[-1]), "password", {"username": "ada", "password": people.PASSWORD})
    return browser.fill(page, "code", {"code": steps_away(secret, people.totp(secret))})


def with_recovery(ada):
    """Codes of somebody who has an authenticator. They are a way in: a proof of the factor is asked for first."""
    secret = people.add_totp(ada)
    page = ada.fill(ada.open("/account/factors"), "make")
    assert people.place_of(page) == "/login", page
    page = prove_anew(ada, secret)
    assert people.place_of(page) == "/account/factors", page
    return secret, people.recovery_codes(ada)


def choose_recovery(browser, page):
    links = re.findall(r'href="(/login/factor\?[^"]*factor=[^"]+)"', page.text)
    for place in links:
        shown = browser.open(place.replace("&amp;", "&"))
        if "recovery" in people.text_of(shown).lower() and has_code_form(shown):
            return shown
    raise AssertionError(f"recovery codes are not offered: {page!r}")


def test_a_recovery_code_instead_of_the_factor(gate, ada, mailbox):
    """Each is good once, its owner is told, and how many are left."""
    _, codes = with_recovery(ada)
    assert len(set(codes)) == len(codes)
    browser = people.Browser(gate)
    page = choose_recovery(browser, browser.sign_in("ada"))
    browser.fill(page, "code", {"code": codes[0]})
    assert people.is_signed_in(browser)
    text = mailbox.about("recovery code was used", "ada@shop.example")
    assert str(len(codes) - 1) in text, text
    thief = people.Browser(gate)
    page = thief.fill(choose_recovery(thief, thief.sign_in("ada")), "code", {"code": codes[0]})
    assert page.status >= 400 and not people.is_signed_in(thief), "good once"
    # as people type them from paper
    typed = codes[1].replace("-", " ").upper()
    thief.fill(page, "code", {"code": f" {typed} "})
    assert people.is_signed_in(thief)


def test_new_recovery_codes_void_the_old(gate, ada):
    _, old = with_recovery(ada)
    new = people.recovery_codes(ada)
    assert not set(old) & set(new)
    browser = people.Browser(gate)
    page = browser.fill(choose_recovery(browser, browser.sign_in("ada")), "code", {"code": old[0]})
    assert page.status >= 400 and not people.is_signed_in(browser)
    browser.fill(page, "code", {"code": new[0]})
    assert people.is_signed_in(browser)


def test_codes_are_no_password(gate, ada):
    """A recovery code stands for the second factor, never for the first."""
    _, codes = with_recovery(ada)
    browser = people.Browser(gate)
    assert people.place_of(browser.sign_in("ada", codes[0])) == "/login" and not people.is_signed_in(browser)


# How factors are named and taken away


def test_names_of_factors(gate, ada):
    people.add_totp(ada, "Old phone")
    page = ada.open("/account/factors")
    place = re.search(r'href="(/account/factors/rename\?factor=[^"]+)"', page.text)[1]
    page = ada.fill(ada.open(place), "label", {"label": "New <b>phone</b> & tablet"})
    assert "New &lt;b&gt;phone&lt;/b&gt; &amp; tablet" in page.text and "<b>phone" not in page.text
    assert people.factors_of(gate, "ada")[0]["label"] == "New <b>phone</b> & tablet"
    assert ada.fill(ada.open(place), "label", {"label": "   "}).status == 400
    ada.fill(ada.open(place), "label", {"label": "x" * 500})
    assert len(people.factors_of(gate, "ada")[0]["label"]) <= 64
    # somebody else's is nobody's here
    people.make_user(gate, "bob")
    bob = people.Browser(gate)
    bob.sign_in("bob")
    page = bob.open(place)
    assert people.place_of(page) == "/account/factors" and "tablet" not in page.text
    token = people.form_with(bob.open("/account/profile"), "save").filled({})
    fields = {"csrf": dict(token)["csrf"], "factor": people.factors_of(gate, "ada")[0]["id"], "label": "mine"}
    bob.post(people.ISSUER + "/account/factors/rename", fields, {"Origin": people.ISSUER, "Sec-Fetch-Site": "same-origin"})
    assert people.factors_of(gate, "ada")[0]["label"] != "mine"


def test_a_factor_is_taken_away(gate, ada, mailbox):
    """By its owner, with a fresh proof; its owner is told, and what is left of the recovery codes goes with the last one."""
    with_recovery(ada)
    factor = next(one["id"] for one in people.factors_of(gate, "ada") if one["kind"] == "totp")
    page = ada.fill(ada.open("/account/factors"), "factor", button=("factor", factor))
    assert people.place_of(page) == "/account/factors", page
    mailbox.about("second factor was removed", "ada@shop.example")
    assert people.factors_of(gate, "ada") == []
    browser = people.Browser(gate)
    browser.sign_in("ada")
    assert people.is_signed_in(browser), "the password is enough again"


def test_a_stolen_session_takes_no_factor_away(gate, ada):
    """The design: a fresh proof of a factor where there is one. A session of a remembered device has none."""
    secret = people.add_totp(ada)
    browser = people.Browser(gate)
    page = browser.sign_in("ada")
    browser.fill(page, "code", {"code": steps_away(secret, people.totp(secret)), "remember": "1"})
    browser.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("device")}
    browser.sign_in("ada")  # with the password alone
    assert people.is_signed_in(browser)
    factor = people.factors_of(gate, "ada")[0]["id"]
    page = browser.fill(browser.open("/account/factors"), "factor", button=("factor", factor))
    assert people.place_of(page).startswith("/login"), page
    assert len(people.factors_of(gate, "ada")) == 1


def test_the_factor_of_another(gate, ada):
    people.add_totp(ada)
    theirs = people.factors_of(gate, "ada")[0]["id"]
    people.make_user(gate, "bob")
    bob = people.Browser(gate)
    bob.sign_in("bob")
    people.add_totp(bob)
    page = bob.open("/account/factors")
    form = people.form_with(page, "factor")
    bob.follow(bob.submit(form, {}, ("factor", theirs)))
    assert [one["id"] for one in people.factors_of(gate, "ada")] == [theirs]


# Devices that are remembered


def test_a_remembered_device(gate, ada):
    """It skips the second factor for its owner, not for another user, not without its cookie, and not after the factors were
    taken away by an administrator and made anew."""
    secret = people.add_totp(ada)
    browser = people.Browser(gate)
    page = browser.sign_in("ada")
    browser.fill(page, "code", {"code": steps_away(secret, people.totp(secret)), "remember": "1"})
    assert people.is_signed_in(browser)
    device = {name: value for name, value in browser.cookies.items() if name.endswith("device")}
    assert len(device) == 1

    def lands_at(cookies, name="ada"):
        again = people.Browser(gate)
        again.cookies = dict(cookies)
        return people.place_of(again.sign_in(name))

    assert lands_at(device) == "/account"
    assert lands_at({}) == "/login/factor"
    assert lands_at({name: "A" * 43 for name in device}) == "/login/factor"
    people.make_user(gate, "bob")
    bob = people.Browser(gate)
    bob.sign_in("bob")
    people.add_totp(bob)
    assert lands_at(device, "bob") == "/login/factor", "the device is remembered for ada"
    people.admin(gate, "DELETE", "/v1/users/ada/factors")
    fresh = people.Browser(gate)
    fresh.sign_in("ada")
    people.add_totp(fresh)
    assert lands_at(device) == "/login/factor", "forgotten with the factors"


def test_a_device_is_not_remembered_unasked(gate, ada):
    secret = people.add_totp(ada)
    browser = people.Browser(gate)
    browser.fill(browser.sign_in("ada"), "code", {"code": steps_away(secret, people.totp(secret))})
    assert people.is_signed_in(browser)
    again = people.Browser(gate)
    again.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("device")}
    assert people.place_of(again.sign_in("ada")) == "/login/factor"


# Sessions


def test_sessions_are_ended(gate, ada):
    """One by one, and all others at once; of whoever is signed in only."""
    others = [people.Browser(gate, agent) for agent in ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36", people.FIREFOX)]
    for browser in others:
        browser.sign_in("ada")
    page = ada.open("/account/sessions")
    listed = [value for form in page.forms() for name, value in form.buttons if name == "session"]
    assert len(listed) == 2 and "Chrome" in page.text, "the one in use has no button"
    assert len(people.admin(gate, "GET", "/v1/users/ada/sessions")["sessions"]) == 3
    ada.fill(page, "session", button=("session", listed[0]))
    gone = wire.eventually(lambda: [one for one in others if not people.is_signed_in(one)])
    assert len(gone) == 1 and people.is_signed_in(ada)
    # somebody else's session isn't ended by its id
    people.make_user(gate, "bob")
    bob = people.Browser(gate)
    bob.sign_in("bob")
    second = people.Browser(gate)
    second.sign_in("bob")
    form = people.form_with(bob.open("/account/sessions"), "session")
    bob.follow(bob.submit(form, {}, ("session", listed[1])))
    assert len(people.admin(gate, "GET", "/v1/users/ada/sessions")["sessions"]) == 2
    ada.fill(ada.open("/account/sessions"), "others")
    assert people.is_signed_in(ada)
    wire.eventually(lambda: not any(people.is_signed_in(one) for one in others))
    assert people.is_signed_in(bob) and people.is_signed_in(second)
