"""Clients that register themselves (RFC 7591), and clients whose keys are at an address (`jwks_uri`): Gatehouse with each
switched on, and a client that others wrote in the end."""

import http.server
import json
import ssl
import threading

import agent as browsers
import conftest
import proofs
import pytest
import registry
import relying
import targets

pytestmark = pytest.mark.skipif(conftest.NAME != "gatehouse", reason="how registration is switched on is Gatehouse's")

TOKEN = "a token for registration"


def switched_on(**identity):
    target = targets.GatehouseTarget(identity=identity)
    try:
        target.start()
        yield target
    finally:
        target.stop()


@pytest.fixture(scope="module")
def by_token(node_packages):
    yield from switched_on(client_registration="token", client_registration_token=TOKEN)


@pytest.fixture(scope="module")
def by_anybody(node_packages):
    yield from switched_on(client_registration="open")


def register(target, metadata, token=None):
    http = browsers.Agent(target.ca, accept="application/json")
    address = f"127.{proofs.secrets.randbelow(250) + 1}.{proofs.secrets.randbelow(250)}.1"
    http.source = (address, 0)  # what one address registers too much is held against no other
    where = conftest.discovered(target)["registration_endpoint"]
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return http.send("POST", where, json.dumps(metadata).encode(), headers)


def test_registered_client_signs_people_in(by_anybody):
    """RFC 7591 §3.2.1, §5: 201, no-store; then the whole code flow, with consent."""
    answer = register(by_anybody, {"redirect_uris": ["https://new.test/cb"], "client_name": "New", "scope": "openid email",
                                   "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]})  # fmt: skip
    assert answer.status == 201 and answer.header("cache-control") == "no-store", answer
    made = answer.json()
    assert made["redirect_uris"] == ["https://new.test/cb"] and made["client_id_issued_at"] > 0
    client = registry.Client(made["client_id"], redirects=("https://new.test/cb",), secret=made["client_secret"], scope="openid email")
    rp = relying.Relying(by_anybody, conftest.discovered(by_anybody), client)
    journey = rp.authorize(scope="openid email")
    assert "consent" in journey.asked, "nobody who registers himself is first party"
    assert rp.good(rp.redeem(journey))["id_token"]


def test_token_is_needed(by_token):
    """RFC 7591 §3: an initial access token."""
    metadata = {"redirect_uris": ["https://new.test/cb"]}
    for token in (None, "wrong"):
        answer = register(by_token, metadata, token)
        assert answer.status == 401 and answer.header("www-authenticate").startswith("Bearer"), answer
    assert register(by_token, metadata, TOKEN).status == 201


def test_machine_client_needs_the_token(by_token, by_anybody):
    metadata = {"grant_types": ["client_credentials"], "response_types": ["code"]}
    assert register(by_anybody, metadata).refusal() == "invalid_client_metadata"
    assert register(by_token, metadata, TOKEN).status == 201


def test_bad_redirect_uri(by_anybody):
    """RFC 7591 §3.2.2."""
    assert register(by_anybody, {"redirect_uris": ["http://new.test/cb"]}).refusal() == "invalid_redirect_uri"


def test_only_json(by_anybody):
    http = browsers.Agent(by_anybody.ca)
    answer = http.post(by_anybody.issuer + "/register", {"redirect_uris": "https://new.test/cb"})
    assert answer.refusal() == "invalid_client_metadata"
    assert http.get(by_anybody.issuer + "/register").status == 405


def test_off_by_default(target, metadata):
    assert "registration_endpoint" not in metadata
    assert browsers.Agent(target.ca).post(target.issuer + "/register", {}).status == 404


# Keys at an address


class KeyServer:
    """Serves a client's keys over TLS of the target's authority; counts how often it was asked."""

    def __init__(self, certificate):
        self.keys, self.asked = [], 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked += 1
                text = json.dumps({"keys": [key.jwk() for key in server.keys]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def key_server(by_token):
    server = KeyServer(by_token.app_certificate)
    yield server
    server.stop()


def test_keys_at_an_address(by_token, key_server):
    """RFC 7523 with `jwks_uri`: fetched once, verified, and a client whose server is away is told to wait."""
    key, stranger = proofs.Key(), proofs.Key()
    key_server.keys = [key]
    answer = register(by_token, {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": key_server.url,
                                 "grant_types": ["client_credentials"]}, TOKEN)  # fmt: skip
    assert answer.status == 201 and "client_secret" not in answer.json(), answer
    client = registry.Client(answer.json()["client_id"], "private_key_jwt", grants=(registry.CLIENT,), key=key)
    rp = relying.Relying(by_token, conftest.discovered(by_token), client)
    for _ in range(3):
        assert rp.token("client_credentials").status == 200
    assert key_server.asked == 1
    client.key = stranger
    for _ in range(3):
        assert rp.token("client_credentials").refusal() == "invalid_client"
    assert key_server.asked == 1, "an unknown key within ten seconds of the last fetch"

    away = register(by_token, {"token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"],
                               "jwks_uri": f"https://localhost:{targets.free_port()}/jwks"}, TOKEN).json()  # fmt: skip
    rp.client = registry.Client(away["client_id"], "private_key_jwt", grants=(registry.CLIENT,), key=key)
    answer = rp.token("client_credentials")
    assert answer.status == 503 and answer.json()["error"] == "temporarily_unavailable", answer
