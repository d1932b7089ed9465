"""People sign in at the gateway: routes with `access: { login: true }`, the provider in the same process or outside."""

import base64
import contextlib
import json
import re
import signal
import sqlite3
import time

import gateway
import pytest
import sites
import wire
from sites import PAGE, SCRIPT

SESSION = "__Host-gatehouse-session"


@pytest.fixture(scope="module")
def site():
    routes = [
        sites.Site.route("shop"),
        sites.Site.route("pay", path="/pay/**", access={"mfa": True, "mfa_max_age": "5m"}),
        sites.Site.route("back", host="back.localhost", access={"roles": ["staff"]}),
        {"name": "open", "match": {"hosts": ["shop.localhost"], "path": "/open"}, "service": "main", "public": True},
    ]
    running = sites.Site(routes, login={"refresh": "10s", "scopes": ["openid", "profile"]}).start()
    yield running
    running.discard()


def told(answer):
    """What the service was told, if the request came there."""
    assert answer.status == 200, answer
    return answer.json()["fields"]


def jar(browser, url):
    return browser.jars[url.split("/")[2]]


def test_a_page_leads_through_the_login_and_back(site):
    browser, user = site.browser(), site.person(roles=["customer"])
    first = site.browser().get(site.shop + "/cart?item=1&x=%20y", headers=PAGE)
    assert first.status == 303 and first.location.startswith(site.issuer + "/authorize?"), first
    assert "no-store" in first.header("cache-control")
    answer = browser.sign_in(site.shop + "/cart?item=1&x=%20y", user)
    assert answer.url == site.shop + "/cart?item=1&x=%20y"
    fields = told(answer)
    assert fields["x-gatehouse-auth"] == "session" and fields["x-gatehouse-user"] == user.sub
    assert fields["x-gatehouse-roles"] == "customer"
    assert "cookie" not in fields, "the service is not given the session"
    assert site.record(request_id=answer.header("x-request-id"))["user"] == user.sub
    # The cookie: of this host alone, over https alone, out of reach of scripts; nothing in it can be read.
    made = next(c for a in browser.log for c in a.all("set-cookie") if c.startswith(SESSION + "="))
    assert re.fullmatch(SESSION + r"=[A-Za-z0-9_-]{100,3800}; Path=/; Secure; HttpOnly; SameSite=Lax", made), made
    assert not [name for name in jar(browser, site.shop) if name.startswith("__Host-gatehouse-login-")], "the attempt is over"


def test_a_program_gets_401_and_no_cookie(site):
    browser = site.browser()
    answer = browser.get(site.shop + "/api/orders", headers=SCRIPT)
    assert answer.status == 401 and answer.header("www-authenticate") == "Bearer"
    assert not answer.all("set-cookie")
    posted = browser.post(site.shop + "/api/orders", {"a": "b"}, headers=PAGE)
    assert posted.status == 401, "a form's content would be lost on the way through the login"
    session = browser.get(site.shop + "/.gatehouse/session", headers=SCRIPT)
    assert session.status == 401 and session.json()["login"] == "/.gatehouse/login"


def test_one_login_for_all_hosts_and_roles_on_each(site):
    browser, user = site.browser(), site.person(roles=["staff"])
    browser.sign_in(site.shop + "/", user)
    answer = browser.visit(site.back + "/desk")
    assert told(answer)["x-gatehouse-user"] == user.sub, "nobody is asked twice"
    assert jar(browser, site.back)[SESSION] != jar(browser, site.shop)[SESSION]
    # A session of one host is none of another.
    thief = site.browser()
    thief.jars[site.back.split("/")[2]] = {SESSION: jar(browser, site.shop)[SESSION]}
    assert thief.get(site.back + "/desk", headers=SCRIPT).status == 401
    customer = site.browser()
    customer.sign_in(site.shop + "/", site.person())
    assert customer.visit(site.back + "/desk").status == 403


def test_a_bearer_token_is_taken_on_the_same_route(site):
    """Browsers bring a session, programs a token of the same provider."""
    made = site.admin("POST", "/v1/clients", {"client_id": "batch", "client_name": "Batch", "settings": {
        "token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"],
        "audiences": ["https://shop.example"], "roles": ["staff"], "scope": "orders"}})  # fmt: skip
    agent = site.browser()
    token = agent.post(site.issuer + "/token", {
        "grant_type": "client_credentials", "client_id": "batch", "client_secret": made["client_secret"],
        "audience": "https://shop.example"}).json()["access_token"]  # fmt: skip
    bearer = {"Authorization": f"Bearer {token}"}
    assert told(agent.get(site.shop + "/api", headers=bearer))["x-gatehouse-auth"] == "jwt"
    # Taken back, it is refused at the gateway's own routes within a second or two, though it is known there.
    agent.post(site.issuer + "/revoke", {"token": token, "client_id": "batch", "client_secret": made["client_secret"]})
    assert wire.eventually(lambda: agent.get(site.shop + "/api", headers=bearer).status == 401)
    assert site.record(reason="auth.revoked")["status"] == 401


def test_another_sites_requests_do_nothing(site):
    browser, user = site.browser(), site.person()
    browser.sign_in(site.shop + "/", user)
    same = {"Sec-Fetch-Site": "same-origin"}
    assert told(browser.post(site.shop + "/orders", {"a": "b"}, headers=same))["x-gatehouse-user"] == user.sub
    for attack in [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {},
                   {"Origin": "null"}, {"Referer": "https://evil.example/" + site.shop}]:  # fmt: skip
        answer = browser.post(site.shop + "/orders", {"a": "b"}, headers=attack)
        assert answer.status == 403, attack
    assert site.record(reason="auth.csrf")
    # A GET that somebody was led to is a page; reading does no harm, and its cookie is Lax.
    assert browser.get(site.shop + "/orders", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 200
    assert browser.post(site.shop + "/.gatehouse/logout", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    # A route without `login` takes no notice of the session.
    public = browser.post(site.shop + "/open", {"a": "b"})
    assert told(public)["x-gatehouse-auth"] == "none" and "cookie" not in told(public)


def test_signing_out_ends_it_everywhere(site):
    browser, user = site.browser(), site.person(roles=["staff"])
    browser.sign_in(site.shop + "/", user)
    browser.visit(site.back + "/")
    kept = {url: dict(jar(browser, url)) for url in (site.shop, site.back, site.issuer)}
    question = browser.visit(site.shop + "/.gatehouse/logout")
    said = browser.click(question)
    assert "You are signed out" in said.text and said.url.endswith("/.gatehouse/signed-out")
    assert SESSION not in jar(browser, site.shop)
    # What somebody copied before is worth nothing: here, on the other host, at the provider.
    thief = site.browser()
    thief.jars = {url.split("/")[2]: cookies for url, cookies in kept.items()}
    assert thief.get(site.shop + "/", headers=SCRIPT).status == 401
    assert wire.eventually(lambda: thief.get(site.back + "/", headers=SCRIPT).status == 401)
    page = thief.visit(site.shop + "/")
    assert page.url.startswith(site.issuer + "/login"), "the provider asks again"


def test_what_administrators_end_is_over_within_a_second(site):
    for how in ("session", "disable"):
        browser, user = site.browser(), site.person()
        browser.sign_in(site.shop + "/", user)
        assert browser.get(site.shop + "/", headers=SCRIPT).status == 200
        if how == "session":
            site.admin("DELETE", f"/v1/users/{user.sub}/sessions")
        else:
            site.admin("PATCH", f"/v1/users/{user.sub}", {"state": "disabled"})
        assert wire.eventually(lambda: browser.get(site.shop + "/", headers=SCRIPT).status == 401), how


def test_roles_follow_while_somebody_is_at_work(site):
    """`refresh`: what the provider says is renewed beside the requests, and nobody waits or signs in again."""
    browser, user = site.browser(), site.person()
    answer = browser.sign_in(site.shop + "/", user)
    assert "x-gatehouse-roles" not in told(answer)
    before = jar(browser, site.shop)[SESSION]
    site.admin("PUT", f"/v1/users/{user.sub}/roles/boss")
    roles = []

    def look():
        roles.append(told(browser.get(site.shop + "/", headers=SCRIPT)).get("x-gatehouse-roles"))
        return roles[-1] == "boss"

    assert wire.eventually(look, within=15), roles
    assert jar(browser, site.shop)[SESSION] != before
    # The old cookie still serves who has it: a second tab, an answer that never came.
    late = site.browser()
    late.jars[site.shop.split("/")[2]] = {SESSION: before}
    assert late.get(site.shop + "/", headers=SCRIPT).status == 200


def test_a_sensitive_page_asks_for_a_second_factor_in_place(site):
    browser, user = site.browser(), site.person()
    browser.sign_in(site.shop + "/", user)
    refused = browser.get(site.shop + "/pay/now", headers=SCRIPT)
    assert refused.status == 401
    assert refused.header("www-authenticate") == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:gatehouse:acr:mfa", max_age="300"'
    )
    page = browser.visit(site.shop + "/pay/now?order=7")
    assert page.url.startswith(site.issuer), "whoever has no second factor is led to one"
    page = browser.add_totp(page, user)
    fields = told(page)
    assert page.url == site.shop + "/pay/now?order=7" and fields["x-gatehouse-user"] == user.sub
    assert told(browser.get(site.shop + "/pay/now", headers=SCRIPT))["x-gatehouse-auth"] == "session"
    assert browser.get(site.shop + "/.gatehouse/session").json()["mfa"] is True


def test_a_second_factor_that_got_old_is_asked_for_alone():
    """Not the password: what is old is proved anew, and nothing else."""
    site = sites.Site([sites.Site.route("pay", access={"mfa": True, "mfa_max_age": "3s"})]).start()
    try:
        browser, user = site.browser(), site.person()
        page = browser.sign_in(site.shop + "/", user)
        page = browser.add_totp(page, user, time.time() - 30)
        assert told(page)["x-gatehouse-user"] == user.sub
        time.sleep(4)
        page = browser.visit(site.shop + "/again")
        forms = page.forms()
        assert not any(form.has("password") for form in forms), page
        page = browser.click(page, {"code": user.code()}, form=next(i for i, form in enumerate(forms) if form.has("code")))
        assert page.url == site.shop + "/again" and told(page)["x-gatehouse-user"] == user.sub
    finally:
        site.discard()


def test_the_callback_is_for_who_began(site):
    victim, user = site.browser(), site.person()
    begun = victim.get(site.shop + "/", headers=PAGE)
    page = victim.visit(begun.location)
    answer = victim.submit(page.forms()[0], {"username": user.name, "password": user.password})
    while not answer.location.startswith(site.shop):
        answer = victim.get(answer.location if answer.location.startswith("https") else site.issuer + answer.location)
    callback = answer.location
    stranger = site.browser()
    assert stranger.get(callback, headers=PAGE).status == 400, "somebody else's browser did not begin this"
    assert victim.get(callback.replace("iss=", "iss=x"), headers=PAGE).status == 400
    victim.jars[site.shop.split("/")[2]].update({name: value for name, value in parse_cookies(begun)})
    assert victim.get(callback, headers=PAGE).status == 303
    victim.jars[site.shop.split("/")[2]].update({name: value for name, value in parse_cookies(begun)})
    assert victim.get(callback, headers=PAGE).status == 400, "a code is good once"


def parse_cookies(answer):
    return [cookie.split(";")[0].partition("=")[::2] for cookie in answer.all("set-cookie")]


def test_the_gateways_own_client_cannot_be_changed(site):
    assert site.admin("GET", "/v1/clients/gatehouse")["settings"]["first_party"] is True
    for method, path, body in [("DELETE", "/v1/clients/gatehouse", None),
                               ("PATCH", "/v1/clients/gatehouse", {"client_name": "x"})]:  # fmt: skip
        assert "configuration" in json.dumps(site.admin(method, path, body, 409))


def test_a_configuration_that_is_only_tried_out_changes_nothing():
    site = sites.Site().start()
    try:
        before = site.admin("GET", "/v1/clients/gatehouse")["settings"]["redirect_uris"]
        tried = json.loads(json.dumps(site.config))
        tried["routes"] = [site.route("other", host="other.localhost")]
        site.write(tried)
        done = gateway.run("reload", "--dry-run", "-c", site.config_path)
        assert done.returncode == 0, done.stderr
        assert site.admin("GET", "/v1/clients/gatehouse")["settings"]["redirect_uris"] == before
        site.write(site.config)
        assert site.browser().sign_in(site.shop + "/", site.person()).status == 200
    finally:
        site.discard()


def test_a_provider_that_hangs_holds_up_nothing_else():
    """Its token endpoint takes connections and says nothing, while many sessions want to be renewed."""
    provider = sites.Site(routes=[]).start()
    login = {"issuer": provider.issuer, "client_id": "the-shop", "client_secret": "known-later", "ca": provider.authority.ca,
             "refresh": "10s"}  # fmt: skip
    site = sites.Site([sites.Site.route("shop")], identity=None, login=login)
    try:
        made = provider.admin("POST", "/v1/clients", {"client_id": "the-shop", "client_name": "The Shop", "settings": {
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [f"{site.shop}/.gatehouse/callback"], "session_refresh": True, "first_party": True,
            "scope": "openid"}})  # fmt: skip
        site.config["login"]["client_secret"] = made["client_secret"]
        site.start()
        both = site.dir / "both.pem"
        both.write_bytes(open(site.authority.ca, "rb").read() + open(provider.authority.ca, "rb").read())
        first = sites.Browser(str(both))
        assert wire.eventually(lambda: first.get(site.shop + "/", headers=PAGE).status == 303), site.output()
        first.sign_in(site.shop + "/", provider.person())
        people = [first]
        for _ in range(11):  # one sign-in at the provider, many sessions here
            other = sites.Browser(str(both))
            other.jars[provider.issuer.split("/")[2]] = dict(jar(first, provider.issuer))
            assert other.visit(site.shop + "/").status == 200
            people.append(other)
        provider.process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        for one in people:
            assert one.get(site.shop + "/", headers=SCRIPT).status == 200
        began = time.monotonic()
        assert people[0].get(site.shop + "/.gatehouse/session", headers=SCRIPT).status == 200
        said = people[0].post(site.shop + "/.gatehouse/logout", headers={"Sec-Fetch-Site": "same-origin"})
        assert said.status == 303 and time.monotonic() - began < 3
        began = time.monotonic()
        assert site.stop(within=30) == 0 and time.monotonic() - began < 25
    finally:
        provider.process.send_signal(signal.SIGCONT)
        site.discard()
        provider.discard()


def test_sessions_outlive_a_restart_and_endings_too():
    site = sites.Site().start()
    try:
        stays, goes = site.browser(), site.browser()
        stays.sign_in(site.shop + "/", site.person())
        goes.sign_in(site.shop + "/", site.person())
        kept = dict(jar(goes, site.shop))
        goes.click(goes.visit(site.shop + "/.gatehouse/logout"))
        site.process.terminate()
        site.process.wait(20)
        site.start()
        assert stays.get(site.shop + "/", headers=SCRIPT).status == 200
        goes.jars[site.shop.split("/")[2]] = kept
        assert goes.get(site.shop + "/", headers=SCRIPT).status == 401
        # A reload keeps them as well; another idle time makes the gateway read them anew.
        site.config["login"] = {"session": {"idle": "20m"}}
        site.reload(site.config)
        assert stays.get(site.shop + "/", headers=SCRIPT).status == 200
        assert goes.get(site.shop + "/", headers=SCRIPT).status == 401
        # A host that comes with a reload is one where people can sign in.
        site.config["routes"].append(site.route("more", host="localhost", path="/more"))
        site.reload(site.config)
        assert stays.visit(f"https://localhost:{site.port}/more").status == 200
    finally:
        site.discard()


def test_cookies_change_with_the_keyring(site):
    """`gatehouse keys rotate` is a rotation of what seals them, too: nobody is signed out until the old key goes."""

    def key(browser):
        value = jar(browser, site.shop)[SESSION]
        return int.from_bytes(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))[:4], "big")

    def signed_in():
        browser = site.browser()
        told(browser.sign_in(site.shop + "/", site.person()))
        return browser

    def idle(browser):
        return browser.get(site.shop + "/api", headers={**SCRIPT, "Cookie": before}).status

    def ring():
        return json.loads(site.command("keys", "status", "--json").stdout)["data_keys"]["keys"]

    first = signed_in()
    old, before = key(first), f"{SESSION}={jar(first, site.shop)[SESSION]}"
    assert site.command("keys", "rotate").returncode == 0
    new = wire.eventually(lambda: (k := key(signed_in())) > old and k, 15, what="cookies stay under the key of before")
    someone = site.browser()
    assert idle(someone) == 200
    # Whoever goes on working has a cookie under the new key after its renewal (10 s here).
    wire.eventually(lambda: first.get(site.shop + "/api", headers=SCRIPT).status == 200 and key(first) == new, 30)
    wire.eventually(lambda: all(k["records"] == 0 for k in ring() if k["id"] == old), 30, what="records stay under the old key")
    with contextlib.closing(sqlite3.connect(next((site.dir / "data").glob("*.db")))) as store, store:
        store.execute("DELETE FROM keyring_keys WHERE id = ?", (old,))  # what an hour does
    wire.eventually(lambda: idle(someone) == 401, 10, what="a cookie under a key that is gone is read")
    assert first.get(site.shop + "/api", headers=SCRIPT).status == 200


def test_an_outside_provider():
    """The gateway has no identity of its own: another Gatehouse is the provider, which it knows by discovery."""
    provider = sites.Site(routes=[]).start()
    login = {"issuer": provider.issuer, "client_id": "the-shop", "client_secret": "known-later", "ca": provider.authority.ca}
    site = sites.Site(identity=None, login=login)
    site.config["routes"][1]["access"].pop("roles")
    try:
        made = provider.admin("POST", "/v1/clients", {"client_id": "the-shop", "client_name": "The Shop", "settings": {
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [f"{site.shop}/.gatehouse/callback", f"{site.back}/.gatehouse/callback"],
            "post_logout_redirect_uris": [f"{site.shop}/"], "session_refresh": True, "first_party": True,
            "backchannel_logout_uri": f"{site.shop}/.gatehouse/backchannel-logout", "scope": "openid"}})  # fmt: skip
        site.config["login"]["client_secret"] = made["client_secret"]
        site.start()
        # One browser that trusts both authorities.
        both = site.dir / "both.pem"
        both.write_bytes(open(site.authority.ca, "rb").read() + open(provider.authority.ca, "rb").read())
        browser, user = sites.Browser(str(both)), provider.person(roles=["staff"])
        assert wire.eventually(lambda: browser.get(site.shop + "/", headers=PAGE).status == 303), site.output()
        answer = browser.sign_in(site.shop + "/desk", user)
        assert told(answer)["x-gatehouse-user"] == user.sub and told(answer)["x-gatehouse-roles"] == "staff"
        assert browser.visit(site.back + "/").status == 200
        # Back and forth once more: the gateway ends its own session, and the provider's is ended by the browser's visit.
        kept = dict(jar(browser, site.shop))
        said = browser.click(browser.visit(site.shop + "/.gatehouse/logout"))
        assert said.url.startswith(provider.issuer), said
        thief = sites.Browser(str(both))
        thief.jars[site.shop.split("/")[2]] = kept
        assert thief.get(site.shop + "/", headers=SCRIPT).status == 401
        # Gone: who is signed in stays so, and who is not is told.
        browser = sites.Browser(str(both))
        browser.sign_in(site.shop + "/", user)
        provider.stop()
        assert browser.get(site.shop + "/", headers=SCRIPT).status == 200
        fresh = sites.Browser(str(both)).get(site.shop + "/", headers=PAGE)
        assert fresh.status == 303, "the provider is known, and may be back when the browser comes there"
    finally:
        site.discard()
        provider.discard()


def test_an_outside_provider_that_was_never_there():
    login = {"issuer": f"https://localhost:{sites.targets.free_port()}", "client_id": "the-shop", "client_secret": "s"}
    site = sites.Site(identity=None, login=login).start()
    try:
        browser = site.browser()
        page = browser.get(site.shop + "/", headers=PAGE)
        assert page.status == 503, page
        assert browser.get(site.shop + "/", headers=SCRIPT).status == 401
    finally:
        site.discard()


@pytest.mark.parametrize(("change", "says"), [
    (lambda c: c["routes"][0]["match"].pop("hosts"), "no exact host"),
    (lambda c: c["routes"][0]["match"].update(hosts=["*.localhost"]), "no exact host"),
    (lambda c: c["routes"][0].update(public=True), "access on a public route"),
    (lambda c: c.pop("identity"), "there is no provider"),
    (lambda c: c.update(login={"client_secret": "x"}), "client_secret without issuer"),
    (lambda c: c.update(login={"issuer": "https://p.example"}), "client_secret"),
    (lambda c: c.update(login={"refresh": "2h"}), "longer than idle"),
    (lambda c: c.update(login={"session": {"idle": "3h", "absolute": "2h"}}), "idle is longer than absolute"),
    (lambda c: c.update(login={"scopes": ["profile"]}), "openid"),
    (lambda c: c["routes"][1]["match"].update(path="/.gatehouse/x"), "below /.gatehouse/"),
    (lambda c: c["routes"][1].update(name="login"), 'the route name "login" is taken'),
])  # fmt: skip
def test_a_configuration_that_cannot_work_is_refused(change, says):
    site = sites.Site()
    try:
        config = json.loads(json.dumps(site.config))
        change(config)
        site.write(config)
        done = gateway.run("check", "-c", site.config_path)
        assert done.returncode == 2 and says in done.stderr + done.stdout, done.stdout + done.stderr
    finally:
        site.discard()
