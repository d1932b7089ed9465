"""The gateway inspects requests: attacks wherever they stand are refused, what is harmless passes, and a record says why."""

import gzip
import json
import threading
import time

import h2wire
import pytest
import waf_rules
import wire
from upstream import in_turn, well

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "text/xml"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=xyz"}


def part(text, name="a", filename=None):
    file = f'; filename="{filename}"' if filename else ""
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{text}\r\n--xyz--\r\n'.encode()


@pytest.fixture
def armed(gatehouse, backend):
    """armed(**waf keys) starts a gateway with the small rules; its back end is `gate.behind`."""

    def start(behaviour=None, routes=None, **keys):
        behind = backend(behaviour) if behaviour else backend()
        gate = gatehouse.prepare(behind, waf={"mode": "enforce", **keys})
        gate.behind = behind
        gate.config["waf"].setdefault("rules", [waf_rules.small(gate)])
        for name, value in (routes or {}).items():
            gate.config["routes"][0][name] = value
        return gate.start()

    return start


ATTACKS = {
    "query": {"target": "/?a=an+%61ttack"},
    "path": {"target": "/x/attack"},
    "header": {"fields": {"X-Probe": "attack"}},
    "cookie": {"fields": {"Cookie": "a=1; b=attack"}},
    "form": {"method": "POST", "fields": FORM, "body": b"a=1&b=an+at%74ack"},
    "name of a form's field": {"method": "POST", "fields": FORM, "body": b"attack=1"},
    "JSON": {"method": "POST", "fields": JSON, "body": b'{"a": [{"b": "an \\u0061ttack"}]}'},
    "XML": {"method": "POST", "fields": XML, "body": b"<a><b>an attack</b></a>"},
    "multipart": {"method": "POST", "fields": MULTIPART, "body": part("an attack")},
    "file's name": {"method": "POST", "fields": MULTIPART, "body": part("x", filename="attack.php")},
    "compressed": {"method": "POST", "fields": {**FORM, "Content-Encoding": "gzip"}, "body": gzip.compress(b"b=attack")},
    "climbing": {"target": "/a/../b"},
    "a path in disguise": {"target": "/x/..//%61dmin"},
}
HARMLESS = {
    "query": {"target": "/?a=1&b=two"},
    "form": {"method": "POST", "fields": FORM, "body": b"a=1&b=two"},
    "JSON": {"method": "POST", "fields": JSON, "body": b'{"a": [1, {"b": null}]}'},
    "XML": {"method": "POST", "fields": XML, "body": b"<a>b</a>"},
    "multipart": {"method": "POST", "fields": MULTIPART, "body": part("two")},
    "compressed": {"method": "POST", "fields": {**FORM, "Content-Encoding": "gzip"}, "body": gzip.compress(b"b=two")},
    "empty": {"method": "POST", "fields": {**FORM, "Content-Length": "0"}},
}


def over_h2(gate, method="GET", target="/", fields=(), body=b""):
    head = [(":method", method), (":scheme", "http"), (":authority", "shop.example"), (":path", target)]
    head += [(name.lower(), value) for name, value in dict(fields).items() if name != "Content-Length"]
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, head, end_stream=not body))
        if body:
            session.send(session.data(1, body, end_stream=True))
        return session.answer(1)


@pytest.fixture(scope="module")
def enforcing():
    """One gateway for all that needs no settings of its own."""
    import gateway
    import upstream

    behind = upstream.Upstream(upstream.mirror)
    gate = gateway.Gateway(behind, waf={"mode": "enforce"})
    gate.behind = behind
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.start()
    yield gate
    gate.discard()
    behind.stop()


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(enforcing, name):
    seen = len(enforcing.behind.heads)
    assert enforcing.ask(**ATTACKS[name]).status == 403
    assert over_h2(enforcing, **ATTACKS[name])[0] == 403
    assert len(enforcing.behind.heads) == seen, "nothing of it went upstream"
    record = enforcing.record(protocol="HTTP/2", layer="waf")
    assert (record["verdict"], record["reason"], record["status"]) == ("deny", "waf.score", 403)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_passes(enforcing, name):
    answer = enforcing.ask(**HARMLESS[name])
    assert answer.status == 200
    assert json.loads(answer.body)["body"] == HARMLESS[name].get("body", b"").decode("latin-1")
    assert over_h2(enforcing, **HARMLESS[name])[0] == 200
    assert enforcing.record_of(answer)["layers"][-1]["layer"] == "waf"


def test_a_body_in_pieces(enforcing):
    """However it comes, nothing goes upstream before the end."""
    for body, status in ((b"a=1&b=two", 200), (b"a=1&b=attack", 403)):
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        seen = len(enforcing.behind.heads)
        with enforcing.connect() as connection:
            connection.send(wire.request("POST", fields={**FORM, "Transfer-Encoding": "chunked"}))
            for at in range(0, len(chunks), 7):
                assert len(enforcing.behind.heads) == seen
                connection.send(chunks[at : at + 7])
                time.sleep(0.005)
            assert connection.answer().status == status


def test_expect_continue(enforcing):
    """The client is told to go on before the upstream knows of it."""
    for body, status in ((b"b=two", 200), (b"b=attack", 403)):
        with enforcing.connect() as connection:
            connection.send(wire.request("POST", fields={**FORM, "Content-Length": len(body), "Expect": "100-continue"}))
            assert connection.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
            connection.send(body)
            assert connection.answer().status == status
    # What the head shows is refused before the body is asked for.
    answer = enforcing.ask(wire.request("POST", fields={**FORM, "X-Teapot": "1", "Content-Length": "5", "Expect": "100-continue"}))
    assert (answer.status, answer.informational) == (418, [])


def test_a_rule_that_denies_by_itself(enforcing):
    answer = enforcing.ask(fields={"X-Teapot": "1"})
    assert answer.status == 418
    record = enforcing.record_of(answer)
    assert (record["reason"], record["waf"]["rules"][0]["rule"]) == ("waf.rule", 50)
    away = enforcing.ask(fields={"X-Away": "1"})
    assert (away.status, away.get("location")) == (302, "https://away.example/")


def test_the_record(enforcing):
    answer = enforcing.ask(method="POST", target="/?q=odd", fields={**FORM, "Cookie": "sid=attack"},
                           body=b"text=an+attack&password=attack-hunter2&card=4111+1111+1111+1111+attack")  # fmt: skip
    assert answer.status == 403
    record = enforcing.record_of(answer)
    found = record["waf"]
    assert found["threshold"] == 5 and found["score"] >= 8 and found["levels"][0] == found["score"]
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert list(rules) == [100, 101, 949110]
    assert rules[101] == {"rule": 101, "phase": 2, "score": 3, "paranoia": 1, "severity": "warning", "message": "Something odd",
                          "variable": "ARGS:q", "matched": "odd", "times": 1, "tags": []}  # fmt: skip
    assert rules[100]["tags"] == ["attack-test", "paranoia-level/1"] and rules[100]["times"] >= 4
    assert "hunter2" not in json.dumps(record) and "4111" not in json.dumps(record)
    assert found["score"] == sum(rule["score"] for rule in found["rules"])
    assert record["layers"][-1]["evidence"].startswith(f"score {found['score']}, denied from 5: 100 in ")

    words = enforcing.command("explain", record["request_id"])
    assert words.returncode == 0
    assert f"What the inspection rules found: a score of {found['score']}, where 5 denies" in words.stdout
    assert "Something odd (warning)" in words.stdout and f"= {found['score']}\n" in words.stdout
    assert "hunter2" not in words.stdout
    assert enforcing.metric("gatehouse_waf_rule_hits_total", rule="101") >= 1
    assert enforcing.metric("gatehouse_waf_phase_seconds_total", phase="2") > 0


@pytest.mark.parametrize("where, request_", {
    "form": {"method": "POST", "fields": FORM, "body": b"password=attack-hunter2"},
    "JSON": {"method": "POST", "fields": JSON, "body": b'{"login": {"password": "attack-hunter2"}}'},
    "cookie": {"fields": {"Cookie": "sid=attack-hunter2"}},
    "authorization": {"fields": {"Authorization": "Bearer attack-hunter2"}},
    "XML": {"method": "POST", "fields": XML, "body": b"<a><password>attack-hunter2</password></a>"},
}.items())  # fmt: skip
def test_secrets_stay_secret(enforcing, where, request_):
    answer = enforcing.ask(**request_)
    assert answer.status == 403
    record = enforcing.record_of(answer)
    assert record["waf"]["rules"][0]["matched"] == "***", where
    assert "hunter2" not in json.dumps(record)
    assert "hunter2" not in enforcing.command("explain", record["request_id"]).stdout


def test_a_score_below_the_threshold_passes_and_is_recorded(enforcing):
    answer = enforcing.ask(target="/?q=odd")
    assert answer.status == 200
    record = enforcing.record_of(answer)
    assert (record["verdict"], record["waf"]["score"], record["waf"]["rules"][0]["rule"]) == ("pass", 3, 101)


def test_paranoia_and_thresholds(armed):
    gate = armed(inbound_threshold=3)
    assert gate.ask(target="/?q=odd").status == 403
    assert gate.ask(target="/?q=strange").status == 200
    gate.config["routes"][0]["waf"] = {"paranoia": 2}
    assert gate.reload().returncode == 0
    answer = gate.ask(target="/?q=strange")
    assert answer.status == 403
    assert gate.record_of(answer)["waf"]["levels"] == [0, 5, 0, 0]


def test_monitor_does_the_same_and_never_acts(armed):
    gate = armed(mode="monitor", request_body="1KiB")
    for request in ATTACKS.values():
        answer = gate.ask(**request)
        assert answer.status == 200
        layer = next(one for one in gate.record_of(answer)["layers"] if one["layer"] == "waf")
        assert (layer["verdict"], layer["mode"], layer["reason"]) == ("deny", "monitor", "waf.score")
        assert gate.record_of(answer)["verdict"] == "pass"
    answer = gate.ask(fields={"X-Teapot": "1"}, method="POST", body=b"x" * 5000)
    assert answer.status == 200
    big = b"a=" + b"x" * 4000
    answer = gate.ask(method="POST", fields=FORM, body=big)
    assert answer.status == 200 and gate.behind.bodies[-1] == big
    assert [one["reason"] for one in gate.record_of(answer)["layers"] if one["layer"] == "waf"] == ["waf.body_too_large", ""]


def test_modes_of_routes(armed):
    gate = armed(routes={"waf": {"mode": "off"}})
    answer = gate.ask(**ATTACKS["query"])
    assert answer.status == 200 and "waf" not in gate.record_of(answer)
    assert "inspection rules loaded" not in gate.output(), "nobody needs them"
    gate.config["routes"][0]["waf"] = {"mode": "enforce"}
    assert gate.reload().returncode == 0
    assert gate.ask(**ATTACKS["query"]).status == 403
    gate.config["routes"][0]["layers"] = {"waf": "monitor"}
    assert gate.reload().returncode == 0
    assert gate.ask(**ATTACKS["query"]).status == 200


def test_longer_bodies_are_refused(armed):
    gate = armed(request_body="1KiB")
    announced = gate.ask(wire.request("POST", fields={**FORM, "Content-Length": 1025, "Expect": "100-continue"}))
    assert (announced.status, announced.informational) == (413, [])
    assert gate.record_of(announced)["reason"] == "waf.body_too_large"
    assert gate.ask(method="POST", fields=FORM, body=b"a=" + b"x" * 1022).status == 200
    with gate.connect() as connection:
        connection.send(wire.request("POST", fields={**FORM, "Transfer-Encoding": "chunked"}) + b"401\r\n" + b"x" * 1025 + b"\r\n")
        assert connection.answer().status == 413
    assert over_h2(gate, "POST", fields=FORM, body=b"x" * 1025)[0] == 413
    bomb = gzip.compress(b"a=" + b"x" * 100_000)
    assert len(bomb) < 1024
    assert gate.ask(method="POST", fields={**FORM, "Content-Encoding": "gzip"}, body=bomb).status == 413
    assert len(gate.behind.heads) == 1


def test_longer_bodies_are_inspected_in_part(armed):
    gate = armed(request_body="1KiB", on_exceed="partial")
    for first, status in (("two", 200), ("attack", 403)):
        body = f"a={first}&b=".encode() + b"x" * 300_000 + b"attack"
        seen = len(gate.behind.bodies)
        assert gate.ask(method="POST", fields=FORM, body=body).status == status
        assert gate.behind.bodies[seen:] == ([body] if status == 200 else [])
        text = json.dumps({"a": first, "b": "x" * 5000}).encode()
        assert gate.ask(method="POST", fields=JSON, body=text).status == status, "cut in the middle of a value"
        assert over_h2(gate, "POST", fields=FORM, body=body[:10_000])[0] == status


def test_bodies_that_cannot_be_read(enforcing):
    for fields, body, status, reason in (
        (JSON, b'{"a": ', 400, "waf.rule"),
        (XML, b"<a><b></a>", 400, "waf.rule"),
        (MULTIPART, b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx", 400, "waf.rule"),
        ({**FORM, "Content-Encoding": "zstd"}, b"x", 415, "waf.content_coding"),
        ({**FORM, "Content-Encoding": "gzip, gzip"}, b"x", 415, "waf.content_coding"),
        ({**FORM, "Content-Encoding": "gzip"}, b"a=1", 400, "waf.content_coding"),
        ({**FORM, "Content-Encoding": "gzip"}, gzip.compress(b"a=1")[:-4], 400, "waf.content_coding"),
        ({**FORM, "Content-Encoding": "gzip"}, gzip.compress(b"a=1") + gzip.compress(b"b=attack"), 400, "waf.content_coding"),
    ):
        answer = enforcing.ask(method="POST", fields=fields, body=body)
        assert answer.status == status, body
        assert enforcing.record_of(answer)["reason"] == reason


def test_memory_is_bounded(armed):
    """What waits for the end of its inspection is counted; past the bound a request is refused, and others go on after."""
    gate = armed(memory="1MiB")
    waiting = []
    for _ in range(40):
        connection = gate.connect()
        connection.send(wire.request("POST", fields={**FORM, "Content-Length": 100_000}) + b"a=" + b"x" * 50_000)
        waiting.append(connection)
    refused = gate.record(reason="waf.memory")
    assert refused["status"] == 503
    assert gate.ask().status == 200, "without a body nothing is held"
    for connection in waiting:
        connection.close()
    wire.eventually(lambda: gate.ask(method="POST", fields=FORM, body=b"a=1").status == 200)

    gate.config["waf"]["mode"] = "monitor"
    assert gate.reload().returncode == 0
    bodies = len(gate.behind.bodies)
    waiting = []
    for _ in range(40):
        connection = gate.connect()
        connection.send(wire.request("POST", fields={**FORM, "Content-Length": 50_002}) + b"a=" + b"x" * 40_000)
        waiting.append(connection)
    for connection in waiting:
        connection.send(b"x" * 10_000)
        assert connection.answer().status == 200
        connection.close()
    assert [len(body) for body in gate.behind.bodies[bodies:]] == [50_002] * 40
    assert gate.metric("gatehouse_layer_decisions_total", reason="waf.memory", mode="monitor") > 0


def test_what_the_service_does_not_read_is_counted(armed):
    """An inspected body takes memory until the service has read it: more than the kernel's buffers hold stays counted."""
    read_on = threading.Event()

    def late(peer):
        line_and_fields = peer.read_head()
        read_on.wait(30)
        peer.read_body(line_and_fields[1])
        peer.answer()

    gate = armed(late, routes={"body_bytes": "16MiB"}, memory="16MiB", request_body="16MiB")
    body = b"x" * 12_000_000
    fields = {"Content-Type": "application/octet-stream"}
    first = gate.connect()
    first.send(wire.request("POST", fields={**fields, "Content-Length": len(body)}) + body)
    wire.eventually(lambda: gate.behind.heads)
    refused = gate.ask(method="POST", fields=fields, body=body)
    assert refused.status == 503
    assert gate.record_of(refused)["reason"] == "waf.memory"
    read_on.set()
    assert first.answer().status == 200
    assert gate.ask(method="POST", fields=fields, body=body).status == 200


def test_a_body_that_trickles_is_cut(gatehouse, backend):
    import gateway

    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"}, listeners=[gateway.Gateway.listener(limits={"body_min_rate": 1000})])
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.start()
    with gate.connect() as connection:
        connection.send(wire.request("POST", fields={**FORM, "Content-Length": 1000}) + b"a")
        assert connection.answer().status == 408
    assert gate.record(status=408)["reason"] == "http.body_too_slow"


def test_a_client_that_leaves(enforcing):
    with enforcing.connect() as connection:
        connection.send(wire.request("POST", target="/leaving", fields={**FORM, "Content-Length": 1000}) + b"a=1")
        time.sleep(0.1)
    assert enforcing.record(path="/leaving")["status"] in (0, 400)
    assert enforcing.ask().status == 200


def test_retries_send_the_body_again(armed):
    gate = armed(in_turn(well(503), well(200)))
    assert gate.ask(method="PUT", fields=FORM, body=b"a=two").status == 200
    assert gate.behind.bodies == [b"a=two", b"a=two"]


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_probes_of_what_is_not_there(armed, mode):
    """A request that no route takes is judged by its head, and counts; what is harmless is a 404 like before."""
    gate = armed(routes={"match": {"path": "/shop/**", "methods": ["GET"]}}, mode=mode, exclude=[{"rule": 101, "parameter": "a"}])
    gate.config["penalties"] = {"attacks": {"threshold": 4}}
    assert gate.reload().returncode == 0
    harmless = gate.ask(target="/nowhere?a=odd")
    assert harmless.status == 404 and gate.record_of(harmless)["reason"] == "route.not_found"
    assert "waf" in [layer["layer"] for layer in gate.record_of(harmless)["layers"]]
    probes = [
        ({"target": "/nowhere?a=attack"}, 404),
        ({"target": "/x/attack"}, 404),
        ({"target": "/shop/a?b=attack", "method": "POST", "body": b"x"}, 405),
        ({"target": "/nowhere", "fields": {"X-Probe": "attack"}}, 404),
    ]
    for probe, status in probes:
        answer = gate.ask(source="127.0.0.77", **probe)
        record = gate.record_of(answer)
        assert (answer.status, record["layer"]) == ((403, "waf") if mode == "enforce" else (status, "http"))
        assert record["waf"]["rules"][0]["rule"] == 100
    assert gate.ask(source="127.0.0.77", target="/shop/a").status == (403 if mode == "enforce" else 200)
    gate.config["waf"]["mode"] = "off"
    assert gate.reload().returncode == 0
    assert gate.ask(target="/nowhere?a=attack").status == 404


def test_a_scanner_is_banned(gatehouse, backend):
    for mode, banned in (("enforce", True), ("monitor", False)):
        gate = gatehouse.prepare(backend(), waf={"mode": mode}, penalties={"attacks": {"threshold": 5, "window": "1m", "ban": "10m"}})
        gate.config["waf"]["rules"] = [waf_rules.small(gate)]
        gate.start()
        began = time.monotonic()
        for _ in range(8):
            last = gate.ask(target="/?q=attack", source="127.0.0.66")
        assert time.monotonic() - began < 5
        after = gate.ask(source="127.0.0.66")
        assert (after.status == 403) == banned
        if banned:
            assert gate.record_of(after)["layer"] == gate.record_of(last)["layer"] == "bans"
            assert "127.0.0.66" in gate.command("bans").stdout
        assert gate.ask(source="127.0.0.67").status == 200


def test_too_large_is_no_attack(armed):
    gate = armed(request_body="1KiB")
    gate.config["penalties"] = {"attacks": {"threshold": 2}}
    assert gate.reload().returncode == 0
    for _ in range(4):
        assert gate.ask(method="POST", fields=FORM, body=b"x" * 2000, source="127.0.0.68").status == 413


def test_trailers_are_inspected_or_go_no_further(armed):
    request = {"method": "POST", "fields": {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}}
    body = b"3\r\nabc\r\n0\r\nX-Probe: attack\r\n\r\n"
    assert armed().ask(**request, body=body).status == 403
    # Where the verdict does not wait for the end of the body.
    gate = armed(routes={"waf": {"request_body": 0}})
    assert gate.ask(**request, body=body).status == 200
    assert gate.behind.bodies == [b"abc"]
    assert b"x-probe" not in bytes(gate.behind.bytes).lower()


def test_rule_file_errors(gatehouse, backend):
    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"})
    broken = 'SecRule ARGS "@nonsense x" "id:1"\nSecAction "id:2,phase:9"\nSecRule ARGS "@rx (" "id:3,phase:2,pass"\n'
    gate.config["waf"]["rules"] = ["rules.conf"]  # beside the configuration
    path = waf_rules.small(gate, text=broken)
    gate.write()
    refused = gate.command("run")
    assert refused.returncode == 2
    assert f"{path}:1:" in refused.stderr and f"{path}:2:" in refused.stderr, refused.stderr
    checked = gate.command("check")
    assert checked.returncode == 2 and f"{path}:1:" in checked.stdout and f"{path}:2:" in checked.stdout
    assert f"{path}:1:" in gate.command("doctor").stdout

    waf_rules.small(gate)
    assert gate.command("check").returncode != 2
    gate.start()
    generation = gate.generation()
    waf_rules.small(gate, text=broken)
    refused = gate.reload()
    assert refused.returncode != 0 and f"{path}:1:" in refused.stdout + refused.stderr
    assert f"{path}:2:" in refused.stdout + refused.stderr
    assert gate.generation() == generation
    assert gate.ask(target="/?q=attack").status == 403, "the old rules are in force"
    waf_rules.small(gate, text=waf_rules.SMALL.replace("@contains attack", "@contains assault"))
    assert gate.reload().returncode == 0
    assert gate.ask(target="/?q=attack").status == 200
    assert gate.ask(target="/?q=assault").status == 403


def test_the_same_rules_are_not_compiled_again(armed):
    gate = armed()
    for _ in range(3):
        assert gate.reload().returncode == 0
    assert gate.output().count("inspection rules loaded") == 1
    gate.stop()
    gate.start()
    lines = [line for line in gate.output().splitlines() if "inspection rules loaded" in line]
    assert len(lines) == 2 and '"compiled":true' in lines[0] and '"compiled":false' in lines[1], lines


def test_reloads_under_load(armed):
    """Old and new rules side by side: every attack is refused, and every harmless request passes."""
    gate = armed()
    stop, wrong, sent = threading.Event(), [], [0]

    def ask():
        while not stop.is_set():
            for request, status in ((ATTACKS["form"], 403), (HARMLESS["form"], 200), (ATTACKS["query"], 403)):
                answer = gate.ask(**request)
                sent[0] += 1
                if answer.status != status:
                    wrong.append(answer.status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(10):
        waf_rules.small(gate, text=waf_rules.SMALL + f'SecAction "id:{2000 + i},phase:1,pass,nolog"\n')
        assert gate.reload().returncode == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and sent[0] > 50
    assert len(list((gate.dir / "data").glob("waf-rules-*"))) == 3, "old caches are removed"
