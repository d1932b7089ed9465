"""`gatehouse dev`: what it prints works as it is pasted, and it leaves nothing behind."""

import html
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

import gateway
import sites
import wire
from sites import PAGE, SCRIPT


DEMO = pathlib.Path(__file__).resolve().parents[2] / "demo"


class Shop:
    def __init__(self, folder):
        self.tmp = folder
        self.said = folder / f"said-{len(list(folder.iterdir()))}"
        with open(self.said, "wb") as output:
            self.process = subprocess.Popen([gateway.BINARY, "dev"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env={**os.environ, **gateway.SANDBOXED, "TMPDIR": str(folder), "NO_COLOR": "1"},
                                            start_new_session=True)  # fmt: skip
        try:
            wire.eventually(self.said_all, within=600)  # its first start compiles the inspection rules
        except BaseException:
            self.process.terminate()
            raise
        self.url = re.search(r"https://localhost:\d+", self.text)[0]
        self.folder = pathlib.Path(re.search(rf"{folder}/gatehouse-\w+", self.text)[0])

    @property
    def text(self):
        return self.said.read_text()

    def said_all(self):
        assert self.process.poll() is None, self.text
        return "tail -f" in self.text

    def paste(self, what):
        """Runs the command that stands below the comment which holds these words, and returns its output."""
        lines = self.text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.strip().startswith("#") and what in line)
        return subprocess.run(["bash", "-c", lines[at + 1]], capture_output=True, text=True, timeout=30).stdout

    def person(self, name):
        """Who signs in with what the text tells."""
        password = re.search(rf"^  {name} .*?((?:\w{{4}}-){{3}}\w{{4}})$", self.text, re.MULTILINE)[1]
        return sites.registry.User(name, password, {})

    def browser(self):
        browser = sites.Browser(str(self.folder / "ca.pem"))
        browser.plain = (self.application.removeprefix("http://"),)
        return browser

    @property
    def application(self):
        return re.search(r"somebody else.s application: (http://\S+)", self.text)[1]

    def children(self):
        """Everything that was started for it, whoever its parent is now."""
        found = []
        for path in pathlib.Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != self.process.pid:
                if str(self.tmp).encode() in environment_of(path):
                    found.append(int(path.name))
        return found

    def gone(self):
        return not self.folder.exists() and not self.children()


def environment_of(path):
    try:
        return (path / "environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def shop(tmp_path):
    started = Shop(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        try:
            started.process.wait(15)
        except subprocess.TimeoutExpired:
            started.process.kill()


def test_what_it_prints_works(shop):
    assert json.loads(shop.paste("anyone may look"))["total"] == 6
    orders = json.loads(shop.paste("alice, a customer"))["orders"]
    assert {order["user"] for order in orders} == {"alice"}
    assert json.loads(shop.paste("second factor she may pay"))["state"] == "charged"
    assert {order["user"] for order in json.loads(shop.paste("olga"))["orders"]} >= {"alice", "bob"}
    assert json.loads(shop.paste("API key"))["total"] == 6
    told = dict(map(tuple, json.loads(shop.paste("what a service is told"))["fields"]))
    assert told["x-gatehouse-user"] == "alice" and "authorization" not in told


@pytest.mark.parametrize("attack, status", [("without a second factor", "403"), ("forged identity", "401"), ("out of the root", "400"),
                                            ("smuggling", "400"), ("SQL injection", "403"), ("script in a JSON body", "403")])  # fmt: skip
def test_attacks(shop, attack, status):
    assert re.match(rf"HTTP/[\d.]+ {status}", shop.paste(attack))


def link(page, words):
    """Where a link with this text leads."""
    place = re.search(rf'<a href="([^"]+)">{words}</a>', page.text)
    assert place, page
    return sites.urllib.parse.urljoin(page.url, html.unescape(place[1]))


def test_people_sign_in_and_pay_with_a_second_factor(shop):
    browser, alice = shop.browser(), shop.person("alice")
    front = browser.visit(shop.url + "/")
    assert front.status == 200 and "Reading lamp" in front.text, "anyone may look"
    account = browser.sign_in(link(front, "Your account"), alice)
    assert account.url == shop.url + "/account" and "Hello, alice" in account.text, account
    assert "ord-7f3a90c2e51b" in account.text and "ord-24c96ab7f0d5" not in account.text, "her orders, not bob's"
    told = dict(re.findall(r"<th>([^<]+)</th><td[^>]*>([^<]*)<", account.text))
    assert {name.lower().removeprefix("x-gatehouse-") for name in told} == {"auth", "user", "roles", "scopes", "identity"}, told
    assert told["x-gatehouse-auth"] == "session" and told["x-gatehouse-roles"] == "customer", told
    ordered = browser.click(account, {"product": "p-1003", "quantity": "2"})
    assert ordered.url == account.url and "2 × Wool blanket" in ordered.text, ordered
    # The second factor is asked in place, added, and leads to the page that wanted it.
    asked = browser.visit(link(ordered, "Pay"))
    assert asked.url.startswith(shop.url + "/id/"), asked
    form = browser.add_totp(asked, alice)
    assert form.url.startswith(shop.url + "/pay?order=ord-"), form
    paid = browser.click(form)
    assert paid.status == 201 and "Thank you, alice" in paid.text and "**** 4242" in paid.text, paid
    # Signed out: a copy of the cookie is worth nothing.
    forms = browser.visit(shop.url + "/account").forms()
    leave = next(form for form in forms if form.action.endswith("/.gatehouse/logout"))
    assert browser.submit(leave, {}, None, PAGE).is_redirect
    assert browser.get(shop.url + "/account", headers=SCRIPT).status == 401


def test_who_is_disabled_is_signed_out(shop):
    browser, alice = shop.browser(), shop.person("alice")
    browser.sign_in(shop.url + "/account", alice)
    assert "127.0.0.1" in shop.paste("who is signed in")
    assert "is disabled" in shop.paste("somebody leaves")
    wire.eventually(lambda: browser.get(shop.url + "/account", headers=SCRIPT).status == 401, within=2)
    assert re.search(r"alice +disabled", shop.paste("what became of whom"))
    again = browser.sign_in(shop.url + "/account", alice)
    assert again.url.startswith(shop.url + "/id/") and again.forms()[0].has("password"), "and does not come in again"


def test_a_form_of_another_site_orders_nothing(shop):
    browser = shop.browser()
    browser.sign_in(shop.url + "/account", shop.person("alice"))
    forged = browser.post(shop.url + "/account/orders", {"product": "p-1001", "quantity": "9"},
                          headers={**PAGE, "Sec-Fetch-Site": "cross-site", "Origin": shop.application})  # fmt: skip
    assert forged.status == 403 and "9 × " not in browser.visit(shop.url + "/account").text


def test_an_operator_sees_all_orders_and_does_not_pay(shop):
    browser = shop.browser()
    account = browser.sign_in(shop.url + "/account", shop.person("olga"))
    assert "Hello, olga" in account.text and "ord-24c96ab7f0d5" in account.text
    assert browser.visit(shop.url + "/pay?order=ord-24c96ab7f0d5").status == 403


def test_somebody_elses_application_gets_what_alice_allows(shop):
    browser, alice = shop.browser(), shop.person("alice")

    def connect():
        return browser.click(browser.visit(shop.application + "/"))

    login = connect()
    assert login.url.startswith(shop.url + "/id/"), login
    consent = browser.click(login, {"username": alice.name, "password": alice.password})
    assert "Parcel tracker" in consent.text and "See your orders" in consent.text, consent
    refused = browser.click(consent, button=("decision", "deny"))
    assert refused.url.startswith(shop.application) and "You said no" in refused.text, refused
    parcels = browser.click(connect(), button=("decision", "allow"))
    assert parcels.url == shop.application + "/" and "ord-7f3a90c2e51b" in parcels.text, parcels
    assert "ord-24c96ab7f0d5" not in parcels.text, "hers alone"
    for refused in ("POST /orders: 403", "POST /payments/charges: 403", "GET /account: 403"):
        assert refused in parcels.text, parcels
    names = [sites.urllib.parse.urlsplit(url).hostname for url in (shop.application, shop.url)]
    assert names[0] != names[1], "browsers keep cookies by host, whatever the port"
    assert "Connect your shop account" in browser.click(parcels).text, "disconnected"
    # What another browser began, or nobody, connects nothing.
    stolen = f"{shop.application}/callback?code=x&state=y&iss={shop.url}/id"
    assert browser.get(stolen, headers=PAGE).status == 400 and shop.browser().get(stolen, headers=PAGE).status == 400


def test_people_that_are_refused_close_the_shop(tmp_path):
    """Without anybody who can sign in there is nothing to show: it says why, and ends."""
    folder = shutil.copytree(DEMO, tmp_path / "demo")
    config = folder / "gatehouse.yaml"
    config.write_text(config.read_text().replace("  theme: {", "  passwords: { min_length: 64 }\n  theme: {"))
    place = tmp_path / "run"
    place.mkdir()
    run = subprocess.run([gateway.BINARY, "dev", "--port", "0", "--demo", folder], capture_output=True, text=True, timeout=600,
                         env={**os.environ, **gateway.SANDBOXED, "TMPDIR": str(place)}, stdin=subprocess.DEVNULL)  # fmt: skip
    assert run.returncode == 1 and "gatehouse dev: /v1/users answers 4" in run.stderr, run.stderr
    assert "The shop is open" not in run.stdout and not list(place.iterdir())


def test_without_a_phone(shop):
    run = subprocess.run(["python3", re.search(r"\S+/totp\.py", shop.text)[0], "GEZD GNBV GY3T QOJQ"], capture_output=True, text=True)
    key = sites.registry.User("", "", {}, totp=b"1234567890")
    assert run.stdout.strip() in (key.code(), key.code(time.time() - 30))
    for wrong in ("", "not a key 1"):
        assert subprocess.run(["python3", run.args[1], wrong], capture_output=True).returncode == 1


def test_scraping_is_slowed_down_and_explained(shop):
    statuses = shop.paste("scraping").split()
    assert "200" in statuses and "429" in statuses
    log = shop.folder / "access.log"
    refused = wire.eventually(lambda: [r for r in map(json.loads, log.read_text().splitlines()) if r["status"] == 429])
    command = next(line for line in shop.text.splitlines() if " explain " in line).replace("REQUEST_ID", refused[0]["request_id"])
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0 and "rate" in run.stdout


def test_its_folder_is_private(shop):
    assert shop.folder.stat().st_mode & 0o777 == 0o700
    for path in shop.folder.rglob("*"):
        if path.is_file() and (path.name.endswith(".key") or path.name in ("alice", "alice-mfa", "olga", "partner")):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_behind(shop, number):
    assert shop.children()
    shop.process.send_signal(number)
    assert shop.process.wait(15) == 0
    wire.eventually(shop.gone)


def test_not_even_when_it_is_killed(shop):
    shop.process.kill()
    shop.process.wait()
    wire.eventually(shop.gone, within=10)


def test_a_taken_port(shop, tmp_path):
    other = Shop(tmp_path)
    try:
        assert other.url != shop.url
        assert json.loads(other.paste("anyone may look"))["total"] == 6
    finally:
        other.process.send_signal(signal.SIGINT)
        assert other.process.wait(15) == 0


def test_the_dashboards_link_signs_in_once(shop):
    """As a browser does it: the code is behind the #, and the page sends it."""
    link = re.search(r"http://(127\.0\.0\.1:\d+)/#code=([\w-]{43})", shop.text)
    address = ("127.0.0.1", int(link[1].partition(":")[2]))

    def send(code):
        fields = {"Content-Type": "application/json", "X-Gatehouse-UI": "1"}
        return wire.ask(address, wire.request("POST", "/v1/session", host=link[1], fields=fields, body=json.dumps({"code": code}).encode()))

    answer = send(link[2])
    assert answer.status == 200 and json.loads(answer.body)["role"] == "administrator"
    assert send(link[2]).status == 401
    again = subprocess.run([gateway.BINARY, "dashboard", "-c", shop.folder / "gatehouse.yaml", "--role", "viewer"], capture_output=True, text=True, timeout=30)
    assert json.loads(send(again.stdout.strip().partition("=")[2]).body)["role"] == "viewer"
