"""Endpoints that are found by DNS: SRV names, with their ports, priorities and changes."""

import json

import pytest

import nameserver
import wire
from upstream import mirror

pytestmark = pytest.mark.skipif(not nameserver.NameServer.usable(), reason="needs a mount namespace of its own")

SERVICE = "_http._tcp.orders.test"
WITHIN = 20  # answers are kept for five seconds, whatever their TTL says


@pytest.fixture
def dns():
    server = nameserver.NameServer()
    yield server
    server.stop()


def start(gatehouse, dns):
    health = {"path": "/healthz", "interval": "300ms", "timeout": "300ms", "unhealthy_after": 2, "healthy_after": 2}
    keys = {"health": health, "outliers": {"consecutive_errors": 1000}, "retry": {"attempts": 3, "budget_percent": 100}}
    gate = gatehouse.prepare([f"dns+srv://{SERVICE}"], services={"main": keys})
    return gate.start(through=dns.command(gate.dir))


def by(gate):
    answer = gate.ask()
    assert answer.status == 200, answer
    return json.loads(answer.body)["by"]


def test_srv_priorities_fail_over_and_come_back(gatehouse, backend, dns):
    best, other, reserve = (backend(mirror, name=name) for name in ("best", "other", "reserve"))
    for name in ("best", "other", "reserve"):
        dns.address(f"{name}.test")
    dns.service(SERVICE, (10, 1, best.port, "best.test"), (10, 1, other.port, "other.test"), (20, 1, reserve.port, "reserve.test"))
    gate = start(gatehouse, dns)
    assert {by(gate) for _ in range(20)} == {"best", "other"}, "the reserve is for when none of the best is there"
    best.refuse()
    assert {by(gate) for _ in range(20)} == {"other"}, "a retry finds the rest of the same priority"
    other.refuse()
    assert {by(gate) for _ in range(20)} == {"reserve"}, "no request is lost on the way"
    wire.eventually(lambda: gate.metric("gatehouse_endpoint_healthy", service="main") == 1, WITHIN)
    assert {by(gate) for _ in range(20)} == {"reserve"}
    best.listen_again()
    wire.eventually(lambda: gate.metric("gatehouse_endpoint_healthy", service="main") == 2, WITHIN)
    assert {by(gate) for _ in range(20)} == {"best"}, "one of the best priority is enough"


def test_srv_changes_are_followed(gatehouse, backend, dns):
    first, second = backend(mirror, name="first"), backend(mirror, name="second")
    dns.address("first.test")
    dns.address("second.test")
    dns.service(SERVICE, (10, 1, first.port, "first.test"))
    gate = start(gatehouse, dns)
    assert by(gate) == "first"
    dns.service(SERVICE, (10, 1, second.port, "second.test"))
    wire.eventually(lambda: by(gate) == "second", WITHIN)
    dns.records.clear()  # the name is gone: what was last known serves on for a while
    asked = dns.questions
    wire.eventually(lambda: dns.questions > asked, WITHIN)
    assert by(gate) == "second"
