"""People at a gateway with identity: the gateway's configuration, their browsers without JavaScript, and where their mail and
short messages arrive."""

import base64
import email
import email.policy
import hashlib
import hmac
import html
import http.client
import http.server
import json
import pathlib
import queue
import re
import socket
import socketserver
import sys
import threading
import time
import urllib.parse

import wire

# The outside suite's browser: one exchange at a time, cookies and forms by hand.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "oidc"))

import agent  # noqa: E402

ISSUER = "https://login.shop.example"
PASSWORD = "correct horse battery staple"
MESSAGE_SECONDS = 10
SMS_SECRET = "a secret that signs short messages"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def with_identity(gatehouse, certificates, **keys):
    """A gateway, not started yet, that is the provider at ISSUER, on a listener with TLS; `keys` as for Gateway, those of
    `identity` merged."""
    identity = {"issuer": ISSUER, **keys.pop("identity", {})}
    listener = {"name": "public", "address": "127.0.0.1:0", "zone": "external", "tls": certificates.listener_tls("login.shop.example")}
    gate = gatehouse.prepare(identity=identity, listeners=[listener], **keys)
    gate.ca = certificates.ca
    return gate


# Without browsers: one plain listener.
IDENTITY = {"identity": {"issuer": ISSUER}}


def refusal(gate, environment=None):
    """The exit code and the words of a gateway that does not start."""
    gate.write()
    ended = gate.command("run", env=environment)
    return ended.returncode, re.sub(r"^.*?gatehouse: ", "", ended.stderr.strip(), flags=re.DOTALL)


class Connected(http.client.HTTPSConnection):
    """To the gateway, whatever the name resolves to."""

    def __init__(self, gate, parts, context):
        super().__init__(parts.hostname, timeout=agent.TIMEOUT_SECONDS, context=context)
        self.gate = gate

    def connect(self):
        plain = socket.create_connection(self.gate.address(), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Browser(agent.Agent):
    def __init__(self, gate, user_agent=FIREFOX, **options):
        super().__init__(gate.ca, **options)
        self.gate, self.user_agent = gate, user_agent

    def connect(self, parts):
        return Connected(self.gate, parts, self.context)

    def send(self, method, url, body=None, headers=()):
        return super().send(method, url, body, {"User-Agent": self.user_agent, **dict(headers)})

    def follow(self, answer):
        """The page that redirects lead to; one that leads elsewhere is given back as it is."""
        for _ in range(agent.STEPS_MAX):
            if not answer.is_redirect or not answer.location.startswith(ISSUER + "/"):
                return answer
            answer = self.get(answer.location)
        raise AssertionError(f"redirects without an end: {answer!r}")

    def open(self, path):
        return self.follow(self.get(path if path.startswith("https:") else ISSUER + path))

    def fill(self, page, wanted, values=(), button=None):
        """Submits the form of the page that has the field or the button `wanted`; the page that follows."""
        form = form_with(page, wanted)
        button = button or next((one for one in form.buttons if one[0] == wanted), None) or next(iter(form.buttons), None)
        return self.follow(self.submit(form, dict(values), button))

    def sign_in(self, name, password=PASSWORD, path="/login"):
        """The page after name and password."""
        return self.fill(self.open(path), "password", {"username": name, "password": password})


def form_with(page, wanted):
    found = [form for form in page.forms() if form.has(wanted) or form.buttons_named(wanted)]
    assert found, f"no form has {wanted}: {page!r}"
    return found[0]


def text_of(page):
    """What a page says, without its tags."""
    body = re.sub(r"(?s)<(script|style).*?</\1>", "", page.text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def place_of(page):
    return urllib.parse.urlsplit(page.url).path


def is_signed_in(browser):
    page = browser.open("/account")
    return place_of(page) == "/account" and page.status == 200


def admin(gate, method, path, body=None, status=None):
    """A call over the admin socket; its JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    fields = {"Content-Type": "application/json"} if data else {}
    answer = wire.ask(gate.parse(gate.ready["admin"]), wire.request(method, path, host="localhost", fields=fields, body=data))
    assert answer.status == (status or answer.status) and (status or answer.status < 300), (method, path, answer.status, answer.body)
    return json.loads(answer.body) if answer.body else None


def make_user(gate, name, **about):
    wanted = {"username": name, "password": PASSWORD, "email": f"{name}@shop.example", "email_verified": True, **about}
    return admin(gate, "POST", "/v1/users", {key: value for key, value in wanted.items() if value is not None}, 201)


def audited(gate, action, target=None):
    """The events of that action, the newest first."""
    query = f"?target={target}" if target else ""
    return [event for event in admin(gate, "GET", f"/v1/audit-events{query}")["events"] if event["action"] == action]


class Smtp(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 mail.test")
        to = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                self.say("250 mail.test")
            elif verb == b"RCPT":
                to.append(line.decode().partition("<")[2].partition(">")[0])
                self.say("250 yes")
            elif verb == b"DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b"."))
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.server.messages.put((to, str(message["subject"]), message.get_content().replace("\r\n", "\n")))
                to = []
                self.say("250 kept")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 fine")
        return None


class Post(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()


class Postbox:
    """A server on a port of its own, in a thread; `next()` waits for a message."""

    def __init__(self, server, handler):
        self.server = server(("127.0.0.1", 0), handler)
        self.server.messages = queue.Queue()
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def next(self, within=MESSAGE_SECONDS):
        try:
            return self.server.messages.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"no message in {within} s") from None

    def is_empty(self):
        return self.server.messages.empty()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Mailbox(Postbox):
    def __init__(self):
        super().__init__(socketserver.ThreadingTCPServer, Smtp)
        self.config = {"server": f"127.0.0.1:{self.port}", "from": "login@shop.example", "tls": "off"}

    def about(self, words, to):
        """Text of the next message whose subject says these words; others before it are put aside."""
        deadline = time.monotonic() + MESSAGE_SECONDS
        while True:
            recipients, subject, text = self.next(max(0.01, deadline - time.monotonic()))
            if words in subject:
                assert recipients == [to], recipients
                return text

    def link(self, words, to):
        return link_in(self.about(words, to))


class SmsCenter(Postbox):
    def __init__(self):
        super().__init__(http.server.ThreadingHTTPServer, Post)
        self.config = {"webhook": f"http://127.0.0.1:{self.port}/send", "secret": SMS_SECRET}

    def message(self):
        """The next message, whose signature must be good."""
        fields, body = self.next()
        parts = dict(part.split("=", 1) for part in fields["Gatehouse-Signature"].split(","))
        assert abs(int(parts["t"]) - time.time()) < 60
        signed = hmac.new(SMS_SECRET.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], signed), (fields, body)
        return json.loads(body)


def link_in(text):
    found = re.findall(r"https://\S+", text)
    assert len(found) == 1, text
    return found[0]


def code_in(text):
    found = re.findall(r"\b\d{6}\b", text)
    assert len(found) == 1, text
    return found[0]


# Second factors


def totp(secret, moment=None):
    """RFC 6238 as everybody's application has it: SHA-1, 30 seconds, six digits."""
    key = base64.b32decode(secret.replace(" ", "").upper() + "=" * (-len(secret.replace(" ", "")) % 8))
    digest = hmac.new(key, int((moment or time.time()) // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def choose_factor(browser, kind):
    """From the account's page to the form of that kind."""
    page = browser.fill(browser.open("/account/factors"), "begin")
    return browser.fill(page, "kind", button=("kind", kind))


def add_totp(browser, label="My phone"):
    """The secret of a new one."""
    page = choose_factor(browser, "totp")
    secret = re.search(r'<code id="secret">([A-Z2-7 ]+)</code>', page.text)[1]
    page = browser.fill(page, "code", {"code": totp(secret), "label": label})
    assert place_of(page) == "/account/factors" and label in html.unescape(page.text), page
    return secret


def recovery_codes(browser):
    page = browser.fill(browser.open("/account/factors"), "make")
    codes = re.findall(r"<li>([0-9A-Za-z-]+)</li>", page.text)
    assert len(codes) >= 8, page
    return codes


def factors_of(gate, name):
    return admin(gate, "GET", f"/v1/users/{name}/factors")["factors"]
