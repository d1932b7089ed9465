"""What the suite runs against: how a provider is started, told its users and clients, and what it says it has.

A target gives: `issuer`, `ca` (the file that its certificate is verified with), `users`, `clients` (registry.py, with the
secrets the provider knows), and `differences`: what it does not do as the suite asks, and why.
"""

import http.client
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import certificates
import differences
import proofs
import pytest
import registry

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
START_SECONDS = 30
SHORT = {"code": 2, "device": 3, "access_token": 3}  # seconds, of a hasty provider: see `hasty`


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Target:
    name, differences = "", {}
    short = SHORT  # what a hasty provider of this kind makes shorter

    def __init__(self, hasty=False, logout_receiver="https://localhost:9/logout", prepare=None, nonces=False, identity=None):
        """`hasty`: codes, pushed requests, device codes and access tokens end after a few seconds, for what expires.
        `nonces`: DPoP proofs need nonces; at providers that demand them of some clients, the client `nonce` will do.
        `identity`: more of Gatehouse's configuration. `prepare`: is given a certificate for localhost, of the authority that the provider trusts."""
        self.hasty, self.nonces, self.identity = hasty, nonces, identity or {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"oidc-{self.name}-"))
        self.folder.chmod(0o755)
        self.certificates = certificates.Certificates(self.folder)
        self.ca = self.certificates.ca
        self.users = registry.users()
        self.app_ports = {name: free_port() for name in ("express", "passport", "page")}
        self.app_certificate = self.certificates.issue_receiver()
        self.clients = registry.clients(self.certificates, logout_receiver, self.app_ports)
        self.stranger = self.certificates.client("stranger")  # a certificate of no client
        self.process, self.port, self.issuer_claim = None, free_port(), None
        if prepare:
            prepare(self.app_certificate)

    def person(self):
        """A user that nobody else has."""
        raise NotImplementedError

    def outlive(self, what, told):
        """Waits until a `what` of `told` seconds has ended."""
        seconds = self.short.get(what, told)
        if seconds > 10 and not os.environ.get("GATEHOUSE_LONG"):
            pytest.skip(f"{self.name} keeps a {what} for {told} s: GATEHOUSE_LONG=1 waits for it")
        time.sleep(seconds + 1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not os.environ.get("OIDC_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def output(self):
        path = self.folder / "output.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""


class NodeTarget(Target):
    """node-oidc-provider: proves the suite."""

    name, differences = "node", differences.NODE
    PERSONS = 60  # must be known when it starts

    def __init__(self, **options):
        super().__init__(**options)
        self.persons = [registry.person(f"person{number}") for number in range(self.PERSONS)]

    def person(self):
        return self.persons.pop()

    @property
    def issuer(self):
        return f"https://localhost:{self.port}"

    def start(self):
        cert, key = self.certificates.server()
        settings = {
            "issuer": self.issuer, "port": self.port, "cert": cert, "key": key, "ca": self.ca, "jwks": self.jwks(),
            "users": [self.user(user) for user in [*self.users.values(), *self.persons]],
            "clients": [self.metadata(client) for client in self.clients.values()],
            "resources": {uri: {"scope": scope} for uri, scope in registry.RESOURCES.items()},
            "client_resources": {client.id: client.resources for client in self.clients.values()},
            "own_resources": {client.id: client.own_resources for client in self.clients.values()},
            "script_origins": [origin(client.redirect) for client in self.clients.values() if client.public and client.redirects],
            "ttl": self.lifetimes(),
            "dpop_nonce_clients": [client.id for client in self.clients.values() if client.dpop_nonce],
        }  # fmt: skip
        path = self.folder / "settings.json"
        path.write_text(json.dumps(settings))
        with open(self.folder / "output.log", "ab") as log:
            self.process = subprocess.Popen(
                ["node", str(HERE / "node_provider.mjs"), str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, env={**os.environ, "NODE_EXTRA_CA_CERTS": self.ca, "NODE_ENV": "production"})  # fmt: skip
        if not select.select([self.process.stdout], [], [], START_SECONDS)[0] or self.process.stdout.readline() != b"ready\n":
            raise AssertionError(f"the provider did not start\n{self.output()}")
        return self

    def jwks(self):
        return {"keys": [proofs.Key(algorithm).private_jwk(alg=algorithm, use="sig") for algorithm in ("ES256", "RS256")]}

    def lifetimes(self):
        usual = {"AccessToken": 600, "AuthorizationCode": 60, "DeviceCode": 600, "RefreshToken": 3600, "Session": 3600,
                 "Interaction": 600, "Grant": 3600, "IdToken": 600, "ClientCredentials": 600}  # fmt: skip
        if self.hasty:
            usual |= {"AccessToken": SHORT["access_token"], "AuthorizationCode": SHORT["code"], "DeviceCode": SHORT["device"]}
        return usual

    @staticmethod
    def user(user):
        user.sub = f"sub-{user.name}"
        return {"sub": user.sub, "username": user.name, "password": user.password, "claims": user.claims}

    @staticmethod
    def metadata(client):
        if client.auth.startswith("client_secret"):
            client.secret = proofs.token()
        about = {
            "client_id": client.id, "client_secret": client.secret, "token_endpoint_auth_method": client.auth,
            "grant_types": list(client.grants), "redirect_uris": list(client.redirects), "scope": client.scope,
            "response_types": ["code"] if registry.CODE in client.grants else [],
            "application_type": "native" if client.native else None, "client_name": client.name or None,
            "jwks": {"keys": [client.key.jwk()]} if client.key else None, "tls_client_auth_subject_dn": client.subject or None,
            "tls_client_certificate_bound_access_tokens": client.bound_to_certificate or None,
            "id_token_signed_response_alg": client.id_token_alg or "ES256",
            "post_logout_redirect_uris": list(client.logout_redirects) or None,
            "backchannel_logout_uri": client.backchannel_logout or None, "pkce_optional": client.pkce_optional or None,
        }  # fmt: skip
        return {name: value for name, value in about.items() if value is not None}


class GatehouseTarget(Target):
    """The program of GATEHOUSE_BIN with a configuration of its own. What it is told by is only here."""

    name, differences = "gatehouse", differences.GATEHOUSE
    short = {"access_token": 10}  # what is given to a client; nothing else can be told

    def __init__(self, **options):
        super().__init__(**options)
        self.binary = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build" / "release" / "gatehouse"))
        self.config_path = self.folder / "gatehouse.yaml"

    @property
    def issuer(self):
        return f"https://localhost:{self.port}"

    @classmethod
    def missing(cls):
        """Why this binary can't be asked; None when it can."""
        binary = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build" / "release" / "gatehouse"))
        if not os.access(binary, os.X_OK):
            return f"no program at {binary}: set GATEHOUSE_BIN"
        schema = subprocess.run([binary, "config", "schema"], capture_output=True, text=True, timeout=60).stdout
        if '"identity"' not in schema:
            return f"{binary} knows no `identity` in its configuration"
        return None

    def config(self):
        cert, key = self.certificates.server()
        self.folder.chmod(0o777)
        return {
            "version": 1, "trust_domain": "shop.test", "data_dir": str(self.folder / "data"),
            "process": {"drain_timeout": "1s"},
            "listeners": [{
                "name": "public", "address": f"127.0.0.1:{self.port}", "zone": "external",
                "tls": {"certificates": [{"cert": cert, "key": key}], "client_ca": self.ca, "client_auth": "optional"},
            }],
            "services": {}, "routes": [], "waf": {"mode": "off"},  # the protocol is judged, and no rule before it
            "identity": {"issuer": self.issuer, "dpop_nonces": self.nonces, **self.identity},
            # one address sends all of the checks' bad requests: nothing is held against it
            "penalties": {"failed_logins": {"threshold": 1_000_000}, "attacks": {"threshold": 1_000_000}},
            "rate_limit": [{"key": "client_ip", "rate": "100000/s", "burst": 100000}],
            "telemetry": {"access_log": {"to": str(self.folder / "access.log"), "format": "json"}},
            "admin": {"address": f"unix:{self.folder}/admin.sock"},
        }  # fmt: skip

    def start(self):
        self.config_path.write_text(json.dumps(self.config(), indent=2))
        self.config_path.chmod(0o644)
        reading, writing = os.pipe()
        with open(self.folder / "output.log", "ab") as log:
            command = [self.binary, "run", "-c", str(self.config_path), "--ready-fd", str(writing)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing],
                                            env={**os.environ, "SSL_CERT_FILE": self.ca})  # fmt: skip
        os.close(writing)
        deadline, line = time.monotonic() + START_SECONDS, b""
        while not line.endswith(b"\n"):
            if not select.select([reading], [], [], max(0, deadline - time.monotonic()))[0] or not (data := os.read(reading, 65536)):
                raise AssertionError(f"the program did not start\n{self.output()}")
            line += data
        os.close(reading)
        for user in self.users.values():
            self.create_user(user)
        for client in self.clients.values():
            self.create_client(client)
        return self

    def admin(self, method, path, body):
        """A call of the admin API over its Unix socket; its JSON."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.folder / "admin.sock"))
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        assert response.status in (200, 201), f"{method} {path} {json.dumps(body)}: {response.status} {text}"
        return json.loads(text)

    def create_user(self, user):
        derived = ("preferred_username", "phone_number_verified")
        about = {name: value for name, value in user.claims.items() if name not in derived}
        wanted = {"username": user.name, "password": user.password, **about}
        try:
            made = self.admin("POST", "/v1/users", wanted)
        except AssertionError as refusal:
            if "'address'" not in str(refusal):
                raise
            del wanted["address"]  # then the check of the scope `address` fails, and says so
            made = self.admin("POST", "/v1/users", wanted)
        user.sub = made.get("id", "")

    def create_client(self, client):
        settings = {
            "token_endpoint_auth_method": client.auth, "grant_types": list(client.grants), "scope": client.scope,
            "redirect_uris": list(client.redirects), "post_logout_redirect_uris": list(client.logout_redirects),
            "audiences": list(client.resources), "own_audiences": list(client.own_resources),
            "backchannel_logout_uri": client.backchannel_logout, "tls_client_auth_subject_dn": client.subject,
            "jwks": json.dumps({"keys": [client.key.jwk()]}) if client.key else "",
            "id_token_signed_response_alg": client.id_token_alg or "ES256", "require_pkce": not client.pkce_optional,
            "tls_client_certificate_bound_access_tokens": client.bound_to_certificate,
            "access_token_seconds": self.short["access_token"] if self.hasty else 600,
        }  # fmt: skip
        settings = {name: value for name, value in settings.items() if value not in ("", [])}
        made = self.admin("POST", "/v1/clients", {"client_id": client.id, "client_name": client.name or client.id, "settings": settings})
        client.secret = made.get("client_secret")

    def person(self):
        user = registry.person("person-" + os.urandom(5).hex())
        self.create_user(user)
        return user


TARGETS = {"node": NodeTarget, "gatehouse": GatehouseTarget}


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
