"""Outside providers that Gatehouse is a client of: node-oidc-provider, and one that says what a check tells it to."""

import http.server
import json
import pathlib
import shutil
import ssl
import tempfile
import threading
import time
import urllib.parse

import certificates
import proofs
import registry
import targets


class OutsideNode(targets.NodeTarget):
    """node-oidc-provider with one client: Gatehouse."""

    def __init__(self, redirect):
        super().__init__()
        self.clients = {"gatehouse": registry.Client("gatehouse", redirects=(redirect,), name="Gatehouse")}


class Liar:
    """An OpenID provider whose ID tokens are as `change` makes them. It signs in whoever `person` is, without a page."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="oidc-liar-"))
        self.folder.chmod(0o755)  # the program under test gives up root
        self.certificates = certificates.Certificates(self.folder)
        self.ca, self.key, self.person = self.certificates.ca, proofs.Key(), {"sub": "nobody"}
        self.userinfo, self.change, self.requests, self.codes = {}, lambda claims: claims, [], {}
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                liar.answer(self, None)

            def do_POST(self):
                liar.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificates.server())
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.issuer = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answer(self, request, body):
        path = urllib.parse.urlsplit(request.path).path
        made = {
            "/.well-known/openid-configuration": self.metadata, "/jwks": lambda: {"keys": [self.key.jwk()]},
            "/token": lambda: self.token(request, dict(urllib.parse.parse_qsl(body or ""))), "/me": lambda: self.userinfo,
        }.get(path)  # fmt: skip
        status, said = (404, {}) if made is None else (200, made())
        if said is None:
            status, said = 400, {"error": "invalid_grant"}
        text = json.dumps(said).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def metadata(self):
        return {"issuer": self.issuer, "authorization_endpoint": self.issuer + "/auth", "token_endpoint": self.issuer + "/token",
                "jwks_uri": self.issuer + "/jwks", "userinfo_endpoint": self.issuer + "/me", "response_types_supported": ["code"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"]}  # fmt: skip

    def code_for(self, location):
        """What its login page would do with the browser that was sent to `location`: a code for whoever `person` is."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        assert location.startswith(self.issuer + "/auth?") and asked["response_type"] == "code", location
        code = proofs.token()
        self.codes[code] = asked
        return code, asked

    def token(self, request, form):
        self.requests.append(form)
        asked = self.codes.pop(form.get("code"), None)
        good = asked and form["client_secret"] == "s e&cret" and form["redirect_uri"] == asked["redirect_uri"]
        if not good or proofs.s256(form["code_verifier"]) != asked["code_challenge"]:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": asked["client_id"], "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person}
        changed = self.change(dict(claims))
        signed = changed if isinstance(changed, str) else self.key.sign(changed)
        return {"access_token": proofs.token(), "token_type": "Bearer", "id_token": signed}


class Federated(targets.GatehouseTarget):
    """Gatehouse with two outside providers: `work`, whose logins are linked by their owners, and `open`, which makes
    accounts. `providers(gatehouse)` says what they are, once the address is known."""

    def __init__(self, providers):
        super().__init__()
        self.identity = {"federation": providers(self)}

    def secret(self, name, text):
        path = pathlib.Path(self.folder) / name
        path.write_text(text)
        path.chmod(0o644)
        return "${file:" + str(path) + "}"
