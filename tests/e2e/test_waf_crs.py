"""The installed Core Rule Set in the gateway: well-known attacks are refused and ordinary traffic passes, without any setting.

The first test of a session compiles the rules, which takes a minute of a processor or more; the others find them.
"""

import gzip
import json
import pathlib
import shutil
import time

import gateway
import pytest
import upstream
import wire

COLD_SECONDS = 900  # a machine that is busy with something else
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
    "Accept-Encoding": "gzip, deflate, br",
    "Referer": "https://shop.example/search?q=lamp&page=2",
    "Cookie": "session=0e4b0ab3f8c44f5c9d07; consent=yes; _ga=GA1.2.1290434216.1735000000",
    "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Upgrade-Insecure-Requests": "1",
}  # fmt: skip
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def shop():
    behind = upstream.Upstream(upstream.mirror)
    gate = gateway.Gateway(behind, waf={"mode": "enforce"})
    gate.behind = behind
    began = time.monotonic()
    gate.start(within=COLD_SECONDS)
    print(f"cold start: {time.monotonic() - began:.1f} s")
    yield gate
    gate.discard()
    behind.stop()


def attack(**parts):
    return {**parts, "fields": {**BROWSER, **parts.get("fields", {})}}


ATTACKS = {
    "SQL in the query": attack(target="/products?id=1%27%20OR%20%271%27=%271"),
    "union select": attack(target="/products?id=1+UNION+SELECT+password+FROM+users--"),
    "SQL in a form": attack(method="POST", fields=FORM, body=b"user=admin%27--+&x=1%27+or+1=1"),
    "SQL in JSON": attack(method="POST", fields=JSON, body=json.dumps({"filter": {"name": "x' OR 'a'='a"}}).encode()),
    "a script": attack(target="/search?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E"),
    "a script in JSON": attack(method="POST", fields=JSON, body=b'{"comment": "<img src=x onerror=alert(1)>"}'),
    "a script in a compressed form": attack(method="POST", fields={**FORM, "Content-Encoding": "gzip"},
                                            body=gzip.compress(b"q=<script>alert(1)</script>")),
    "a file": attack(target="/download?file=../../../../etc/passwd"),
    "a command": attack(target="/ping?host=127.0.0.1;cat%20/etc/passwd"),
    "a shell in a header": attack(fields={"User-Agent": "() { :; }; /bin/bash -c 'id'"}),
    "a scanner": attack(fields={"User-Agent": "sqlmap/1.7.2#stable (https://sqlmap.org)"}),
    "PHP": attack(method="POST", fields=FORM, body=b"x=%3C%3Fphp+system(%27id%27)%3B"),
    "a file with XML entities": attack(method="POST", fields={"Content-Type": "text/xml"},
                                       body=b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
}  # fmt: skip
ORDINARY = {
    "page": {"target": "/products/lamp-7?colour=red&size=42"},
    "search": {"target": "/search?q=select+a+lamp+from+our+shop&page=2"},
    "form": {"method": "POST", "fields": FORM, "body": b"name=Anna+O%27Neill&street=Main+St.+5&comment=It%27s+fine,+thanks!"},
    "JSON": {"method": "POST", "fields": JSON, "body": json.dumps({"items": [{"id": i, "name": f"lamp {i}"} for i in range(50)]}).encode()},
    "upload": {"method": "POST", "fields": {"Content-Type": "multipart/form-data; boundary=----b"},
               "body": b'------b\r\nContent-Disposition: form-data; name="photo"; filename="lamp.jpg"\r\n'
                       b"Content-Type: image/jpeg\r\n\r\n" + bytes(range(256)) * 20 + b"\r\n------b--\r\n"},
    "HEAD": {"method": "HEAD"},
    "chunked": {"method": "POST", "fields": {**FORM, "Transfer-Encoding": "chunked"}, "body": b"5\r\na=two\r\n0\r\n\r\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(shop, name):
    seen = len(shop.behind.heads)
    answer = shop.ask(**ATTACKS[name])
    record = shop.record_of(answer)
    assert answer.status in (400, 403), record.get("waf")
    assert record["layer"] == "waf" and record["waf"]["rules"], record
    assert len(shop.behind.heads) == seen


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_traffic(shop, name):
    request = ORDINARY[name]
    answer = shop.ask(**{**request, "fields": {**BROWSER, **request.get("fields", {})}})
    assert answer.status == 200, shop.record_of(answer).get("waf")
    assert shop.record_of(answer)["verdict"] == "pass"


def test_an_explanation(shop):
    answer = shop.ask(**ATTACKS["SQL in the query"])
    words = shop.command("explain", shop.record_of(answer)["request_id"]).stdout
    assert "denied by waf (waf.score), status 403" in words
    assert "942100" in words and "in ARGS:id: " in words and "paranoia 1: " in words


def test_a_warm_start_is_quick(shop):
    shop.stop()
    began = time.monotonic()
    shop.start()
    took = time.monotonic() - began
    print(f"warm start: {took * 1000:.0f} ms")
    loaded = [line for line in shop.output().splitlines() if "inspection rules loaded" in line]
    assert '"compiled":false' in loaded[-1], loaded
    assert took < 10
    assert shop.ask(**ATTACKS["SQL in the query"]).status == 403


def warm(gate, shop):
    """Gives a gateway that is not started yet what the shop's rules compiled to."""
    data = gate.dir / "data"
    data.mkdir(mode=0o700)
    for cache in (shop.dir / "data").glob("waf-rules-*"):
        shutil.copy(cache, data / cache.name)
    return gate


def test_a_scanner_is_banned_in_seconds(gatehouse, backend, shop):
    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"}, penalties={"attacks": {"threshold": 10, "window": "1m"}})
    warm(gate, shop).start()
    began = time.monotonic()
    layers = []
    for payload in ("%27 or 1=1--", "1 UNION SELECT 1,2,3--", "%27;DROP TABLE users--") * 10:
        answer = gate.ask(target="/?id=" + payload.replace(" ", "%20"), fields={"User-Agent": "sqlmap/1.7"}, source="127.0.0.71")
        assert answer.status == 403
        layers.append(gate.record_of(answer)["layer"])
        if layers[-1] == "bans":
            break
    took = time.monotonic() - began
    print(f"banned after {len(layers) - 1} requests, {took:.2f} s")
    assert layers == ["waf"] * 10 + ["bans"] and took < 10


def test_a_flood_is_dropped_for_a_while(gatehouse, backend, shop):
    """Rules 912100 to 912170: two bursts within a minute, counted over connections, and the client is dropped."""
    gate = warm(gatehouse.prepare(backend(), waf={"mode": "enforce"}), shop)
    set_up = gate.file("set-up.conf", """SecAction "id:900700,phase:1,nolog,pass,setvar:'tx.dos_burst_time_slice=60',\\
  setvar:'tx.dos_counter_threshold=10',setvar:'tx.dos_block_timeout=3'"
""")
    gate.config["waf"]["rules"] = [set_up, "crs"]
    gate.start()
    page = {"target": "/orders", "fields": BROWSER, "source": "127.0.0.81"}
    assert [gate.ask(**page).status for _ in range(20)] == [200] * 20
    began = time.monotonic()
    refused = gate.ask(**page)
    assert (refused.status, refused.get("connection")) == (403, "close")
    hit = gate.record_of(refused)["waf"]["rules"][0]
    assert (hit["rule"], hit["message"]) == (912120, "Denial of Service (DoS) attack identified from 127.0.0.81 (1 hits since last alert)")
    assert [gate.ask(**page).status for _ in range(5)] == [403] * 5
    assert gate.ask(**{**page, "source": "127.0.0.82"}).status == 200
    wire.eventually(lambda: gate.ask(**page).status == 200, 10)
    assert time.monotonic() - began > 2.9


LEAKS = {
    "MySQL": b"<p>You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version</p>",
    "PostgreSQL": b"<p>PostgreSQL query failed: ERROR: unterminated quoted string</p>",
    "Oracle": b"<p>ORA-01756: quoted string not properly terminated. Oracle error</p>",
    "Java": b"<pre>Exception in thread main java.lang.NullPointerException at java.lang.Thread</pre>",
    "PHP": b"<b>Fatal error</b>: Cannot redeclare class Lamp in /var/www/index.php",
    "PHP source": b"<?php $x = $_GET['a']; system($x); ?>",
    "a folder": b"<html><head><title>Index of /backup</title></head><body><h1>Index of /backup</h1></body></html>",
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_of_services(gatehouse, backend, shop, name):
    """What libmodsecurity's users get with SecResponseBodyAccess On; compressed, where theirs look away."""

    def behave(peer):
        while got := peer.read_request():
            body = b"<html>" + b"<p>lamp</p>" * 100 + (LEAKS[name] if "leak" in got[0] else b"It is fine.") + b"</html>"
            packed = "packed" in got[0]
            fields = [("Content-Type", "text/html")] + ([("Content-Encoding", "gzip")] if packed else [])
            peer.answer(200, gzip.compress(body) if packed else body, fields)

    gate = warm(gatehouse.prepare(backend(behave), waf={"mode": "enforce", "response_body": "64KiB"}), shop).start()
    for target in ("/leak", "/leak/packed"):
        answer = gate.ask(target=target, fields=BROWSER)
        record = gate.record_of(answer)
        assert answer.status == 403, record
        found = record["waf"]
        assert (record["reason"], found["direction"], found["threshold"]) == ("waf.response_score", "outbound", 4)
        assert found["score"] >= 4 and found["score"] == sum(rule["score"] for rule in found["rules"])
        assert any(950000 <= rule["rule"] < 959000 for rule in found["rules"])
    for target in ("/fine", "/fine/packed"):
        assert gate.ask(target=target, fields=BROWSER).status == 200


def test_long_texts_of_services_pass(gatehouse, backend, shop):
    """Patterns such as `Exception.*Informix` take a step for each byte behind each such word: no reason to give up on a page."""
    licence = pathlib.Path("/usr/share/common-licenses/GPL-3").read_bytes()
    trouble = b"Warning: an Exception in a Driver is an Error. " * 400  # every word of which the rules take note
    texts = {"/licence": licence, "/trouble": trouble}

    def behave(peer):
        while got := peer.read_request():
            peer.answer(200, texts[got[0].split()[1]], [("Content-Type", "text/plain")])

    gate = warm(gatehouse.prepare(backend(behave), waf={"mode": "enforce", "response_body": "64KiB"}), shop).start()
    for target, text in texts.items():
        answer = gate.ask(target=target, fields=BROWSER)
        assert (answer.status, answer.body == text) == (200, True), gate.record_of(answer)
