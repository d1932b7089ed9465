"""docs/identity-api.yaml held against the server: every operation answers as it says, done and refused, with bodies that are
valid and hold nothing else; and nothing is served that it does not list."""

import itertools
import json
import re

import pytest

import api_document
import gateway
import people
import wire

TOKEN = "correct-horse-battery-staple"
DOCUMENT = api_document.Document("identity-api.yaml")
operations = DOCUMENT.operations
USER, ROLE, FACTORS, SESSIONS = "/v1/users/{user}", "/v1/users/{user}/roles/{role}", "/v1/users/{user}/factors", "/v1/users/{user}/sessions"
GROUP, MEMBER, GROUP_ROLE = "/v1/groups/{group}", "/v1/groups/{group}/members/{user}", "/v1/groups/{group}/roles/{role}"
CLIENT = "/v1/clients/{client}"
ABOUT = {
    "name": "Ada L.", "given_name": "Ada", "family_name": "Lovelace", "nickname": "A", "phone_number": "+3250123456", "locale": "en-GB",
    "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "picture": "https://shop.example/ada.png", "website": "https://ada.example",
    "gender": "female", "address": {"street_address": "1 Long Lane", "locality": "London", "region": "-", "postal_code": "1", "country": "GB"},
}  # fmt: skip


def walk_users(api):
    made = api.ask("POST", "/v1/users", {"username": "ada", "email": "ada@shop.example", "email_verified": True, "password": people.PASSWORD,
                                         "roles": ["customer"], **ABOUT}, 201)  # fmt: skip
    assert made["state"] == "active" and made["has_password"] and "invitation" not in made
    invited = api.ask("POST", "/v1/users", {"username": "bob", "email": "bob@shop.example"}, 201)
    assert invited["state"] == "invited" and invited["invitation"].startswith("https://")
    for bad in ({}, {"username": "a b"}, {"username": "eve", "password": "short"}, {"username": "eve", "nick": "x"}, {"username": 5},
                {"username": "eve", "address": "x"}, {"username": "eve", "address": {"city": "x"}}, "[]", "{"):  # fmt: skip
        api.ask("POST", "/v1/users", bad, 400)
    api.ask("POST", "/v1/users", {"username": "ada", "password": people.PASSWORD}, 409)
    api.ask("POST", "/v1/users", "{}", 415, content_type="text/plain")
    for query, names in (("", ["ada", "bob"]), ("?prefix=a", ["ada"]), ("?role=customer", ["ada"]), ("?group=none", []),
                         ("?state=invited", ["bob"]), ("?after=ada", ["bob"]), ("?limit=1", ["ada"])):  # fmt: skip
        assert [user["username"] for user in api.ask("GET", f"/v1/users{query}")["users"]] == names, query
    for query in ("limit=0", "limit=501", "limit=x", "state=no", "no=1", "prefix=%zz"):
        api.ask("GET", f"/v1/users?{query}", status=400)
    assert api.ask("GET", "/v1/users/ada", path=USER) == api.ask("GET", f"/v1/users/{made['id']}", path=USER)
    assert api.ask("PATCH", "/v1/users/ada", {"name": "Ada", "email_verified": False}, path=USER)["name"] == "Ada"
    for bad in ({"state": "no"}, {"roles": []}, {"email_verified": "yes"}, {"email": "no address"}, {"password": "short"}):
        api.ask("PATCH", "/v1/users/ada", bad, 400, path=USER)
    api.ask("PATCH", "/v1/users/ada", "{}", 415, path=USER, content_type="text/plain")
    assert api.ask("POST", "/v1/users/bob/invitation", {}, path=USER + "/invitation")["invitation"] != invited["invitation"]
    api.ask("POST", "/v1/users/ada/invitation", {}, 409, path=USER + "/invitation")
    api.ask("PUT", "/v1/users/ada/roles/chief", path=ROLE)
    assert api.ask("GET", "/v1/users/ada", path=USER)["roles"] == ["chief", "customer"]
    api.ask("PUT", "/v1/users/ada/roles/a%20b", path=ROLE, status=400)
    api.ask("DELETE", "/v1/users/ada/roles/chief", path=ROLE)
    api.ask("DELETE", "/v1/users/nobody/roles/chief", path=ROLE, status=404)
    for method in ("GET", "PATCH", "DELETE"):
        api.ask(method, "/v1/users/nobody", {} if method == "PATCH" else None, 404, path=USER)


def walk_factors_and_sessions(api, browser):
    api.ask("PATCH", "/v1/users/ada", {"email_verified": True}, path=USER)
    browser.sign_in("ada")
    people.add_totp(browser, "My phone")
    factor, = api.ask("GET", "/v1/users/ada/factors", path=FACTORS)["factors"]
    assert (factor["kind"], factor["label"]) == ("totp", "My phone")
    one = FACTORS + "/{factor}"
    api.ask("DELETE", f"/v1/users/ada/factors/{factor['id']}", path=one)
    api.ask("DELETE", f"/v1/users/ada/factors/{factor['id']}", path=one, status=404)
    people.add_totp(browser, "Her phone")
    api.ask("DELETE", "/v1/users/ada/factors", path=FACTORS)
    assert api.ask("GET", "/v1/users/ada/factors", path=FACTORS)["factors"] == []
    api.ask("DELETE", "/v1/users/nobody/factors", path=FACTORS, status=404)
    api.ask("GET", "/v1/users/nobody/factors", path=FACTORS, status=404)
    logins = "/v1/users/{user}/logins"
    assert api.ask("GET", "/v1/users/ada/logins", path=logins)["logins"] == []
    api.ask("DELETE", "/v1/users/ada/logins", path=logins)
    for method in ("GET", "DELETE"):
        api.ask(method, "/v1/users/nobody/logins", path=logins, status=404)
    other = people.Browser(api.gate)
    other.sign_in("ada")
    sessions = api.ask("GET", "/v1/users/ada/sessions", path=SESSIONS)["sessions"]
    assert len(sessions) == 2 and sessions[0]["client_ip"] == "127.0.0.1"
    page = api.ask("GET", "/v1/sessions?limit=1")
    assert [one["username"] for one in page["sessions"]] == ["ada"] and page["next"]
    rest = api.ask("GET", f"/v1/sessions?after={page['next']}")
    assert "next" not in rest and {one["id"] for one in page["sessions"] + rest["sessions"]} == {one["id"] for one in sessions}
    for query in ("limit=0", "limit=501", "limit=x", "after=x", "after=1.'", "no=1", "limit=1&limit=2", "after=%zz"):
        api.ask("GET", f"/v1/sessions?{query}", status=400)
    api.ask("DELETE", f"/v1/sessions/{sessions[0]['id']}", path="/v1/sessions/{session}")
    api.ask("DELETE", f"/v1/sessions/{sessions[0]['id']}", path="/v1/sessions/{session}", status=404)
    assert api.ask("DELETE", "/v1/users/ada/sessions", path=SESSIONS)["ended"] == 1
    api.ask("DELETE", "/v1/users/nobody/sessions", path=SESSIONS, status=404)
    api.ask("GET", "/v1/users/nobody/sessions", path=SESSIONS, status=404)
    wire.eventually(lambda: not people.is_signed_in(browser) and not people.is_signed_in(other))


def walk_groups(api):
    assert api.ask("GET", "/v1/groups")["groups"] == []
    assert api.ask("POST", "/v1/groups", {"name": "staff", "description": "Who works here"}, 201)["members"] == 0
    made = api.ask("POST", "/v1/users", {"username": "new", "groups": ["staff"]}, 201)
    assert made["groups"] == ["staff"] and "invitation" in made
    for bad in (["none"], "staff", [5]):
        api.ask("POST", "/v1/users", {"username": "newer", "groups": bad}, 400)
    api.ask("DELETE", "/v1/users/new", path=USER)
    api.ask("POST", "/v1/groups", {"name": "staff"}, 409)
    for bad in ({}, {"name": ""}, {"name": "x" * 1000}, {"name": "a\tb"}, {"name": 5}, {"name": "x", "color": "red"}):
        api.ask("POST", "/v1/groups", bad, 400)
    api.ask("PUT", "/v1/groups/staff/members/ada", path=MEMBER)
    api.ask("PUT", "/v1/groups/staff/roles/clerk", path=GROUP_ROLE)
    group = api.ask("GET", "/v1/groups/staff", path=GROUP)
    assert (group["members"], group["roles"]) == (1, ["clerk"]) and api.ask("GET", "/v1/groups")["groups"] == [group]
    user = api.ask("GET", "/v1/users/ada", path=USER)
    assert "clerk" in user["effective_roles"] and "clerk" not in user["roles"] and user["groups"] == ["staff"]
    for method in ("PUT", "DELETE"):
        api.ask(method, "/v1/groups/staff/members/nobody", path=MEMBER, status=404)
        api.ask(method, "/v1/groups/none/members/ada", path=MEMBER, status=404)
        api.ask(method, "/v1/groups/none/roles/clerk", path=GROUP_ROLE, status=404)
    api.ask("DELETE", "/v1/groups/staff/roles/clerk", path=GROUP_ROLE)
    api.ask("DELETE", "/v1/groups/staff/members/ada", path=MEMBER)
    api.ask("DELETE", "/v1/groups/staff", path=GROUP)
    for method in ("GET", "DELETE"):
        api.ask(method, "/v1/groups/staff", path=GROUP, status=404)


def walk_clients(api):
    settings = {"token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": ["https://app.shop.example/callback"], "scope": "openid profile"}  # fmt: skip
    made = api.ask("POST", "/v1/clients", {"client_id": "app", "client_name": "The app", "settings": settings}, 201)
    assert made["client_secret"] and "client_secret" not in api.ask("GET", "/v1/clients/app", path=CLIENT)
    api.ask("POST", "/v1/clients", {"client_id": "app", "client_name": "The app", "settings": settings}, 409)
    for bad in ({"client_id": "a b", "client_name": "x"}, {"client_id": "x", "settings": {"redirect_uris": ["http://evil.example/"]}},
                {"client_id": "x", "client_name": "x", "settings": {"no": 1}}, {"client_id": "x", "secret": "s"}):  # fmt: skip
        api.ask("POST", "/v1/clients", bad, 400)
    assert [client["client_id"] for client in api.ask("GET", "/v1/clients?limit=1000&after=a")["clients"]] == ["app"]
    api.ask("GET", "/v1/clients?limit=1001", status=400)
    changed = api.ask("PATCH", "/v1/clients/app", {"client_name": "Our app", "enabled": False, "settings": {"mfa": True}}, path=CLIENT)
    assert (changed["client_name"], changed["enabled"], changed["settings"]["mfa"]) == ("Our app", False, True)
    assert changed["settings"]["redirect_uris"] == settings["redirect_uris"], "what isn't named stays"
    for bad in ({"enabled": 1}, {"client_id": "other"}, {"settings": {"grant_types": ["password"]}}):
        api.ask("PATCH", "/v1/clients/app", bad, 400, path=CLIENT)
    secret = api.ask("POST", "/v1/clients/app/secret", {}, path=CLIENT + "/secret")["client_secret"]
    assert secret != made["client_secret"]
    api.ask("DELETE", "/v1/clients/app", path=CLIENT)
    for method in ("GET", "PATCH", "DELETE"):
        api.ask(method, "/v1/clients/app", {} if method == "PATCH" else None, 404, path=CLIENT)
    api.ask("POST", "/v1/clients/app/secret", {}, 404, path=CLIENT + "/secret")


def walk_the_rest(api):
    keys = api.ask("GET", "/v1/signing-keys")["keys"]
    rotated = api.ask("POST", "/v1/signing-keys/rotate", {})["keys"]
    assert {key["id"] for key in keys} <= {key["id"] for key in rotated}, "old ones stay published"
    assert {key["id"] for key in keys if key["state"] == "signing"} & {key["id"] for key in rotated if key["state"] == "previous"}
    assert [key["state"] for key in rotated if key["id"] not in {key["id"] for key in keys}] == ["next", "next"]
    api.ask("POST", "/v1/signing-keys/rotate", {"now": True}, 400)
    sealing = api.ask("GET", "/v1/data-keys")
    assert [key["state"] for key in sealing["keys"]] == ["current"] and sealing["keys"][0]["records"] > 0
    assert [key["state"] for key in api.ask("POST", "/v1/data-keys/rotate", {})["keys"]] == ["previous", "current"]
    api.ask("POST", "/v1/data-keys/rotate", {"now": True}, 400)
    events = api.ask("GET", "/v1/audit-events?limit=1000")["events"]
    assert events == sorted(events, key=lambda event: event["id"], reverse=True)
    assert {event["action"] for event in events} >= {"user.create", "group.create", "client.create", "session.end", "signing_keys.rotate",
                                                        "data_keys.rotate"}  # fmt: skip
    target = events[-1]["target"]
    assert {event["target"] for event in api.ask("GET", f"/v1/audit-events?target={target}")["events"]} == {target}
    assert api.ask("GET", f"/v1/audit-events?before={events[0]['id']}&limit=1")["events"] == events[1:2]
    for query in ("limit=0", "limit=1001", "no=1", "target=%zz"):
        api.ask("GET", f"/v1/audit-events?{query}", status=400)
    api.ask("DELETE", "/v1/users/bob", path=USER)
    api.ask("GET", "/v1/users/bob", path=USER, status=404)


# Which of these can be refused only when the store is gone.
NEVER_REFUSED = {("GET", "/v1/groups", "default"), ("GET", "/v1/signing-keys", "default"), ("GET", "/v1/data-keys", "default")}


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_every_operation_answers_as_documented(gatehouse, certificates, transport):
    keys = {"admin": {"address": "127.0.0.1:0", "token": TOKEN}} if transport == "tcp" else {}
    gate = people.with_identity(gatehouse, certificates, **keys).start()
    api = api_document.Api(gate, DOCUMENT, TOKEN)
    walk_users(api)
    walk_factors_and_sessions(api, people.Browser(gate))
    walk_groups(api)
    walk_clients(api)
    walk_the_rest(api)
    missing = DOCUMENT.documented() - api.seen - NEVER_REFUSED
    assert not missing, sorted(missing)
    if transport == "tcp":  # root is never a stranger on the socket
        for method, path in operations():
            for token in (None, TOKEN[:-1]):
                api.ask(method, example(path), status=401, path=path, token=token)


NAMES = {"user": "ada", "role": "customer", "group": "staff", "client": "app", "factor": "f", "session": "s"}


def example(path):
    return re.sub(r"\{(\w+)\}", lambda match: NAMES.get(match[1], "x"), path)


def served_words():
    """Every word that the server's sources compare with something: what they may look for in a path."""
    words = set()
    for source in sorted((gateway.ROOT / "src" / "admin" / "identity").glob("*.cc")):
        words |= set(re.findall(r'(?:[=!]= "|"/v1/)([a-z][a-z-]+)"', source.read_text()))
    return words


def test_nothing_else_is_served(gatehouse, certificates):
    """Paths are made of every word in the sources and of names that exist; what any of them serves is in the document, with
    the methods that the server says it allows."""
    gate = people.with_identity(gatehouse, certificates).start()
    people.make_user(gate, "ada")
    people.admin(gate, "POST", "/v1/groups", {"name": "staff"}, 201)
    people.admin(gate, "POST", "/v1/clients", {"client_id": "app", "client_name": "app", "settings": {
        "token_endpoint_auth_method": "none", "redirect_uris": ["https://app.example/cb"]}}, 201)  # fmt: skip
    described = {re.sub(r"\{\w+\}", "{}", path): {method for method, other in operations() if other == path} for path in DOCUMENT.paths}
    roots = {path.split("/")[2] for path in DOCUMENT.paths}
    words, names = served_words(), sorted(set(NAMES.values()))
    assert roots <= words and {"members", "factors", "rotate", "secret", "invitation"} <= words
    verbs = sorted(words)
    shapes = [[], [names + verbs], [names, names + verbs], [names, verbs, names]]
    paths = ["/v1/" + "/".join((root, *rest)) for root in sorted(words) for shape in shapes for rest in itertools.product(*shape)
             if root in roots or not rest]  # fmt: skip
    found = {}
    for path in paths:
        answer = wire.ask(gate.parse(gate.ready["admin"]), wire.request("BREW", path, host="localhost"), method="BREW")
        if answer.status == 405:
            pieces = path.split("/")[2:]
            shape = "/v1/" + "/".join("{}" if piece in names or (at == 1 and f"/v1/{pieces[0]}/{piece}" not in described) or at == 3
                                      else piece for at, piece in enumerate(pieces))  # fmt: skip
            found.setdefault(shape, set()).update(answer.get("allow").split(", "))
        else:
            assert answer.status == 404, (path, answer.status, answer.body)
    assert found == described


def test_the_request_schemas_accept_what_was_sent():
    """The bodies that the walk sends, and the members that the server knows: both ways."""
    user = DOCUMENT.resolved(operations()["POST", "/v1/users"]["requestBody"])["content"]["application/json"]["schema"]
    known = re.findall(r'"(\w+)"', re.search(r"change_user.*?unknown_member\(asked.body, \{(.*?)\}\)", source("identity_users.cc"), re.S)[1])
    made = re.findall(r'"(\w+)"', re.search(r"create_user.*?unknown_member\(asked.body, \{(.*?)\}\)", source("identity_users.cc"), re.S)[1])
    assert set(user["properties"]) == set(known) | set(made)
    assert DOCUMENT.validator(user).is_valid({"username": "ada", **ABOUT})
    assert not DOCUMENT.validator(user).is_valid({"username": "ada", "nick": "x"})
    settings = DOCUMENT.text["components"]["schemas"]["ClientSettings"]["properties"]
    names = set(re.findall(r'"(\w+)"', source("../../identity/provider/client_json.cc")))
    assert set(settings) <= names, set(settings) - names
    assert json.dumps(settings)


def source(name):
    return (gateway.ROOT / "src" / "admin" / "identity" / name).read_text()
