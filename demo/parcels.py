#!/usr/bin/env python3
"""Parcel tracker: somebody else's application, which asks the shop's customers whether it may read their orders.

It does not stand behind the gateway and gets no password: it is a public client with the code flow and PKCE (RFC 6749,
7636, 9700), and has what the consent screen said, `orders:read`, for as long as its token lasts.
"""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pages
from service import Problem, Service, see_other

service = Service("parcels")
SCOPE, RESOURCE = "orders:read", "https://shop.example"
COOKIE, VISITORS_MAX = "parcels", 1000
ANSWER_BYTES_MAX = 1 << 20

options = None
lock = threading.Lock()
visitors = {}  # by their cookie: what was begun, and the token that it led to


class Visitor:
    def __init__(self):
        self.state = secrets.token_urlsafe(16)
        self.verifier = secrets.token_urlsafe(48)
        self.token, self.ends = None, 0


def visitor_of(request):
    for pair in request.handler.headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            with lock:
                return visitors.get(value)
    return None


def call(url, method="GET", form=None, token=None):
    """The status and the text that a server of the shop answers with."""
    fields = {"user-agent": "parcel-tracker/1.0", "accept": "application/json"}
    if token:
        fields["authorization"] = f"Bearer {token}"
    data = None if form is None else urllib.parse.urlencode(form).encode()
    # What the demo's certificate is verified with is made after this service has started.
    context = ssl.create_default_context(cafile=options.ca)
    try:
        asked = urllib.request.Request(url, data, fields, method=method)
        with urllib.request.urlopen(asked, timeout=10, context=context) as answer:
            return answer.status, answer.read(ANSWER_BYTES_MAX).decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(ANSWER_BYTES_MAX).decode()
    except OSError:
        raise Problem(502, "the shop does not answer") from None


def page(title, *parts):
    return 200, pages.page(title, *parts, name="Parcel tracker", links=(("/", "Parcels"),)), pages.KIND


def callback_of(request):
    return f"http://127.0.0.1:{request.handler.server.server_address[1]}/callback"


@service.route("GET", "/")
def front(request):
    visitor = visitor_of(request)
    if visitor is None or visitor.token is None or visitor.ends < time.monotonic():
        return page("Where is my parcel?", pages.Markup(INVITATION))
    status, text = call(f"{options.shop}/orders", token=visitor.token)
    if status != 200:  # withdrawn, say
        return page("Where is my parcel?", pages.markup("<p>The shop says {}.</p>\n", status), pages.Markup(INVITATION))
    lines = ([order["id"], order["product"], order["quantity"], where(order)] for order in json.loads(text)["orders"])
    tries = [[what, status_of(*request, token=visitor.token)] for what, *request in TRIES]
    return page("Your parcels", pages.markup(PARCELS, pages.rows(lines), pages.rows(tries)))


INVITATION = """<p>We look up what you ordered at the shop, and tell you where it is. The shop will ask you first.</p>
<form action="/connect"><button>Connect your shop account</button></form>
"""
PARCELS = """<table>
{}</table>
<h2>What else we tried with your token</h2>
<table>
{}</table>
<form method="post" action="/disconnect"><button>Disconnect</button></form>
"""
TRIES = (
    ("order something for you", "POST", "/orders"),
    ("pay", "POST", "/payments/charges"),
    ("open your account page", "GET", "/account"),
)


def where(order):
    return "on its way" if order["state"] == "placed" else "not sent"


def status_of(method, path, token):
    return f"{method} {path}: {call(options.shop + path, method, token=token)[0]}"


@service.route("GET", "/connect")
def connect(request):
    visitor, name = Visitor(), secrets.token_urlsafe(24)
    with lock:
        if len(visitors) >= VISITORS_MAX:
            visitors.pop(next(iter(visitors)))
        visitors[name] = visitor
    digest = hashlib.sha256(visitor.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": options.client_id,
        "redirect_uri": callback_of(request),
        "scope": SCOPE,
        "resource": RESOURCE,
        "state": visitor.state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    place = f"{options.issuer}/authorize?{urllib.parse.urlencode(query)}"
    return see_other(place, ("set-cookie", f"{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax"))


@service.route("GET", "/callback")
def callback(request):
    visitor, answer = visitor_of(request), request.query
    # The answer to what this browser began, from the provider that was asked (RFC 9700 §4.7, RFC 9207).
    if visitor is None or not secrets.compare_digest(answer.get("state", "").encode(), visitor.state.encode()):
        raise Problem(400, "this browser did not begin that")
    visitor.state = secrets.token_urlsafe(16)
    if answer.get("iss") != options.issuer:
        raise Problem(400, "that is not the shop's answer")
    if "code" not in answer:
        words = "You said no, and we know nothing." if answer.get("error") == "access_denied" else "The shop said no."
        return page("Not connected", pages.markup("<p>{}</p>\n", words), pages.Markup(INVITATION))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": callback_of(request),
        "client_id": options.client_id,
        "code_verifier": visitor.verifier,
    }
    status, text = call(f"{options.issuer}/token", "POST", form)
    if status != 200:
        raise Problem(502, "the shop gave no token")
    tokens = json.loads(text)
    visitor.token, visitor.ends = tokens["access_token"], time.monotonic() + tokens["expires_in"]
    return see_other("/")


@service.route("POST", "/disconnect")
def disconnect(request):
    visitor = visitor_of(request)
    if visitor is not None and visitor.token is not None:
        call(f"{options.issuer}/revoke", "POST", {"token": visitor.token, "client_id": options.client_id})
        visitor.token = None
    return see_other("/")


if __name__ == "__main__":
    parser = service.parser()
    parser.add_argument("--shop", required=True, help="https://localhost:8443")
    parser.add_argument("--issuer", required=True, help="the provider that the shop's customers sign in at")
    parser.add_argument("--client-id", default="parcel-tracker")
    parser.add_argument("--ca", help="what their certificate is verified with")
    options = parser.parse_args()
    service.serve(options)
