"""Two gateways that are one provider, over one PostgreSQL and one Redis: what begins at one goes on at the other, what is
taken back at one is void at both, and one that is killed takes nothing with it but the request it was at."""

import base64
import hashlib
import http.client
import os
import signal
import ssl
import threading
import time
import urllib.parse

import jwt
import people
import postgresql_server
import pytest
import redis_server
import wire

CALLBACK = "https://app.shop.example/callback"
VERIFIER = "v" * 43
SCOPE = "openid profile email offline_access"
SOON = 2  # seconds in which what was revoked at one is refused at the other
ROOT_KEY = base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def servers():
    if not postgresql_server.programs():
        assert not os.environ.get("CI"), "scripts/setup installs postgresql"
        pytest.skip("PostgreSQL is not installed")
    redis, cluster = redis_server.Redis(), postgresql_server.Cluster()
    yield cluster.make_database()[0], redis.location
    redis.stop()
    cluster.stop()


class Pair:
    """The two, begun at the same moment, and what a client does at either."""

    def __init__(self, gatehouse, certificates, servers, **keys):
        store, counters = servers
        keys.setdefault("penalties", {"failed_logins": {"threshold": 1_000_000}, "attacks": {"threshold": 1_000_000}})
        self.gates = [people.with_identity(gatehouse, certificates, secrets={"root_key": ROOT_KEY},
                                           state={"store": store, "counters": counters}, **keys)
                      for _ in range(2)]  # fmt: skip
        starting = [threading.Thread(target=gate.start) for gate in self.gates]
        for one in starting:
            one.start()
        for one in starting:
            one.join()
        for gate in self.gates:
            assert gate.ready, gate.output()
            wire.eventually(lambda: gate.metric("gatehouse_state_counters_up") == 1, within=10)
        self.one, self.two = self.gates
        self.client = "app" + os.urandom(4).hex()
        settings = {"token_endpoint_auth_method": "client_secret_basic", "redirect_uris": [CALLBACK], "scope": SCOPE,
                    "grant_types": ["authorization_code", "refresh_token"]}  # fmt: skip
        about = {"client_id": self.client, "client_name": "The app", "settings": settings}
        secret = people.admin(self.one, "POST", "/v1/clients", about, 201)["client_secret"]
        self.basic = "Basic " + base64.b64encode(f"{self.client}:{secret}".encode()).decode()

    def person(self):
        name = "p" + os.urandom(5).hex()
        people.make_user(self.one, name)
        return name

    def authorize(self, browser):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        fields = {"client_id": self.client, "redirect_uri": CALLBACK, "response_type": "code", "scope": SCOPE, "prompt": "consent",
                  "state": "s", "nonce": "n", "code_challenge": challenge, "code_challenge_method": "S256"}  # fmt: skip
        return browser.open(people.ISSUER + "/authorize?" + urllib.parse.urlencode(fields))

    def api(self, gate, path, **fields):
        back_end = people.Browser(gate, "python-requests/2.31.0", accept="application/json")
        return back_end.post(people.ISSUER + path, fields, {"Authorization": self.basic})

    def redeem(self, gate, answer):
        assert answer.is_redirect and answer.location.startswith(CALLBACK), answer
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location).query))["code"]
        return self.api(gate, "/token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER)

    def tokens(self, gate, name):
        """Of a whole flow at one gateway."""
        browser = people.Browser(gate)
        page = browser.fill(self.authorize(browser), "password", {"username": name, "password": people.PASSWORD})
        return good(self.redeem(gate, browser.fill(page, "decision", button=("decision", "allow"))))

    def is_active(self, gate, token):
        return good(self.api(gate, "/introspect", token=token))["active"]

    def userinfo(self, gate, token):
        return people.Browser(gate).get(people.ISSUER + "/userinfo", (), {"Authorization": f"Bearer {token}"})

    def id_token(self, gate, compact):
        """Verified with the keys that this gateway publishes."""
        keys = {key["kid"]: key for key in people.Browser(gate).get(people.ISSUER + "/jwks").json()["keys"]}
        kid = jwt.get_unverified_header(compact)["kid"]
        assert kid in keys, (kid, list(keys))
        return jwt.decode(compact, jwt.PyJWK(keys[kid]).key, algorithms=["ES256", "RS256"], audience=self.client, issuer=people.ISSUER)


@pytest.fixture
def pair(gatehouse, certificates, servers):
    return Pair(gatehouse, certificates, servers)


def good(answer):
    assert answer.status == 200, answer
    return answer.json()


def move(browser, gate):
    """From now on the balancer sends this browser to another gateway."""
    for connection in browser.kept.values():
        connection.close()
    browser.kept.clear()
    browser.gate = gate
    return browser


def soon(what, began):
    """Polls until it is so, at most as long after `began` as it may take."""
    wire.eventually(what, within=SOON)
    took = time.monotonic() - began
    assert took < SOON + 0.5
    return took


def test_each_step_of_a_sign_in_at_another_gateway(pair):
    """The request at one, the form from the other, the password to the first, the consent to the other, the code to the first;
    its tokens are introspected, used and refreshed at the other."""
    name = pair.person()
    browser = people.Browser(pair.one)
    page = pair.authorize(browser)
    page = move(browser, pair.two).open(page.url)
    form = people.form_with(page, "password")
    answer = move(browser, pair.one).submit(form, {"username": name, "password": people.PASSWORD}, next(iter(form.buttons)))
    page = move(browser, pair.two).follow(answer)
    form = people.form_with(page, "decision")
    answer = move(browser, pair.one).submit(form, {}, ("decision", "allow"))
    answer = move(browser, pair.two).follow(answer)
    tokens = good(pair.redeem(pair.one, answer))
    for gate in pair.gates:
        assert pair.is_active(gate, tokens["access_token"])
        assert good(pair.userinfo(gate, tokens["access_token"]))["preferred_username"] == name
        assert pair.id_token(gate, tokens["id_token"])["nonce"] == "n"
        assert people.is_signed_in(move(browser, gate))
    refreshed = good(pair.api(pair.two, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    again = good(pair.api(pair.one, "/token", grant_type="refresh_token", refresh_token=refreshed["refresh_token"]))
    assert pair.is_active(pair.two, again["access_token"])


def test_a_code_is_for_once_wherever(pair):
    """Redeemed at both at the same moment, one of them gets tokens at most; the second use takes back what the first gave."""
    name = pair.person()
    for _ in range(5):
        browser = people.Browser(pair.one)
        page = pair.authorize(browser)
        if people.place_of(page) == "/login":
            page = browser.fill(page, "password", {"username": name, "password": people.PASSWORD})
        answer = browser.fill(page, "decision", button=("decision", "allow"))
        answers = []
        threads = [threading.Thread(target=lambda gate=gate: answers.append(pair.redeem(gate, answer))) for gate in pair.gates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        given = [one.json() for one in answers if one.status == 200]
        assert len(answers) == 2 and len(given) <= 1, answers
        began = time.monotonic()
        for tokens in given:
            for gate in pair.gates:
                soon(lambda: not pair.is_active(gate, tokens["access_token"]), began)


def test_what_is_revoked_at_one_is_refused_at_the_other(pair):
    tokens = pair.tokens(pair.one, pair.person())
    for gate in pair.gates:
        assert pair.userinfo(gate, tokens["access_token"]).status == 200  # both have it ready now
    began = time.monotonic()
    assert pair.api(pair.one, "/revoke", token=tokens["refresh_token"]).status == 200
    took = soon(lambda: pair.userinfo(pair.two, tokens["access_token"]).status == 401, began)
    print(f"revoked at one, refused at the other after {took:.2f} s")
    assert not pair.is_active(pair.two, tokens["access_token"]) and not pair.is_active(pair.one, tokens["access_token"])
    refused = pair.api(pair.two, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.refusal() == "invalid_grant"


def test_replay_of_a_refresh_token_at_the_other_ends_the_family(pair):
    tokens = pair.tokens(pair.one, pair.person())
    newer = good(pair.api(pair.one, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]))
    assert pair.api(pair.two, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).refusal() == "invalid_grant"
    assert pair.api(pair.one, "/token", grant_type="refresh_token", refresh_token=newer["refresh_token"]).refusal() == "invalid_grant"
    soon(lambda: not pair.is_active(pair.one, newer["access_token"]), time.monotonic())


def test_signed_out_everywhere(pair):
    """Browsers at both gateways; the administrator signs their user out at one."""
    name = pair.person()
    browsers = []
    for gate in pair.gates:
        browsers.append(people.Browser(gate))
        assert browsers[-1].sign_in(name).status == 200
        assert all(people.is_signed_in(move(browsers[-1], other)) for other in pair.gates)
    began = time.monotonic()
    people.admin(pair.one, "DELETE", f"/v1/users/{name}/sessions")
    took = 0
    for browser in browsers:
        for gate in pair.gates:
            took = soon(lambda: not people.is_signed_in(move(browser, gate)), began)
    print(f"signed out everywhere after {took:.2f} s")


def test_a_user_who_is_blocked_at_one(pair):
    name = pair.person()
    browser = people.Browser(pair.two)
    browser.sign_in(name)
    assert people.is_signed_in(browser)
    began = time.monotonic()
    people.admin(pair.one, "PATCH", f"/v1/users/{name}", {"state": "disabled"})
    soon(lambda: not people.is_signed_in(browser), began)
    page = people.Browser(pair.two).sign_in(name)
    assert people.place_of(page) == "/login" and page.status == 400, page


def test_signing_keys_are_rotated_at_one(pair):
    """At every moment, whatever one signs verifies with what the other publishes; soon both sign with the new key, and what
    was signed before verifies still."""
    name = pair.person()
    before = pair.tokens(pair.two, name)
    old = jwt.get_unverified_header(before["id_token"])["kid"]
    began = time.monotonic()
    people.admin(pair.one, "POST", "/v1/signing-keys/rotate", {})
    signed, took = {}, 0
    while len(signed) < 2 or old in signed.values():
        for gate, other in (pair.gates, reversed(pair.gates)):
            tokens = pair.tokens(gate, name)
            assert pair.id_token(other, tokens["id_token"])["nonce"] == "n"
            assert pair.userinfo(other, tokens["access_token"]).status == 200
            signed[gate] = jwt.get_unverified_header(tokens["id_token"])["kid"]
        took = time.monotonic() - began
        assert took < 15, signed
    print(f"both sign with the new key after {took:.1f} s")
    assert signed[pair.one] == signed[pair.two] != old
    for gate in pair.gates:
        assert pair.id_token(gate, before["id_token"])["nonce"] == "n"


def test_the_keyring_is_rotated_at_one(pair):
    """What is sealed anew is opened by the other, and the other way round."""
    name = pair.person()
    people.admin(pair.one, "POST", "/v1/data-keys/rotate", {})
    browser = people.Browser(pair.two)
    browser.sign_in(name)
    secret = people.add_totp(browser)
    assert secret
    people.admin(pair.two, "POST", "/v1/data-keys/rotate", {})
    other = people.Browser(pair.one)
    page = other.sign_in(name)
    page = other.fill(page, "code", {"code": people.totp(secret, time.time() + 30)})
    assert people.is_signed_in(other), page


def test_one_is_killed_in_the_middle_of_a_sign_in(pair):
    """Only the request that it was at is lost: the form is sent once more, to the other, and the sign-in goes on. Whether the
    killed one had finished it or not must not matter, so it is killed after another time in each round."""
    lost = 0
    for milliseconds in (2, 20, 45, 60, 75, 90, 110, 140, 200):
        name = pair.person()
        browser = people.Browser(pair.one)
        page = pair.authorize(browser)
        form = people.form_with(page, "password")
        values = {"username": name, "password": people.PASSWORD}
        killer = threading.Timer(milliseconds / 1000, lambda: pair.one.signal(signal.SIGKILL))
        killer.start()
        try:
            answer = browser.submit(form, values, next(iter(form.buttons)))
        except (http.client.HTTPException, OSError, ssl.SSLError):
            lost += 1
            answer = move(browser, pair.two).submit(form, values, next(iter(form.buttons)))
        killer.join()
        pair.one.process.wait()
        page = move(browser, pair.two).follow(answer)
        tokens = good(pair.redeem(pair.two, browser.fill(page, "decision", button=("decision", "allow"))))
        assert good(pair.userinfo(pair.two, tokens["access_token"]))["preferred_username"] == name
        pair.one.start()
        assert good(pair.userinfo(pair.one, tokens["access_token"]))["preferred_username"] == name
        assert pair.is_active(pair.one, tokens["refresh_token"])
    print(f"killed 9 times, {lost} requests lost")
    assert lost >= 1


def test_guesses_at_both_are_slowed_as_at_one(gatehouse, certificates, servers):
    """Five wrong passwords are free, wherever; then everybody waits at both, and the owner's own browser does not."""
    logins = {"threshold": 5, "window": "5m", "delay": "1ms", "max_delay": "1ms"}
    pair = Pair(gatehouse, certificates, servers, penalties={"failed_logins": logins, "attacks": {"threshold": 1_000_000}})
    name = pair.person()
    owner = people.Browser(pair.one)
    owner.sign_in(name)
    owner.cookies = {key: value for key, value in owner.cookies.items() if "session" not in key}
    passed = []
    for turn in range(8):
        browser = people.Browser(pair.gates[turn % 2])
        browser.source = (f"127.9.{turn}.1", 0)
        page = browser.open("/login")
        answer = browser.fill(page, "password", {"username": name, "password": "a wrong one"})
        passed.append(answer.status)
        time.sleep(0.15)  # an exchange
    assert passed == [400] * 5 + [429] * 3, passed
    for gate in pair.gates:
        assert gate.metric("gatehouse_state_counters_told_total", kind="notices") > 0
