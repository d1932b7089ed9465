"""What is kept of requests, and searched: over the admin API and `gatehouse events`, across restarts, with a store that fails."""

import json
import pathlib
import shutil
import signal
import sqlite3
import time
import urllib.parse

import pytest

import postgresql_server
import waf_rules
import wire
from upstream import well

SECRET = "very-secret-path-segment"


def search(gate, **query):
    status, page = gate.admin("GET", "/v1/events?" + urllib.parse.urlencode(query))
    assert status == 200, page
    return page


def found(gate, kind="request", **query):
    return [event["event"] for event in search(gate, kind=kind, **query)["events"]]


@pytest.fixture
def watched(gatehouse, backend):
    """watched(sample) starts a gateway that inspects, and keeps a share of what passes."""

    def start(sample):
        gate = gatehouse.prepare(backend(well()), telemetry={"events": {"sample": sample}})
        gate.config["waf"] = {"mode": "enforce", "rules": [waf_rules.small(gate)]}
        return gate.start()

    return start


@pytest.fixture
def kept(watched):
    return watched("100%")


def test_a_denied_request_is_found_by_everything_that_is_known_of_it(watched):
    gate = watched("0")
    passed = gate.ask(target="/ordinary").get("x-request-id")
    denied = gate.ask(target=f"/{SECRET}?q=an+attack")
    assert denied.status == 403
    request_id = denied.get("x-request-id")
    wire.eventually(lambda: found(gate, verdict="deny"))
    for query in ({"request_id": request_id}, {"verdict": "deny", "layer": "waf"}, {"client": "127.0.0.0/8"}, {"client": "127.0.0.1"},
                  {"status": 403}, {"reason": "waf.score"}, {"rule": 100}, {"text": "Secret SEGMENT"}, {"from": "1m"},
                  {"route": "all", "method": "GET"}):  # fmt: skip
        assert [event["request_id"] for event in found(gate, **query)] == [request_id], query
    for query in ({"request_id": passed}, {"verdict": "pass"}, {"rule": 10}, {"text": "secre"}, {"to": "1m"}, {"client": "10.0.0.0/8"}):
        assert found(gate, **query) == [], query
    assert gate.metric("gatehouse_events_kept_total", kind="request") == 1


def test_they_are_there_after_a_restart_and_nothing_is_readable(kept):
    answer = kept.ask(target=f"/{SECRET}")
    request_id = answer.get("x-request-id")
    wire.eventually(lambda: found(kept, request_id=request_id))
    kept.stop()
    for file in pathlib.Path(kept.dir).rglob("*.db*"):
        data = file.read_bytes()
        assert SECRET.encode() not in data and request_id.encode() not in data, file
    kept.start()
    assert [event["path"] for event in found(kept, request_id=request_id)] == [f"/{SECRET}"]
    # `explain` finds it, too, though it is no longer in memory.
    shown = kept.command("explain", request_id)
    assert shown.returncode == 0 and SECRET in shown.stdout


def test_requests_of_the_last_moment_are_kept(kept):
    request_id = kept.ask().get("x-request-id")
    kept.stop()
    kept.start()
    assert found(kept, request_id=request_id)


def test_what_was_written_survives_a_kill(kept):
    ids = [kept.ask(target=f"/{number}").get("x-request-id") for number in range(50)]
    wire.eventually(lambda: len(found(kept)) >= 50)
    kept.signal(signal.SIGKILL)
    kept.process.wait()
    kept.start()
    assert {event["request_id"] for event in found(kept)} >= set(ids)


def test_pages(kept):
    for number in range(25):
        kept.ask(target=f"/{number}")
    wire.eventually(lambda: len(found(kept)) == 25)
    paths, query = [], {"limit": 10, "kind": "request"}
    for _ in range(10):
        page = search(kept, **query)
        paths += [event["event"]["path"] for event in page["events"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert sorted(paths) == sorted(f"/{number}" for number in range(25))


def test_acts_are_kept_too(kept):
    assert kept.command("bans", "add", "192.0.2.7", "--for", "1h", "--reason", "a drill").returncode == 0
    wire.eventually(lambda: found(kept, kind="act", action="admin.POST"))
    act = found(kept, kind="act", action="admin.POST")[0]
    assert act["actor"] == "admin:uid=0" and act["target"] == "/v1/bans" and act["outcome"] == "ok"
    assert act["details"] == {"status": "201", "duration": "1h", "network": "192.0.2.7", "reason": "a drill"}
    assert [event["action"] for event in found(kept, kind="act", text="drill")] == ["admin.POST"]
    assert "admin.POST ok" in kept.command("events", "--kind", "act").stdout
    assert {event["action"] for event in found(kept, kind="act", actor="system")} == {"gateway.start"}


def test_the_command(kept):
    kept.ask(target="/orders/17%1b%5b31m")
    kept.ask(target="/?q=" + "attack")
    wire.eventually(lambda: len(found(kept)) == 2)
    shown = kept.command("events", "--since", "5m", "--kind", "request")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith("time")
    assert "deny waf.score 403" in lines[1] and "deny http.control_byte 400" in lines[2] and "/orders/17" in lines[2]
    assert "\x1b" not in shown.stdout
    assert len(kept.command("events", "--reason", "http.control_byte").stdout.splitlines()) == 2
    assert kept.command("events", "--user", "nobody").stdout == "nothing was found\n"
    page = json.loads(kept.command("events", "--limit", "1", "--kind", "request", "--json").stdout)
    assert len(page["events"]) == 1 and page["next"]
    refused = kept.command("events", "--rule", "x")
    assert refused.returncode == 2 and "'x'" in refused.stderr


@pytest.mark.parametrize("query", ["foo=1", "from=yesterday", "limit=0", "limit=1001", "client=x", "kind=x", "status=4xx", "after=x", "text=%zz"])
def test_questions_that_make_no_sense(kept, query):
    answer = kept.admin("GET", "/v1/events?" + query)
    assert answer[0] == 400 and answer[1]["detail"]


def test_nothing_is_kept_where_nobody_wants_it(gatehouse, backend):
    gate = gatehouse(backend(well()), telemetry={"events": {"keep": False}})
    gate.ask()
    assert gate.admin("GET", "/v1/events")[0] == 404
    assert not list(pathlib.Path(gate.dir).rglob("events.db"))


def test_a_store_that_cannot_be_written_holds_up_no_request(kept):
    """The disk of the events is full (a file in their way): requests go on, the rest waits in bounded memory and is counted."""
    kept.ask(target="/before")
    wire.eventually(lambda: found(kept))
    file = next(pathlib.Path(kept.dir).rglob("events.db"))
    with sqlite3.connect(file, isolation_level=None) as blocking:
        blocking.execute("BEGIN IMMEDIATE")  # as long as it takes: nobody else writes
        times = []
        for number in range(200):
            begin = time.monotonic()
            assert kept.ask(target=f"/{number}").status == 200
            times.append(time.monotonic() - begin)
        assert sorted(times)[190] < 0.5
        blocking.execute("ROLLBACK")
    wire.eventually(lambda: len(found(kept, limit=1000)) == 201, within=30)


@pytest.mark.skipif(not postgresql_server.programs(), reason="PostgreSQL is not installed")
def test_two_gateways_over_one_postgresql_which_goes_away(gatehouse, backend):
    cluster = postgresql_server.Cluster()
    try:
        location, database = cluster.make_database()
        keys = {"state": {"store": location}, "telemetry": {"events": {"sample": "100%"}}, "data_dir": "data"}
        here, there = (gatehouse.prepare(backend(well()), **keys) for _ in range(2))
        here.start()
        (there.dir / "data").mkdir(mode=0o700)
        shutil.copy(here.dir / "data/root.key", there.dir / "data/root.key")
        there.start()
        here.ask(target=f"/{SECRET}/1")
        there.ask(target=f"/{SECRET}/2")
        for gate in (here, there):
            wire.eventually(lambda gate=gate: {event["path"] for event in found(gate)} == {f"/{SECRET}/1", f"/{SECRET}/2"}, within=10)
        assert SECRET.encode() not in cluster.dump(database)
        cluster.halt()
        assert here.admin("GET", "/v1/events")[0] == 503
        assert here.ask(target="/3").status == 200
        # A start does not wait for what is kept.
        there.stop()
        there.start()
        assert there.ask(target="/4").status == 200
        assert there.admin("GET", "/v1/events")[0] == 404
        cluster.start()
        there.stop()
        there.start()
        wire.eventually(lambda: there.admin("GET", "/v1/events?route=all")[0] == 200 and len(found(there)) == 3, within=30)
    finally:
        cluster.stop()
