"""Signing in at Gatehouse through an outside provider: with node-oidc-provider for the whole way, and with one that says
what it is told to for the attacks. OIDC Core §3.1.3.7, RFC 9207, RFC 9700 §4.4."""

import concurrent.futures
import time
import urllib.parse

import agent as browsers
import conftest
import proofs
import pytest
import registry
import targets

import outside

pytestmark = pytest.mark.skipif(conftest.NAME != "gatehouse", reason="it is Gatehouse that signs in through others here")


class World:
    def __init__(self):
        self.liar, self.node = outside.Liar(), None
        self.gate = outside.Federated(self.providers)
        try:
            self.gate.start()
            self.known()
        except BaseException:
            self.stop()
            raise

    def providers(self, gate):
        self.node = outside.OutsideNode(f"{gate.issuer}/federation/work/callback")
        self.node.start()
        secret = self.node.clients["gatehouse"].secret
        return [
            {"id": "work", "name": "Example Corp", "issuer": self.node.issuer, "client_id": "gatehouse",
             "client_secret": gate.secret("work.secret", secret), "ca": self.node.ca},
            {"id": "open", "name": "Open House", "issuer": self.liar.issuer, "client_id": "gate house", "create_users": True,
             "client_secret": gate.secret("open.secret", "s e&cret"), "ca": self.liar.ca},
        ]  # fmt: skip

    def known(self):
        """Waits until both providers have been asked."""
        for name in ("work", "open"):
            while Visit(self).start(name).status != 303:
                time.sleep(0.1)

    def stop(self):
        for one in (self.gate, self.node, self.liar):
            if one:
                one.stop()


class Visit:
    """A browser at Gatehouse."""

    def __init__(self, world, source=None):
        self.world, self.gate = world, world.gate
        self.browser = browsers.Agent(self.gate.ca)
        self.browser.source = source

    def page(self, path):
        return self.browser.get(self.gate.issuer + path)

    def login_page(self):
        return self.follow(self.page("/login"))

    def follow(self, answer):
        while answer.is_redirect and answer.location.startswith(self.gate.issuer + "/"):
            answer = self.browser.get(answer.location)
        return answer

    def start(self, name, login=None):
        """The provider's button on the login page."""
        login = login or self.login_page()
        link = f"/federation/{name}?flow="
        assert link in login.text, login
        flow = urllib.parse.parse_qs(urllib.parse.urlsplit(login.url).query)["flow"][0]
        return self.page(link + flow)

    def sign_in(self, user):
        form = self.login_page().forms()[0]
        return self.follow(self.browser.submit(form, {"username": user.name, "password": user.password}))

    def through(self, name="open", answer=None, **changed):
        """By the liar's button and back; `changed`: parameters of the answer, None takes one away."""
        answer = answer or self.start(name)
        assert answer.status == 303, answer
        code, asked = self.world.liar.code_for(answer.location)
        told = {"code": code, "state": asked["state"], **changed}
        back = urllib.parse.urlsplit(asked["redirect_uri"]).path
        return self.browser.get(self.gate.issuer + changed.pop("back", back), {k: v for k, v in told.items() if k != "back"})

    def is_signed_in(self):
        return self.page("/account").status == 200

    def username(self):
        return self.page("/account").text

    def link_form(self, name):
        page = self.page("/account/logins")
        assert page.status == 200, page
        return next(form for form in page.forms() if name in form.buttons_named("link"))

    def link(self, name):
        form = self.link_form(name)
        return self.browser.submit(form, {}, ("link", name))


@pytest.fixture(scope="module")
def world(node_packages):
    made = World()
    yield made
    made.stop()


@pytest.fixture
def liar(world):
    """As honest as any, and who signs in is new."""
    name = "p" + proofs.token(6).lower().replace("_", "a").replace("-", "b")
    world.liar.person = {"sub": "sub-" + name, "email": f"{name}@outside.test", "email_verified": True, "name": "Nia New"}
    world.liar.change, world.liar.userinfo = lambda claims: claims, {}
    world.liar.requests.clear()
    return world.liar


@pytest.fixture
def visit(world):
    """A browser with an address of its own: what it fails with is held against no other's."""
    return Visit(world, (f"127.{proofs.secrets.randbelow(250) + 1}.{proofs.secrets.randbelow(250)}.1", 0))


def made_for(world, liar):
    """The account that was made for who signs in at the liar."""
    listed = world.gate.admin("GET", "/v1/users?prefix=u-&limit=500", {})["users"]
    return next((user for user in listed if user.get("email") == liar.person["email"]), None)


def at_node(world, location, user):
    """The whole way through node-oidc-provider's pages; the answer's address."""
    browser = browsers.Agent(world.node.ca)
    journey = browsers.Journey(browser, targets.origin(world.node.issuer))
    journey.take(browser.get(location))
    journey.go(user)
    assert journey.redirect and journey.redirect.startswith(world.gate.issuer + "/federation/work/callback?"), journey
    return journey.redirect


# With node-oidc-provider


def test_link_then_sign_in(world, visit):
    """A user links her login at the provider; from then on it signs her in; unlinked it does not."""
    alice, outsider = world.gate.users["alice"], world.node.person()
    assert visit.sign_in(alice).status == 200
    there = visit.link("work")
    assert there.status == 303 and there.location.startswith(world.node.issuer), there
    done = visit.browser.get(at_node(world, there.location, outsider))
    assert done.status == 303 and done.location == world.gate.issuer + "/account/logins?done=linked", done
    page = visit.follow(done)
    known, = world.gate.admin("GET", "/v1/users/alice/logins", {})["logins"]
    assert (known["issuer"], known["subject"]) == (world.node.issuer, f"sub-{outsider.name}")
    assert "Linked." in page.text and f"sub-{outsider.name}" in page.text and "Example Corp" in page.text

    other = Visit(world)
    back = other.browser.get(at_node(world, other.start("work").location, outsider))
    assert other.follow(back).status == 200 and other.is_signed_in()
    assert "alice" in other.username()

    unlink = next(form for form in visit.page("/account/logins").forms() if form.buttons_named("unlink"))
    assert visit.browser.submit(unlink, {}, ("unlink", "1")).location.endswith("?done=unlinked")
    assert world.gate.admin("GET", "/v1/users/alice/logins", {})["logins"] == []
    third = Visit(world)
    refused = third.browser.get(at_node(world, third.start("work").location, outsider))
    assert refused.status == 403 and not third.is_signed_in()


def test_unknown_login_is_nobody(world, visit):
    """Who has linked nothing is told how to, even with an address that an account has: no take-over by e-mail."""
    outsider = world.node.users["alice"]
    back = visit.browser.get(at_node(world, visit.start("work").location, outsider))
    assert back.status == 403 and "not linked" in back.text and "Example Corp" in back.text, back
    assert not visit.is_signed_in()


def test_user_says_no_there(world, visit):
    """access_denied leads back to the login page, which says so and offers all ways."""
    start = visit.start("work")
    browser = browsers.Agent(world.node.ca)
    journey = browsers.Journey(browser, targets.origin(world.node.issuer))
    journey.take(browser.get(start.location))
    journey.go(world.node.person(), "deny")
    assert "access_denied" in journey.redirect
    page = visit.follow(visit.browser.get(journey.redirect))
    assert page.status == 200 and "did not confirm who you are" in page.text, page
    assert page.forms()[0].has("password")


def test_what_the_provider_is_asked(world, visit):
    """PKCE with S256, a state and a nonce that are nowhere twice, one redirect URI for this provider alone."""
    asked = [browsers.query_of(visit.start("work").location) for _ in range(2)]
    for one in asked:
        assert one["code_challenge_method"] == "S256" and len(one["code_challenge"]) == 43
        assert one["redirect_uri"] == world.gate.issuer + "/federation/work/callback"
        assert one["scope"] == "openid profile email" and "prompt" not in one
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


# With a provider that says what it is told to


def test_account_is_made(world, liar, visit):
    """create_users: a verified address that nobody has becomes an account, and the same login is the same account."""
    assert visit.follow(visit.through()).status == 200
    assert liar.person["email"] in visit.username()
    again = Visit(world)
    liar.person = {"sub": liar.person["sub"]}
    again.follow(again.through())
    assert again.is_signed_in()
    form = liar.requests[0]
    assert form["client_id"] == "gate house" and form["grant_type"] == "authorization_code"


def test_claims_of_userinfo(liar, visit):
    """Where the ID token has no address, userinfo is asked; of another subject it counts for nothing."""
    email, sub = liar.person.pop("email"), liar.person["sub"]
    liar.userinfo = {"sub": "another", "email": email, "email_verified": True}
    assert visit.through().status == 403
    liar.userinfo["sub"] = sub
    assert visit.follow(visit.through()).status == 200 and email in visit.username()


@pytest.mark.parametrize("verified", [True, False, None, "true"])
def test_address_that_an_account_has(world, liar, visit, verified):
    """An account that is here already is nobody's who only says its address."""
    liar.person |= {"email": world.gate.users["alice"].claims["email"], "email_verified": verified}
    back = visit.through()
    assert back.status == 403 and not visit.is_signed_in(), back


def test_unverified_address_makes_no_account(world, liar, visit):
    liar.person["email_verified"] = False
    assert visit.through().status == 403
    assert made_for(world, liar) is None


def resigned(liar, **headers):
    return lambda claims: proofs.Key(kid=liar.key.kid).sign(claims, **headers)


BENT = {
    "another nonce": lambda liar: lambda claims: {**claims, "nonce": "other"},
    "no nonce": lambda liar: lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "another audience": lambda liar: lambda claims: {**claims, "aud": "somebody"},
    "two audiences without azp": lambda liar: lambda claims: {**claims, "aud": [claims["aud"], "somebody"]},
    "another's azp": lambda liar: lambda claims: {**claims, "azp": "somebody"},
    "another issuer": lambda liar: lambda claims: {**claims, "iss": "https://localhost:1"},
    "expired": lambda liar: lambda claims: {**claims, "exp": int(time.time()) - 120},
    "no subject": lambda liar: lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "empty subject": lambda liar: lambda claims: {**claims, "sub": ""},
    "huge subject": lambda liar: lambda claims: {**claims, "sub": "x" * 300},
    "subject that is no text": lambda liar: lambda claims: {**claims, "sub": 17},
    "another key": resigned,
    "not signed": lambda liar: proofs.unsigned,
    "signed with the secret": lambda liar: lambda claims: proofs.hmac_signed(claims, b"s e&cret"),
    "no token at all": lambda liar: lambda claims: "",
}


@pytest.mark.parametrize("bent", BENT)
def test_id_token_that_proves_nothing(liar, visit, bent):
    """OIDC Core §3.1.3.7: each rule broken by itself signs nobody in, and the page does not say which."""
    liar.change = BENT[bent](liar)
    back = visit.through()
    assert back.status == 400 and "could not be confirmed" in back.text, back
    assert not visit.is_signed_in()
    liar.change = lambda claims: claims
    assert visit.follow(visit.through()).status == 200, "and honest it does"


def test_wrong_state(liar, visit):
    """A state that was not given, or that is of another visit in the same browser."""
    start, other = visit.start("open"), visit.start("open")
    theirs = browsers.query_of(other.location)["state"]
    for state in ("", "x", proofs.token(), theirs[:44] + browsers.query_of(start.location)["state"][44:], None):
        answer = visit.through(answer=start, state=state)
        assert answer.status == 400, answer
    assert not visit.is_signed_in() and liar.requests == []


@pytest.mark.bcp("mix-up")
def test_mixed_up_issuer(world, liar, visit):
    """RFC 9207 and RFC 9700 §4.4: an answer that names another issuer, or comes to another provider's address."""
    assert visit.through(iss=world.node.issuer).status == 400
    assert visit.through(back="/federation/work/callback").status == 400
    assert liar.requests == [] and not visit.is_signed_in()
    # node-oidc-provider says that it names itself: without `iss` its answers are not its own.
    location = visit.start("work").location
    asked = browsers.query_of(location)
    assert visit.page("/federation/work/callback?" + urllib.parse.urlencode({"code": "x", "state": asked["state"]})).status == 400
    # Its own name is fine.
    assert visit.follow(visit.through(iss=liar.issuer)).status == 200


def test_another_browser(world, liar, visit):
    """An answer that is brought by another browser than the one that asked: nobody is signed in, neither here nor there."""
    start = visit.start("open")
    code, asked = liar.code_for(start.location)
    thief = Visit(world)
    thief.login_page()
    for browser in (thief.browser, browsers.Agent(world.gate.ca)):
        answer = browser.get(world.gate.issuer + "/federation/open/callback", {"code": code, "state": asked["state"]})
        assert answer.status == 400, answer
    assert not thief.is_signed_in() and liar.requests == []
    assert visit.through(answer=start).status == 303


def test_replayed_callback(world, liar, visit):
    """The same answer twice: the second finds nothing to finish, even at the same moment."""
    start = visit.start("open")
    code, asked = liar.code_for(start.location)
    url = asked["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": asked["state"]})
    cookies = dict(visit.browser.cookies)

    def once(_):
        browser = browsers.Agent(world.gate.ca)
        browser.cookies = dict(cookies)
        return browser.get(url).status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(once, range(4)))
    assert statuses == [303, 400, 400, 400]
    assert len(liar.requests) == 1
    assert visit.browser.get(url).status == 400


def test_head_and_post_use_nothing_up(liar, visit):
    start = visit.start("open")
    code, asked = liar.code_for(start.location)
    for method in ("HEAD", "POST"):
        answer = visit.browser.send(method, asked["redirect_uri"] + f"?code={code}&state={asked['state']}")
        assert answer.status in (403, 405), answer
    assert visit.through(answer=start).status == 303


def test_two_users_one_login(world, liar, visit):
    """A login is one user's: whoever links it second is told so."""
    liar.person = {"sub": "sub-shared-" + proofs.token(4)}
    other = Visit(world)
    assert visit.sign_in(world.gate.person()).status == 200 and other.sign_in(world.gate.person()).status == 200
    links = [(one, one.link("open")) for one in (visit, other)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        where = sorted(pool.map(lambda link: link[0].through(answer=link[1]).location.split("?")[1], links))
    assert where == ["done=linked", "problem=taken"], where
    page = visit.page("/account/logins?problem=taken")
    assert "belongs to another account" in page.text


def test_link_needs_its_own_session(world, liar, visit):
    """Signed out, or signed in as somebody else meanwhile: nothing is linked."""
    liar.person = {"sub": "sub-late-" + proofs.token(4)}
    visit.sign_in(world.gate.person())
    there = visit.link("open")
    session = visit.browser.cookies.pop("__Host-gatehouse-sso")
    assert "/login?flow=" in visit.through(answer=there).location
    other = Visit(world)
    other.sign_in(world.gate.person())
    visit.browser.cookies["__Host-gatehouse-sso"] = other.browser.cookies["__Host-gatehouse-sso"]
    assert visit.through(answer=there).location.endswith("/account/logins")
    assert liar.requests == []
    visit.browser.cookies["__Host-gatehouse-sso"] = session
    assert visit.through(answer=there).location.endswith("done=linked")


def test_last_way_in_stays(liar, visit):
    """Who has nothing but the linked login keeps it."""
    visit.follow(visit.through())
    unlink = next(form for form in visit.page("/account/logins").forms() if form.buttons_named("unlink"))
    answer = visit.browser.submit(unlink, {}, ("unlink", "1"))
    assert answer.location.endswith("?problem=last") and "only way" in visit.follow(answer).text


def test_disabled_user_is_nobody(world, liar, visit):
    """A disabled account is answered as one that is not there."""
    visit.follow(visit.through())
    found = made_for(world, liar)
    world.gate.admin("PATCH", f"/v1/users/{found['id']}", {"state": "disabled"})
    refused, unknown = Visit(world).through(), None
    liar.person = {"sub": "sub-unknown-" + proofs.token(4)}
    unknown = Visit(world).through()
    assert (refused.status, unknown.status) == (403, 403)
    without_id = [answer.text.split("<code>")[0] for answer in (refused, unknown)]
    assert len({text.split("flow=")[0] for text in without_id}) == 1


def test_authorization_request_goes_on(world, liar, visit):
    """A client's request ends at the client, through the outside provider; prompt=login asks there again."""
    client = world.gate.clients["web"]
    verifier = proofs.token(48)
    request = {"client_id": client.id, "redirect_uri": client.redirect, "response_type": "code", "scope": "openid", "state": "s",
               "code_challenge": proofs.s256(verifier), "code_challenge_method": "S256"}  # fmt: skip
    login = visit.follow(visit.browser.get(world.gate.issuer + "/authorize", request))
    journey = browsers.Journey(visit.browser, targets.origin(world.gate.issuer))
    journey.take(visit.through(answer=visit.start("open", login)))
    journey.go(None)
    assert journey.callback and "code" in journey.callback, journey

    login = visit.follow(visit.browser.get(world.gate.issuer + "/authorize", {**request, "prompt": "login"}))
    start = visit.start("open", login)
    asked = browsers.query_of(start.location)
    assert asked["prompt"] == "login" and asked["max_age"] == "0"
    assert visit.through(answer=start).status == 400, "it says nothing of when it asked"
    liar.change = lambda claims: {**claims, "auth_time": int(time.time())}
    assert visit.through(answer=visit.start("open", login)).status == 303


def test_pages_are_german(world, visit):
    visit.browser.language = "de"
    assert "Mit Example Corp anmelden" in visit.login_page().text


def test_provider_down(world, visit):
    """503 that says so; other ways go on. Last, since it takes the provider away."""
    alice = world.gate.users["alice"]
    start = visit.start("work")
    location = at_node(world, start.location, world.node.users["bob"])
    world.node.stop()
    down = visit.browser.get(location)
    assert down.status == 503 and down.header("retry-after") and "cannot be reached" in down.text, down
    assert "/login?flow=" in down.text
    assert visit.sign_in(alice).status == 200


def test_provider_never_seen(world):
    """A provider that was down from the beginning: its button says so."""
    gate = outside.Federated(lambda gate: [{
        "id": "gone", "name": "Gone", "issuer": f"https://localhost:{targets.free_port()}", "client_id": "x",
        "client_secret": gate.secret("gone.secret", "x")}])  # fmt: skip
    try:
        gate.start()
        world_of = type("W", (), {"gate": gate})
        visit = Visit(world_of)
        down = visit.start("gone")
        assert down.status == 503 and "Gone cannot be reached" in down.text, down
        assert visit.sign_in(gate.users["alice"]).status == 200
        assert visit.page("/federation/other?flow=x").status == 404
    finally:
        gate.stop()
