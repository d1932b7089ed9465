"""What inspection rules keep of a client from one request to the next: exact over connections and shards, over reloads, and
gone when its time is over."""

import concurrent.futures
import time

import h2wire
import waf_rules
import wire

LIMIT = 20
SECONDS = 3
RULES = rf"""
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{{REMOTE_ADDR}}"
SecRule IP:blocked "@eq 1" "id:2,phase:1,deny,status:429,log,msg:'Too many log-ins'"
SecRule REQUEST_FILENAME "@streq /login" "id:3,phase:5,pass,nolog,setvar:ip.logins=+1,expirevar:ip.logins=60"
SecRule IP:logins "@ge {LIMIT}" "id:4,phase:5,pass,nolog,setvar:ip.blocked=1,expirevar:ip.blocked={SECONDS},setvar:!ip.logins"
"""


def from_address(gate, address, target="/login"):
    with gate.connect(source=address) as connection:
        connection.send(wire.request("GET", target))
        return connection.answer().status


def test_a_client_is_blocked_and_let_go(gatehouse, backend):
    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate, "own.conf", RULES)]
    gate.start()
    # All but one at the same time, each on a connection of its own, so on any shard.
    with concurrent.futures.ThreadPoolExecutor(LIMIT) as pool:
        assert set(pool.map(lambda _: gate.ask(target="/login").status, range(LIMIT - 1))) == {200}
    for _ in range(10):
        assert gate.ask(target="/other").status == 200, "not one too many was counted"
    assert gate.ask(target="/login").status == 200
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(LIMIT) as pool:
        assert set(pool.map(lambda _: gate.ask(target="/any").status, range(LIMIT))) == {429}, "not one too few"
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]))
        assert session.answer(1)[0] == 429
    record = gate.record(status=429)
    assert (record["reason"], record["waf"]["rules"][0]["rule"]) == ("waf.rule", 2)
    assert from_address(gate, "127.0.0.2") == 200, "another client"
    # Other rules, the same record.
    gate.file("own.conf", RULES + "SecAction \"id:9,phase:1,pass,nolog\"\n")
    assert gate.reload().returncode == 0
    blocked = gate.ask(target="/any").status
    assert blocked == 429 or time.monotonic() - began > SECONDS
    wire.eventually(lambda: gate.ask(target="/any").status == 200, SECONDS + 5)
    assert time.monotonic() - began > SECONDS - 0.1
    assert gate.metric("gatehouse_waf_collection_evictions_total") == 0
    assert gate.metric("gatehouse_waf_collection_variable_evictions_total") == 0


def test_monitor_counts_alike(gatehouse, backend):
    gate = gatehouse.prepare(backend(), waf={"mode": "monitor"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate, "own.conf", RULES)]
    gate.start()
    for _ in range(LIMIT):
        assert gate.ask(target="/login").status == 200
    answer = gate.ask(target="/login")
    assert answer.status == 200
    layers = gate.record_of(answer)["layers"]
    assert [(layer["verdict"], layer["mode"]) for layer in layers if layer["layer"] == "waf"] == [("deny", "monitor")]
