"""Who is registered at every target: users and clients, described once and translated by each target."""

import dataclasses
import hashlib
import hmac
import struct
import time

import proofs

CODE, REFRESH, CLIENT = "authorization_code", "refresh_token", "client_credentials"
DEVICE, EXCHANGE = "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"
EVERY_SCOPE = "openid profile email address phone offline_access"
ORDERS, STOCK = "https://orders.api.test/", "https://stock.api.test/"
RESOURCES = {ORDERS: "orders:read orders:write", STOCK: "orders:read"}
SPA_ORIGIN = "https://spa.test"


@dataclasses.dataclass
class User:
    name: str
    password: str
    claims: dict
    totp: bytes = b""
    sub: str = ""  # what the target calls it, once it is known

    def code(self, moment=None):
        """RFC 6238, SHA-1, six digits, 30 seconds."""
        digest = hmac.new(self.totp, struct.pack(">Q", int(moment or time.time()) // 30), hashlib.sha1).digest()
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


@dataclasses.dataclass
class Client:
    id: str
    auth: str = "client_secret_basic"
    grants: tuple = (CODE, REFRESH)
    redirects: tuple = ()
    scope: str = EVERY_SCOPE
    name: str = ""
    key: proofs.Key | None = None  # of private_key_jwt and request objects
    certificate: tuple = ()  # files of a client certificate and its key
    subject: str = ""  # of that certificate
    native: bool = False
    pkce_optional: bool = False
    dpop_nonce: bool = False
    id_token_alg: str = ""
    bound_to_certificate: bool = False
    logout_redirects: tuple = ()
    backchannel_logout: str = ""
    resources: tuple = ()  # that it may ask tokens for
    own_resources: tuple = ()  # its own as a service: it may exchange tokens made for them
    trusted: bool = False  # first party: no consent is asked
    secret: str | None = None  # set by the target when the client has one

    @property
    def redirect(self):
        return self.redirects[0] if self.redirects else None

    @property
    def public(self):
        return self.auth == "none"


def users():
    address = {"street_address": "1 Long Lane", "locality": "Bruges", "postal_code": "8000", "country": "BE"}
    alice = {
        "name": "Alice Archer", "given_name": "Alice", "family_name": "Archer", "preferred_username": "alice", "locale": "en",
        "zoneinfo": "Europe/Brussels", "email": "alice@shop.test", "email_verified": True,
        "phone_number": "+3250123456", "phone_number_verified": True, "address": address,
    }  # fmt: skip
    bob = {"name": "Bob Baker", "given_name": "Bob", "family_name": "Baker", "preferred_username": "bob", "email": "bob@shop.test",
           "email_verified": True}  # fmt: skip
    return {
        "alice": User("alice", "correct horse battery staple 1", alice),
        "bob": User("bob", "incorrect donkey lamp clip 2", bob),
    }


def person(name):
    return User(name, f"long enough for {name}, surely", {"email": f"{name}@shop.test", "email_verified": True})


def clients(certificates, logout_receiver, ports):
    """`certificates`: made by certificates.py; `logout_receiver`: the URL of the back-channel's test receiver; `ports`: where
    the applications of clients/ are served, by name."""
    app = {name: f"https://localhost:{port}" for name, port in ports.items()}
    made = [
        Client("web", redirects=("https://web.test/cb",), name="Web Shop", resources=(ORDERS, STOCK),
               scope=EVERY_SCOPE + " orders:read orders:write"),
        Client("post", "client_secret_post", redirects=("https://post.test/cb",)),
        Client("query", redirects=("https://query.test/cb?tenant=a",)),
        Client("many", redirects=("https://many.test/cb", "https://many.test/other")),
        Client("spa", "none", redirects=(f"{SPA_ORIGIN}/cb",)),
        Client("native", "none", redirects=("http://127.0.0.1/cb",), native=True),
        Client("other", redirects=("https://other.test/cb",)),
        Client("nopkce", redirects=("https://nopkce.test/cb",), pkce_optional=True),
        Client("rs256", redirects=("https://rs256.test/cb",), id_token_alg="RS256"),
        Client("coderesource", redirects=("https://cr.test/cb",), grants=(CODE,), scope="openid email"),
        Client("service", grants=(CLIENT,), scope="orders:read orders:write", resources=(ORDERS, STOCK)),
        Client("jwt", "private_key_jwt", grants=(CODE, REFRESH, CLIENT), redirects=("https://jwt.test/cb",),
               scope=EVERY_SCOPE + " orders:read", key=proofs.Key("ES256", "jwt-1"), resources=(ORDERS,)),
        Client("mtls", "tls_client_auth", grants=(CODE, REFRESH, CLIENT), redirects=("https://mtls.test/cb",),
               scope=EVERY_SCOPE + " orders:read", certificate=certificates.client("mtls"), subject="CN=mtls",
               bound_to_certificate=True, resources=(ORDERS,)),
        Client("dpop", "none", redirects=("https://dpop.test/cb",)),
        Client("nonce", "none", redirects=("https://nonce.test/cb",), dpop_nonce=True),
        Client("tv", "none", grants=(DEVICE, REFRESH)),
        Client("exchanger", grants=(EXCHANGE, CLIENT), scope="openid orders:read", resources=(ORDERS, STOCK),
               own_resources=(ORDERS,)),
        Client("logout", redirects=("https://logout.test/cb",), logout_redirects=("https://logout.test/bye",),
               backchannel_logout=logout_receiver),
        Client("express", redirects=(app["express"] + "/callback",), logout_redirects=(app["express"],)),
        Client("passport", "client_secret_post", redirects=(app["passport"] + "/callback",), pkce_optional=True),
        Client("page", "none", redirects=(app["page"] + "/callback",), logout_redirects=(app["page"] + "/bye",)),
    ]  # fmt: skip
    return {client.id: client for client in made}
