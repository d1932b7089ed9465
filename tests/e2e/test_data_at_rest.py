"""What a thief of the store finds: after everything that people and applications do, nothing that hurts is in the files of
SQLite, in a dump or the files of PostgreSQL, in a backup, or in the logs, in no spelling; and what is searched is found
where it is."""

import base64
import hashlib
import re
import time
import urllib.parse

import pytest

import people
import postgresql_server
import wire
import sites  # noqa: F401: with it comes what tests/oidc has
import outside  # isort: skip

CALLBACK = "https://app.shop.example/callback"
VERIFIER = "a verifier of forty-three characters or more".replace(" ", "-")
PASSWORD = "sieben Zwerge hinter den Bergen"
MAIL = "wilhelmina.grimm@maerchen.example"
NEXT_MAIL = "frau.holle@maerchen.example"
NAME = "Wilhelmina Grimm"
PHONE = "+4930123456789"
SUBJECT = "hans.im.glueck@anderswo.example"


@pytest.fixture
def cluster():
    if not postgresql_server.programs():
        pytest.skip("PostgreSQL is not installed")
    one = postgresql_server.Cluster()
    yield one
    one.stop()


@pytest.fixture
def elsewhere(certificates):
    """An outside provider whose subjects are addresses."""
    one = outside.Liar()
    one.person = {"sub": SUBJECT, "email": "goldklumpen@anderswo.example", "email_verified": True, "name": "Hans Heimkehrer"}
    secret = one.folder / "secret"
    secret.write_text("s e&cret")
    secret.chmod(0o644)
    one.config = [{"id": "open", "name": "Elsewhere", "issuer": one.issuer, "client_id": "gatehouse", "client_secret": f"${{file:{secret}}}",
                   "create_users": True, "ca": str(one.ca)}]  # fmt: skip
    yield one
    one.stop()


class Secrets(dict):
    """What must not be found: {what it is: bytes or text}."""

    def spellings(self):
        for what, value in self.items():
            raw = value if isinstance(value, bytes) else value.encode()
            assert len(raw) >= 8, (what, "would be found by chance")
            for shift in range(3):  # base64 of something that has it in the middle
                encoded = base64.b64encode(b"x" * shift + raw)
                whole = encoded[4 if shift else 0 : -4]
                if len(whole) >= 8:
                    yield f"{what}, base64", whole
                    yield f"{what}, base64url", whole.translate(bytes.maketrans(b"+/", b"-_"))
            yield what, raw
            yield f"{what}, hexadecimal", raw.hex().encode()
            yield f"{what}, backwards", raw[::-1]
            if not isinstance(value, bytes):
                yield f"{what}, in a form", urllib.parse.quote_plus(value).encode()
                yield f"{what}, in UTF-16", value.encode("utf-16-le")


def found_in(secrets, haystack):
    folded = haystack.lower()  # which finds all that the haystack itself would, and more
    return sorted({what for what, spelt in secrets.spellings() if spelt.lower() in folded})


def live(gate, mailbox, center, elsewhere):
    """A life at the provider; what nobody else must ever know of it."""
    secrets = Secrets({"address": MAIL, "next address": NEXT_MAIL, "name": NAME, "telephone": PHONE, "password": PASSWORD,
                       "code verifier": VERIFIER})  # fmt: skip
    client = people.admin(gate, "POST", "/v1/clients", {"client_id": "app", "client_name": "The app", "settings": {
        "redirect_uris": [CALLBACK], "scope": "openid profile email phone offline_access", "require_pkce": True,
        "grant_types": ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"]}}, 201)  # fmt: skip
    secrets["client secret"] = client["client_secret"]
    basic = {"Authorization": "Basic " + base64.b64encode(f"app:{client['client_secret']}".encode()).decode()}
    app = people.Browser(gate, "app/1", accept="application/json")

    def api(path, fields):
        answer = app.post(people.ISSUER + path, fields, basic)
        assert answer.status < 300, answer
        return answer.json()

    # An invitation, an address to prove, another address, a forgotten password.
    invited = people.admin(gate, "POST", "/v1/users", {"username": "searched-for", "email": MAIL, "name": NAME, "phone_number": PHONE}, 201)
    secrets["invitation"] = people_ticket(invited["invitation"])
    mailbox.next()
    browser = people.Browser(gate)
    page = browser.fill(browser.open(invited["invitation"]), "password", {"password": PASSWORD})
    assert page.status == 200, page
    secrets["seed"] = people.add_totp(browser, "A telephone").replace(" ", "")
    secrets["seed, decoded"] = base64.b32decode(secrets["seed"] + "=" * (-len(secrets["seed"]) % 8))
    # Recovery codes are a way in: a proof of the factor is asked for first, with a code that was not used yet.
    page = browser.fill(browser.open("/account/factors"), "make")
    page = browser.fill(page, "password", {"username": "searched-for", "password": PASSWORD})
    browser.fill(page, "code", {"code": people.totp(secrets["seed"], time.time() + 30)})
    for number, code in enumerate(people.recovery_codes(browser)):
        secrets[f"recovery code {number}"] = code
        secrets[f"recovery code {number}, joined"] = code.replace("-", "")
    page = browser.fill(people.choose_factor(browser, "sms"), "address", {"address": PHONE})
    browser.fill(page, "code", {"code": people.code_in(center.message()["text"])})
    people.admin(gate, "PATCH", "/v1/users/searched-for", {"email": NEXT_MAIL})

    # The code flow, the request pushed, with the user's address in it.
    request = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile email phone offline_access",
               "prompt": "consent", "state": "state", "nonce": "nonce", "login_hint": NEXT_MAIL, "code_challenge_method": "S256",
               "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()}  # fmt: skip
    pushed = api("/par", request)["request_uri"]
    secrets["request_uri"] = pushed.rpartition(":")[2]
    page = browser.open("/authorize?" + urllib.parse.urlencode({"client_id": "app", "request_uri": pushed}))
    answer = browser.fill(page, "decision", button=("decision", "allow"))
    assert answer.is_redirect and answer.location.startswith(CALLBACK), answer
    secrets["code"] = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.location).query)["code"][0]
    tokens = api("/token", {"grant_type": "authorization_code", "code": secrets["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER})
    again = api("/token", {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    for number, some in enumerate((tokens, again)):
        for kind in ("access_token", "refresh_token", "id_token"):
            secrets[f"{kind} {number}"] = some[kind]
    # Requests that are not over: what they were asked with lies in the store.
    pending = api("/par", request)["request_uri"]
    secrets["request_uri of another"] = pending.rpartition(":")[2]
    stranger = people.Browser(gate)
    stranger.open("/authorize?" + urllib.parse.urlencode(request))
    device = api("/device_authorization", {"scope": "openid"})
    secrets["device code"], secrets["user code"] = device["device_code"], device["user_code"]
    stranger.fill(stranger.open("/reset"), "username", {"username": "searched-for"})
    stranger.fill(stranger.open("/login"), "password", {"username": "searched-for", "password": PASSWORD + "!"})
    secrets["wrong password"] = PASSWORD + "!"
    for owner, one in (("", browser), ("stranger's ", stranger)):
        for name, value in cookies_of(one):
            secrets[f"{owner}cookie {name}"] = value
    # Somebody comes from another provider, whose subjects are addresses.
    guest = people.Browser(gate)
    login = guest.open("/login")
    flow = urllib.parse.parse_qs(urllib.parse.urlsplit(login.url).query)["flow"][0]
    sent = wire.eventually(lambda: (answer := guest.get(people.ISSUER + "/federation/open?flow=" + flow)).is_redirect and answer)
    code, asked = elsewhere.code_for(sent.location)
    assert guest.open("/federation/open/callback?" + urllib.parse.urlencode({"code": code, "state": asked["state"]})).status == 200
    assert elsewhere.person["email"] in guest.open("/account").text, "an account was made"
    made = next(user["id"] for user in people.admin(gate, "GET", "/v1/users?prefix=u-")["users"])
    assert people.admin(gate, "GET", f"/v1/users/{made}/logins")["logins"][0]["subject"] == SUBJECT
    secrets["outside subject"] = SUBJECT
    # The private half is beside the public one in every encoding of a key.
    for key in app.get(people.ISSUER + "/jwks").json()["keys"]:
        name = "n" if key["kty"] == "RSA" else "x"
        secrets[f"signing key {key['kty']}"] = base64.urlsafe_b64decode(key[name] + "==")
    secrets["a private key's text"] = "PRIVATE KEY"
    return secrets


def people_ticket(link):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["ticket"][0]


def cookies_of(browser):
    found = [(name, value) for name, value in browser.cookies.items()]
    assert found
    return found


def logs_of(gate):
    return (gate.output() + gate.log_path.read_text()).encode()


def files_below(folder, but=()):
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in but)


def root_key(gate):
    return base64.b64decode((gate.dir / "data/root.key").read_text())


def test_sqlite_its_log_and_a_backup(gatehouse, certificates, mailbox, center, elsewhere, tmp_path):
    gate = people.with_identity(gatehouse, certificates, identity={"mail": mailbox.config, "sms": center.config, "federation": elsewhere.config}).start()
    secrets = live(gate, mailbox, center, elsewhere)
    secrets["root key"] = root_key(gate)
    backup = tmp_path / "backup.db"
    assert gate.command("backup", backup).returncode == 0
    # While it runs, the newest is in the write-ahead log.
    everything = files_below(gate.dir / "data", but={"root.key", "identity.pem", "audit-signing.key", "audit-personal.key"})
    assert b"searched-for" in everything and b"SQLite format 3" in everything
    assert found_in(secrets, everything) == []
    assert b"searched-for" in backup.read_bytes() and found_in(secrets, backup.read_bytes()) == []
    gate.stop()
    assert found_in(secrets, files_below(gate.dir / "data", but={"root.key", "identity.pem", "audit-signing.key", "audit-personal.key"})) == []
    assert found_in(secrets, logs_of(gate)) == []


def test_postgresql_its_files_and_a_dump(gatehouse, certificates, mailbox, center, elsewhere, cluster):
    location, name = cluster.make_database()
    gate = people.with_identity(gatehouse, certificates, identity={"mail": mailbox.config, "sms": center.config, "federation": elsewhere.config}, state={"store": location}).start()
    secrets = live(gate, mailbox, center, elsewhere)
    secrets["root key"] = root_key(gate)
    dump = cluster.dump(name)
    bytes_of_dump = b"\0".join(bytes.fromhex(found.decode()) for found in re.findall(rb"\\\\x((?:[0-9a-f]{2})+)", dump))
    assert b"searched-for" in dump and b"COPY public.users" in dump and len(bytes_of_dump) > 5000
    assert found_in(secrets, dump) == [] and found_in(secrets, bytes_of_dump) == []
    cluster.sql("CHECKPOINT")
    number = cluster.sql(f"SELECT oid FROM pg_database WHERE datname = '{name}'").strip()
    files = files_below(cluster.data / "base" / number) + files_below(cluster.data / "pg_wal")
    assert b"searched-for" in files
    assert found_in(secrets, files) == []
    assert found_in(secrets, (cluster.dir / "server.log").read_bytes()) == []


def test_the_search_finds_what_is_there():
    secrets = Secrets({"address": MAIL, "seed": bytes(range(20))})
    for shift in range(3):
        whole = base64.b64encode(b"?" * shift + MAIL.encode() + b"&more=1")
        assert found_in(secrets, b"junk" + whole + b"junk") == ["address, base64", "address, base64url"], shift
    assert found_in(secrets, MAIL.upper().encode()) == ["address"]
    assert found_in(secrets, b"email=" + MAIL.replace("@", "%40").encode()) == ["address, in a form"]
    assert found_in(secrets, bytes(range(20)).hex().upper().encode()) == ["seed, hexadecimal"]
    assert found_in(secrets, b"nothing of the kind") == []
