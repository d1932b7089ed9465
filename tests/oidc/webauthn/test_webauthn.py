"""WebAuthn in real Chromium with the DevTools protocol's virtual authenticator: WebAuthn Level 2 §7.1 and §7.2.

Each scenario of scenarios.mjs is a run of its own. What they know of the pages is in selectors.mjs.
"""

import pathlib
import re

import agent as browsers
import pytest
import targets
from script import Script

HERE = pathlib.Path(__file__).resolve().parent
ENROL = re.search(r"enrol: '([^']+)'", (HERE / "selectors.mjs").read_text())[1]


@pytest.fixture(scope="session")
def passkeys(target, metadata):
    """Skips where there is no page to enrol a passkey at, and says so."""
    answer = browsers.Agent(target.ca).get(targets.origin(target.issuer) + ENROL)
    if answer.status == 404:
        pytest.skip(f"{target.name} has no page at {ENROL} to enrol passkeys at")


class Ceremony(Script):
    """Makes authorization requests and redeems their codes for the browser's script."""

    def answer(self, asked):
        web = self.rp("web")
        if "request" in asked:
            self.sent = web.parameters(**asked["request"])
            self.verifier = web.verifier
            return {"url": browsers.with_query(web.metadata["authorization_endpoint"], self.sent)}
        code = browsers.query_of(asked["redeem"])["code"]
        answer = web.token("authorization_code", code=code, redirect_uri=self.sent["redirect_uri"], code_verifier=self.verifier)
        return {"claims": web.id_token(web.good(answer)["id_token"])}


def named():
    return re.findall(r"^  async (\w+)\(\) \{", (HERE / "scenarios.mjs").read_text(), re.M)


@pytest.mark.parametrize("scenario", named())
def test_passkeys(passkeys, target, rp, chromium, person, scenario):
    """WebAuthn Level 2 §7.1 (registration), §7.2 (authentication)."""
    cert, key = target.app_certificate
    one, other = person(), person()
    script = Ceremony(target, rp, "webauthn/scenarios.mjs", scenario, devtools=chromium, cert=cert, key=key)
    for name, user in (("user", one), ("other", other)):
        script.setup[name] = {"name": user.name, "password": user.password, "email": user.claims["email"]}
    script.run()
