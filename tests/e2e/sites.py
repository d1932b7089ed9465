"""A whole site behind one Gatehouse: the provider, hosts on which people sign in, a service that says what it was told.

The provider's parts come from tests/oidc: its authority, its browser, the way through its pages.
"""

import base64
import http.server
import json
import os
import pathlib
import re
import socket
import sys
import threading
import urllib.parse

import gateway
import people
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oidc"))

import agent as browsers  # noqa: E402
import certificates  # noqa: E402
import registry  # noqa: E402
import targets  # noqa: E402

PAGE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}


class Echo(http.server.ThreadingHTTPServer):
    """A service that answers with what it was asked, as JSON."""

    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size).decode(errors="replace")
                told = {"method": self.command, "path": self.path, "body": body}
                told["fields"] = {name.lower(): value for name, value in self.headers.items()}
                data = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Browser(browsers.Agent):
    """As the suite's, for several hosts: each has its cookies, and all are on this machine."""

    def __init__(self, ca, **options):
        super().__init__(ca, **options)
        self.jars = {}

    def send(self, method, url, body=None, headers=()):
        self.cookies = self.jars.setdefault(urllib.parse.urlsplit(url).netloc, {})
        return super().send(method, url, body, headers)

    def connect(self, parts):
        connection = super().connect(parts)
        connection._create_connection = lambda address, *more: socket.create_connection(("127.0.0.1", address[1]), *more)
        return connection

    def visit(self, url, headers=PAGE):
        """Goes to a page and follows redirects wherever they lead."""
        answer = self.get(url, headers=headers)
        for _ in range(20):
            if not answer.is_redirect:
                return answer
            answer = self.get(urllib.parse.urljoin(answer.url, answer.location), headers=headers)
        raise AssertionError("redirects without an end")

    def click(self, answer, values=(), button=None, form=0):
        """Sends a form of the page and follows."""
        answer = self.submit(answer.forms()[form], values, button, {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
        for _ in range(20):
            if not answer.is_redirect:
                return answer
            answer = self.get(urllib.parse.urljoin(answer.url, answer.location), headers=PAGE)
        raise AssertionError("redirects without an end")

    def sign_in(self, url, user):
        """To a page that asks for it, through the login, and back to the page."""
        page = self.visit(url)
        assert page.forms() and page.forms()[0].has("password"), page
        return self.click(page, {"username": user.name, "password": user.password})

    def add_totp(self, page, user, moment=None):
        """From the page that demands a second factor to wherever it leads: an authenticator app is added."""
        wanted = next(i for i, form in enumerate(page.forms()) if "totp" in form.buttons_named("kind"))
        page = self.click(page, button=("kind", "totp"), form=wanted)
        text = re.sub(r"<[^>]+>", " ", page.text)
        secret = max(re.findall(r"\b[A-Z2-7]{4}(?: ?[A-Z2-7]{4}){3,}\b", text), key=len).replace(" ", "")
        user.totp = base64.b32decode(secret + "=" * (-len(secret) % 8))
        wanted = next(i for i, form in enumerate(page.forms()) if form.has("code"))
        page = self.click(page, {"code": user.code(moment)}, form=wanted)
        while "/login/" in page.url and page.forms():  # recovery codes are shown once
            page = self.click(page, button=next(iter(page.forms()[0].buttons), None))
        return page


class Site(gateway.Gateway):
    """shop.localhost and back.localhost behind one gateway, whose provider is localhost; `routes` and `keys` as
    Gateway has them. A user is made by `person`."""

    def __init__(self, routes=None, **keys):
        self.echo = Echo()
        self.port = targets.free_port()
        super().__init__([self.echo.url])
        self.authority = certificates.Certificates(self.dir)
        names = [x509.DNSName(name) for name in ("localhost", "shop.localhost", "back.localhost")]
        cert, key = self.authority.issue("site", ExtendedKeyUsageOID.SERVER_AUTH, names)
        self.issuer = f"https://localhost:{self.port}"
        self.shop, self.back = f"https://shop.localhost:{self.port}", f"https://back.localhost:{self.port}"
        tls = {"certificates": [{"cert": cert, "key": key}]}
        site = {
            "listeners": [self.listener(address=f"127.0.0.1:{self.port}", tls=tls)],
            "routes": routes or [self.route("shop"), self.route("back", host="back.localhost", access={"roles": ["staff"]})],
            "identity": {"issuer": self.issuer},
        }
        self.config = gateway.merge(gateway.merge(self.config, site), keys)

    @staticmethod
    def route(name, host="shop.localhost", path="/**", access=None, **keys):
        return {"name": name, "match": {"hosts": [host], "path": path}, "service": "main", "access": {"login": True, **(access or {})}, **keys}  # fmt: skip

    def browser(self, **options):
        return Browser(self.authority.ca, **options)

    def admin(self, method, path, body=None, status=None):
        return people.admin(self, method, path, body, status)

    def person(self, roles=(), **about):
        user = registry.person("person-" + os.urandom(5).hex())
        wanted = {"username": user.name, "password": user.password, "roles": list(roles), **about}
        user.sub = self.admin("POST", "/v1/users", wanted)["id"]
        return user

    def discard(self):
        self.echo.shutdown()
        super().discard()
