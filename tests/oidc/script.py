"""A script of Node.js that speaks clients/bridge.mjs: it is told the target, and asks for what a user would do."""

import json
import os
import pathlib
import select
import subprocess
import time

import agent as browsers
import registry
import targets

HERE = pathlib.Path(__file__).resolve().parent
SCENARIO_SECONDS = 60


def described(client):
    about = {"id": client.id, "secret": client.secret, "auth": client.auth, "redirect": client.redirect, "id_token_alg": client.id_token_alg}
    if client.key:
        about["jwk"] = client.key.private_jwk(alg=client.key.algorithm)
    return about


class Script:
    """A client's script, and the user that it asks for."""

    def __init__(self, target, rp, script, scenario, **more):
        self.target, self.rp, self.browser = target, rp, browsers.Agent(target.ca)
        alice = target.users["alice"]
        self.setup = {
            "issuer": target.issuer_claim, "scenario": scenario, "resource": registry.ORDERS, "bye": "https://logout.test/bye",
            "clients": {name: described(client) for name, client in target.clients.items()},
            "user": {"name": alice.name, "password": alice.password, "email": alice.claims["email"]}, **more,
        }  # fmt: skip
        self.process = subprocess.Popen(["node", str(HERE / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, bufsize=1, env={**os.environ, "NODE_EXTRA_CA_CERTS": target.ca})  # fmt: skip

    def run(self):
        deadline = time.monotonic() + SCENARIO_SECONDS
        try:
            self.tell(self.setup)
            while True:
                assert select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0], "the script waits for something"
                line = self.process.stdout.readline()
                if not line:
                    break
                self.tell(self.answer(json.loads(line)))
            status = self.process.wait(10)
            assert status == 0, self.process.stderr.read()[-3000:]
        finally:
            self.process.kill()
            self.process.communicate()

    def tell(self, message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(self.process.stderr.read()[-3000:]) from None

    def answer(self, asked):
        browser = browsers.Agent(self.target.ca) if asked.get("fresh") else self.browser
        alice = None if asked.get("fresh") else self.target.users["alice"]
        if "device" in asked:
            import test_device

            begun = {"verification_uri": asked["device"]}
            page = test_device.code_page(self.rp("tv"), browser, begun)
            test_device.enter(self.rp("tv"), browser, page, asked["user_code"])
            return {}
        journey = browsers.Journey(browser, targets.origin(self.target.issuer))
        journey.take(browser.get(asked["visit"]))
        journey.go(alice)
        if journey.redirect is None and journey.last.forms():  # the confirmation of a logout
            form = journey.last.forms()[0]
            journey.take(browser.submit(form, {}, next(iter(form.buttons), None)))
            journey.go(alice)
        assert journey.redirect, f"the user came back to no client: {journey!r}"
        return {"redirect": journey.redirect}
