"""Routes: the most specific match wins; rewrites, splits, header edits, mirrors, balancing."""

import collections
import json

import pytest

import wire


def route(name, path="/**", service="main", **keys):
    return {"name": name, "match": {"path": path, **keys.pop("match", {})}, "service": service, "public": True, **keys}


def served_by(answer):
    return json.loads(answer.body)["by"]


ROUTES = [
    route("rest", "/**"),
    route("orders", "/orders/**"),
    route("one-order", "/orders/{id}"),
    route("order-item", "/orders/{id}/items/*"),
    route("new", "/orders/new"),
    route("orders-post", "/orders/**", match={"methods": ["POST"]}),
    route("v2", "/orders/**", match={"headers": {"x-api": "2"}}),
    route("beta", "/**", match={"query": {"beta": "1"}}),
    route("host", "/**", match={"hosts": ["admin.example"]}),
    route("wildcard", "/**", match={"hosts": ["*.shop.example"]}),
]
MATCHES = {
    # name: (request parts, route)
    "the rest": ({"target": "/"}, "rest"),
    "a prefix": ({"target": "/orders/1/2/3"}, "orders"),
    "the prefix itself": ({"target": "/orders"}, "orders"),
    "not a longer word": ({"target": "/ordersandmore"}, "rest"),
    "one segment": ({"target": "/orders/17"}, "one-order"),
    "a literal before a segment": ({"target": "/orders/new"}, "new"),
    "two segments": ({"target": "/orders/17/items/3"}, "order-item"),
    "a method": ({"target": "/orders/1/2/3", "method": "POST"}, "orders-post"),
    "a field": ({"target": "/orders/1/2/3", "fields": {"X-Api": "2"}}, "v2"),
    "a field with another value": ({"target": "/orders/1/2/3", "fields": {"X-Api": "3"}}, "orders"),
    "a query parameter": ({"target": "/?a=b&beta=1"}, "beta"),
    "a host": ({"target": "/orders/1", "host": "admin.example"}, "host"),
    "a host in capitals, with a port": ({"target": "/", "host": "ADMIN.example:8080"}, "host"),
    "a subdomain": ({"target": "/", "host": "eu.shop.example"}, "wildcard"),
    "a path that is not canonical": ({"target": "/x/../orders//%6eew"}, "new"),
}


@pytest.mark.parametrize("order", ["as written", "reversed"])
def test_the_most_specific_route_wins(gatehouse, backend, order):
    gate = gatehouse(backend(), routes=ROUTES if order == "as written" else ROUTES[::-1])
    for name, (parts, wanted) in MATCHES.items():
        answer = gate.ask(**parts)
        assert answer.status == 200
        assert gate.record_of(answer)["route"] == wanted, name


REWRITES = {
    "strip": ({"strip_prefix": "/orders"}, "/orders/17?x=%2F", "/17?x=%2F"),
    "strip all": ({"strip_prefix": "/orders"}, "/orders", "/"),
    "add": ({"add_prefix": "/v1"}, "/orders/17", "/v1/orders/17"),
    "strip and add": ({"strip_prefix": "/orders", "add_prefix": "/v1"}, "/orders/17", "/v1/17"),
    "replace": ({"path": "/fixed"}, "/orders/17?a=b", "/fixed?a=b"),
    "strip with escapes": ({"strip_prefix": "/orders"}, "/orders/caf%C3%A9", "/caf%C3%A9"),
    "no double slash": ({"strip_prefix": "/orders"}, "/orders//x", "/x"),
}


@pytest.mark.parametrize("name", REWRITES)
def test_rewrites(gatehouse, backend, name):
    rewrite, asked, wanted = REWRITES[name]
    gate = gatehouse(backend(), routes=[route("all", "/orders/**", rewrite=rewrite)])
    answer = gate.ask(target=asked)
    assert json.loads(answer.body)["target"] == wanted


def test_host_rewrite(gatehouse, backend):
    gate = gatehouse(backend(), routes=[route("all", rewrite={"host": "internal.example"})])
    got = dict(map(tuple, json.loads(gate.ask().body)["fields"]))
    assert got["host"] == "internal.example" and got["x-forwarded-host"] == "shop.example"


def test_weighted_split(gatehouse, backend):
    services = {"blue": [backend(name="blue")], "green": [backend(name="green")], "none": [backend(name="none")]}
    split = {"name": "all", "match": {"path": "/**"}, "public": True,
             "services": [{"name": "blue", "weight": 80}, {"name": "green", "weight": 20}, {"name": "none", "weight": 0}]}  # fmt: skip
    gate = gatehouse(services, routes=[split])
    count = collections.Counter()
    with gate.connect() as connection:
        for _ in range(500):
            connection.send(wire.request())
            count[served_by(connection.answer())] += 1
    assert 340 < count["blue"] < 460 and 40 < count["green"] < 160 and not count["none"], count


def test_balancing(gatehouse, backend):
    for balance in ("round_robin", "least_requests", "random_two"):
        backs = [backend(name=str(number)) for number in range(3)]
        gate = gatehouse(backs, services={"main": {"balance": balance}})
        count = collections.Counter(served_by(gate.ask()) for _ in range(90))
        assert len(count) == 3 and min(count.values()) >= 10, (balance, count)
        if balance == "round_robin":
            assert max(count.values()) - min(count.values()) <= 4, count


def test_consistent_hash(gatehouse, backend):
    backs = [backend(name=str(number)) for number in range(4)]
    gate = gatehouse(backs, services={"main": {"balance": "hash", "hash_on": "header:x-user"}})
    home = {user: served_by(gate.ask(fields={"X-User-Key": user, "X-User": user})) for user in map(str, range(40))}
    again = {user: served_by(gate.ask(fields={"X-User": user})) for user in home}
    if len(set(home.values())) == 1:  # x-user is one of the names that clients may not set: hash on another
        gate = gatehouse(backs, services={"main": {"balance": "hash", "hash_on": "header:x-cart"}})
        home = {user: served_by(gate.ask(fields={"X-Cart": user})) for user in map(str, range(40))}
        again = {user: served_by(gate.ask(fields={"X-Cart": user})) for user in home}
    assert again == home and len(set(home.values())) >= 3


def test_header_edits(gatehouse, backend):
    edits = {"request": {"set": {"x-from": "gatehouse"}, "remove": ["x-debug"]},
             "response": {"set": {"x-served": "yes"}, "add": {"x-tag": "edge"}, "remove": ["content-type"]}}  # fmt: skip
    gate = gatehouse(backend(), routes=[route("all", headers=edits)])
    answer = gate.ask(fields={"X-From": "client", "X-Debug": "1"})
    got = dict(map(tuple, json.loads(answer.body)["fields"]))
    assert got["x-from"] == "gatehouse" and "x-debug" not in got
    assert answer.get("x-served") == "yes" and answer.get("x-tag") == "edge" and answer.get("content-type") is None


def test_mirror(gatehouse, backend):
    """The shadow gets a copy, and whatever it does, the client notices nothing."""

    def slow_and_wrong(peer):
        while peer.read_request():
            peer.upstream.stopped.wait(0.5)
            peer.answer(500, b"shadow\n")

    live, shadow = backend(name="live"), backend(slow_and_wrong, name="shadow")
    gate = gatehouse({"main": [live], "next": [shadow]}, routes=[route("all", mirror={"service": "next", "percent": 100})])
    for number in range(5):
        answer = gate.ask(method="POST", target=f"/{number}", body=b"hello")
        assert (answer.status, served_by(answer)) == (200, "live")
    wire.eventually(lambda: len(shadow.bodies) >= 5)
    assert set(shadow.bodies) == {b"hello"}


def test_services_by_name(gatehouse, backend):
    """localhost is resolved, and both families tried."""
    back = backend()
    gate = gatehouse([f"http://localhost:{back.port}"])
    assert gate.ask().status == 200


def test_a_name_that_does_not_resolve(gatehouse):
    gate = gatehouse(["http://nothing.invalid:80"], services={"main": {"retry": {"attempts": 1}}})
    answer = gate.ask(timeout=15)
    assert answer.status in (502, 503)


@pytest.mark.parametrize("method", ["TRACE", "TRACK"])
def test_trace_is_for_nobody(gatehouse, backend, method):
    """It would answer with what the service was told about the caller: no route lets it through, or can name it."""
    back = backend()
    gate = gatehouse(back)
    answer = gate.ask(method=method)
    assert answer.status == 405 and "GET" in answer.get("allow") and not back.heads
    assert gate.record_of(answer)["reason"] == "http.trace"
    gate.config["routes"][0]["match"]["methods"] = [method]
    refused = gate.reload()
    assert refused.returncode == 2 and f'"{method}" is never passed on' in refused.stdout


def test_the_method_is_the_requests_own(gatehouse, backend):
    """Authorization saw that one: fields that would make it another for the service do not get there."""
    back = backend()
    gate = gatehouse(back)
    fields = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    assert gate.ask(method="POST", fields={**fields, "Content-Length": "0"}).status == 200
    assert back.requests == ["POST / HTTP/1.1"] and not any("method" in name for name, _ in back.fields())
