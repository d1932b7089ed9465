"""Clients that others wrote, unattended: what works for their users must work here. Each scenario is a run of its own."""

import json
import os
import pathlib
import re
import secrets
import select
import subprocess

import agent as browsers
import pytest
import targets
from script import Script

HERE = pathlib.Path(__file__).resolve().parent


def scenarios(script):
    """The names of a script's scenarios, so that none is forgotten here."""
    return re.findall(r"^  async (\w+)\(\) \{", (HERE / script).read_text(), re.M)


@pytest.mark.parametrize("scenario", scenarios("openid_client.mjs"))
def test_openid_client(target, rp, scenario):
    """openid-client 6."""
    Script(target, rp, "clients/openid_client.mjs", scenario).run()


def test_openid_client_with_nonces(careful, careful_rp):
    """openid-client 6 takes the nonces that DPoP proofs need, and sends its requests again (RFC 9449 §8)."""
    Script(careful, careful_rp, "clients/openid_client.mjs", "dpop").run()


def test_oauth4webapi_with_nonces(careful, careful_rp):
    """oauth4webapi 3 says that a nonce is needed, and takes it."""
    Script(careful, careful_rp, "clients/oauth4webapi.mjs", "dpop").run()


@pytest.mark.parametrize("scenario", scenarios("oauth4webapi.mjs"))
def test_oauth4webapi(target, rp, scenario):
    """oauth4webapi 3."""
    Script(target, rp, "clients/oauth4webapi.mjs", scenario).run()


@pytest.mark.parametrize("scenario", scenarios("page.mjs"))
def test_oidc_client_ts(target, rp, chromium, scenario):
    """oidc-client-ts 3 in Chromium."""
    cert, key = target.app_certificate
    Script(target, rp, "clients/page.mjs", scenario, devtools=chromium, cert=cert, key=key).run()


# Applications of their own


class App:
    def __init__(self, target, metadata, name):
        client, port = target.clients[name], target.app_ports[name]
        cert, key = target.app_certificate
        self.base = f"https://localhost:{port}"
        settings = {"issuer": metadata["issuer"], "base": self.base, "port": port, "id": client.id, "secret": client.secret, "cert": cert,
                    "key": key, "cookie": secrets.token_hex(32), "metadata": metadata}  # fmt: skip
        self.errors = open(target.folder / f"{name}.log", "w+")
        self.process = subprocess.Popen(["node", str(HERE / f"{name}_app.mjs"), json.dumps(settings)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, "NODE_EXTRA_CA_CERTS": target.ca})  # fmt: skip
        ready = select.select([self.process.stdout], [], [], 30)[0] and self.process.stdout.readline()
        assert ready == b"ready\n", open(self.errors.name).read()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.errors.close()


@pytest.fixture
def app(target, metadata):
    started = []

    def start(name):
        started.append(App(target, metadata, name))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def signed_in(target, app, browser):
    """Through the application's login, as a browser does it: back by redirect or by a form that a script sends."""
    answer = browser.get(app.base + "/login")
    assert answer.is_redirect, answer
    journey = browsers.Journey(browser, targets.origin(target.issuer))
    journey.take(browser.get(answer.location))
    journey.go(target.users["alice"])
    assert journey.redirect and "error" not in journey.callback, journey
    posted = any(form.action == journey.redirect for form in journey.last.forms())
    answer = browser.post(journey.redirect, journey.callback) if posted else browser.get(journey.redirect)
    assert answer.is_redirect, answer
    return journey


def test_express_openid_connect(target, app, metadata):
    """express-openid-connect: login, userinfo, refresh with rotation, logout at the provider."""
    web, browser = app("express"), browsers.Agent(target.ca)
    assert browser.get(web.base + "/who").json() is None
    signed_in(target, web, browser)
    who = browser.get(web.base + "/who").json()
    assert who["email"] == target.users["alice"].claims["email"] and who["refreshes"]
    assert browser.get(web.base + "/refresh").json()["rotated"] is True
    answer = browser.get(web.base + "/logout")
    assert answer.location.startswith(metadata["end_session_endpoint"]), answer
    journey = browsers.Journey(browser, targets.origin(target.issuer))
    journey.take(browser.get(answer.location))
    if journey.redirect is None:
        form = journey.last.forms()[0]
        journey.take(browser.submit(form, {}, next(iter(form.buttons), None)))
        journey.go(None)
    assert journey.redirect.rstrip("/") == web.base, journey
    assert browser.get(web.base + "/who").json() is None


def test_passport_openidconnect(target, app):
    """passport-openidconnect: login and the user's profile. It knows no PKCE: a client that may do without."""
    web, browser = app("passport"), browsers.Agent(target.ca)
    signed_in(target, web, browser)
    assert browser.get(web.base + "/who").json()["email"] == target.users["alice"].claims["email"]
