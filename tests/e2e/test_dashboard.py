"""What the admin listener serves to browsers: who is let in by a cookie, from where, and to what; the live feed."""

import json

import wire
from upstream import well

TOKEN = "correct-horse-battery-staple"
JSON = {"Content-Type": "application/json", "X-Gatehouse-UI": "1"}


class Browser:
    def __init__(self, gate):
        self.address = gate.parse(gate.ready["admin"])
        self.cookie = None

    def ask(self, method, target, body=None, host="127.0.0.1:9900", **fields):
        if self.cookie:
            fields["Cookie"] = self.cookie
        data = b"" if body is None else json.dumps(body).encode()
        return wire.ask(self.address, wire.request(method, target, host=host, fields=fields, body=data), method=method)

    def sign_in(self, **credential):
        answer = self.ask("POST", "/v1/session", credential, **JSON)
        assert answer.status == 200, answer.body
        self.cookie = answer.get("set-cookie").partition(";")[0]
        return answer


def started(gatehouse, backend, **keys):
    return gatehouse(backend(well()), admin={"address": "127.0.0.1:0", "token": TOKEN}, **keys)


def test_the_cookie_is_for_this_page_alone(gatehouse, backend):
    browser = Browser(started(gatehouse, backend))
    answer = browser.sign_in(token=TOKEN)
    flags = answer.get("set-cookie").split("; ")[1:]
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert browser.ask("GET", "/v1/status").status == 200
    own, port = "http://127.0.0.1:9900", "http://127.0.0.1:8080"
    assert browser.ask("GET", "/v1/status", **{"Sec-Fetch-Site": "same-origin", "Origin": own}).status == 200
    for where in ("same-site", "cross-site"):  # another port is the same site: the cookie goes along
        assert browser.ask("GET", "/v1/status", **{"Sec-Fetch-Site": where}).status == 403, where
        assert browser.ask("GET", "/", **{"Sec-Fetch-Site": where}).status == 200, "a link to the dashboard"
    assert browser.ask("GET", "/v1/live", Origin=port).status == 403
    ban = {"address": "192.0.2.7", "duration": "1h"}
    assert browser.ask("POST", "/v1/bans", ban, **JSON, Origin=port).status == 403
    assert browser.ask("POST", "/v1/bans", ban, **{"Content-Type": "application/json"}, Origin=own).status == 403
    assert browser.ask("DELETE", "/v1/bans/192.0.2.7").status == 403
    assert browser.ask("POST", "/v1/bans", ban, **JSON, Origin=own).status == 201
    assert browser.ask("GET", "/v1/status", host="gateway.example:9900").status == 421
    twice = browser.cookie
    browser.cookie = f"{twice}; {twice}"
    assert browser.ask("GET", "/v1/status").status == 401, "one of them was put there by somebody else"


def test_a_session_ends(gatehouse, backend):
    gate = started(gatehouse, backend)
    browser, other = Browser(gate), Browser(gate)
    browser.sign_in(token=TOKEN)
    other.sign_in(token=TOKEN)
    assert browser.ask("DELETE", "/v1/session").status == 403, "without the field of our own page"
    answer = browser.ask("DELETE", "/v1/session", **JSON)
    assert answer.status == 200 and "Max-Age=0" in answer.get("set-cookie")
    assert browser.ask("GET", "/v1/status").status == 401
    assert other.ask("GET", "/v1/status").status == 200
    gate.config["admin"]["token"] = "another-token-altogether"
    gate.write()
    assert other.ask("POST", "/v1/reload", {}, **JSON).status == 200
    assert other.ask("GET", "/v1/status").status == 401, "a new token ends what began with the old one"
    assert other.cookie.partition("=")[2] not in gate.output()


def test_roles(gatehouse, backend):
    gate = started(gatehouse, backend)
    administrator = Browser(gate)
    administrator.sign_in(token=TOKEN)

    def somebody(role):
        code = json.loads(administrator.ask("POST", "/v1/session/code", {"role": role}, **JSON).body)["code"]
        browser = Browser(gate)
        assert json.loads(browser.sign_in(code=code).body)["role"] == role
        assert Browser(gate).ask("POST", "/v1/session", {"code": code}, **JSON).status == 401, "it is good once"
        return browser

    ban = {"address": "192.0.2.7", "duration": "1h"}
    viewer, operator = somebody("viewer"), somebody("operator")
    for browser, may_ban, may_reload, may_see_people in ((viewer, 403, 403, 403), (operator, 201, 403, 404), (administrator, 201, 200, 404)):
        assert browser.ask("GET", "/v1/requests").status == 200
        assert browser.ask("POST", "/v1/bans", ban, **JSON).status == may_ban
        assert browser.ask("POST", "/v1/reload", {}, **JSON).status == may_reload
        assert browser.ask("POST", "/v1/session/code", {}, **JSON).status == (201 if may_reload == 200 else 403)
        assert browser.ask("GET", "/v1/users").status == may_see_people
        assert browser.ask("DELETE", "/v1/session", **JSON).status == 200


def test_a_page_elsewhere_reaches_no_socket(gatehouse, backend):
    """Somebody forwards the socket to a port: a page whose name was bound to 127.0.0.1 is no page of ours."""
    browser = Browser(gatehouse(backend(well())))
    assert browser.ask("GET", "/v1/status", host="localhost").status == 200
    evil = "evil.example:9900"
    assert browser.ask("GET", "/v1/status", host=evil, **{"Sec-Fetch-Site": "same-origin"}).status == 421
    assert browser.ask("POST", "/v1/reload", {}, host=evil, Origin=f"http://{evil}", **JSON).status == 421


def test_the_page_and_its_policy(gatehouse, backend):
    browser = Browser(started(gatehouse, backend))
    page = browser.ask("GET", "/")
    text = page.body.decode()
    assert "<script" in text and "style=" not in text and "<style" not in text and " on" not in text.replace(" on ", "")
    for path in ("/", "/assets/app.js", "/assets/style.css", "/assets/icon.svg"):
        plain, packed = browser.ask("GET", path), browser.ask("GET", path, **{"Accept-Encoding": "gzip, br"})
        policy = plain.get("content-security-policy")
        assert policy.startswith("default-src 'none'") and "require-trusted-types-for 'script'" in policy and "unsafe" not in policy
        assert plain.get("content-encoding") is None and packed.get("content-encoding") == "br"
        assert 0 < len(packed.body) < len(plain.body) + 20
        assert browser.ask("GET", path, **{"If-None-Match": plain.get("etag")}).status == 304
        assert browser.ask("POST", path, {}, **JSON).status == 405
    assert browser.ask("GET", "/assets/").status == 401 and browser.ask("GET", "/assets/../app.js").status in (400, 401)


class Watcher:
    """One who watches /v1/live."""

    def __init__(self, gate, query="", last=None):
        self.connection = wire.Connection(gate.parse(gate.ready["admin"]))
        fields = {"Authorization": f"Bearer {TOKEN}", **({"Last-Event-ID": last} if last else {})}
        self.connection.send(wire.request("GET", f"/v1/live{query}", host="127.0.0.1", fields=fields))
        assert self.connection.head().status == 200
        self.last = None
        self.left = b""

    def event(self):
        """The next event: its name and its data."""
        while b"\n\n" not in self.left:
            size = int(self.connection.until(b"\r\n"), 16)
            self.left += self.connection.exactly(size)
            self.connection.exactly(2)
        text, _, self.left = self.left.partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
        self.last = fields.get("id", self.last)
        return fields.get("event"), json.loads(fields["data"]) if "data" in fields else None

    def records(self, count):
        """The ids of so many requests, and how many were skipped."""
        ids, skipped = [], 0
        while len(ids) + skipped < count:
            name, data = self.event()
            if name == "records":
                ids += [record["request_id"] for record in data["records"]]
                skipped += data["skipped"]
        return ids, skipped

    def close(self):
        self.connection.close()


def test_the_feed_goes_on_where_it_was(gatehouse, backend):
    gate = started(gatehouse, backend)
    ask = lambda: gate.ask(target="/a").get("x-request-id")  # noqa: E731
    watcher = Watcher(gate)
    sent = [ask() for _ in range(5)]
    assert sorted(watcher.records(5)[0]) == sorted(sent)
    last = watcher.last
    watcher.close()
    between = [ask() for _ in range(20)]
    back = Watcher(gate, last=last)
    after = [ask() for _ in range(5)]
    ids, skipped = back.records(25)
    assert skipped == 0 and sorted(ids) == sorted(between + after)
    back.close()
    stranger = Watcher(gate, last="AAAAAAAA-3")  # of another process: from now on
    assert stranger.records(0) == ([], 0)
    one = ask()
    assert stranger.records(1)[0] == [one]
    stranger.close()


def test_the_feed_shows_what_was_asked_for(gatehouse, backend):
    gate = started(gatehouse, backend, bans={"deny": ["127.0.0.9/32"]})
    watcher = Watcher(gate, "?verdict=deny&layer=bans")
    gate.ask(target="/a")
    banned = wire.ask(gate.address(), wire.request("GET", "/b"), source="127.0.0.9").get("x-request-id")
    assert watcher.records(1)[0] == [banned]
    watcher.close()


def test_a_flood_is_counted_and_not_sent(gatehouse, backend):
    gate = started(gatehouse, backend)
    watcher = Watcher(gate)
    with gate.connect() as connection:
        for _ in range(10):
            connection.send(wire.request("GET", "/a") * 100)
            for _ in range(100):
                connection.answer()
    ids, skipped = watcher.records(1000)
    assert len(ids) + skipped == 1000 and skipped > 0
    watcher.close()
