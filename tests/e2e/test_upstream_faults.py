"""Upstreams that refuse, hang, die and recover: 502 and 504 within the timeouts, retries only where safe, ejection."""

import threading
import time

import pytest

import upstream
import wire
from upstream import die, hang, in_turn, mirror, raw, well

FAST = {"timeouts": {"connect": "500ms", "response": "500ms"}}


def service(**keys):
    return {"main": {**FAST, **keys}}


def timed(gate, **parts):
    began = time.monotonic()
    answer = gate.ask(**parts)
    return answer, time.monotonic() - began


FAULTS = {
    # name: (behaviour, status)
    "hangs": (hang, 504),
    "closes without an answer": (die, 502),
    "resets": (raw(b"", then="reset"), 502),
    "closes inside the head": (raw(b"HTTP/1.1 200 OK\r\nX-A"), 502),
    "hangs inside the head": (raw(b"HTTP/1.1 200 OK\r\nX-A", then="hang"), 504),
    "answers 503": (well(503), 503),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(gatehouse, backend, name):
    behaviour, status = FAULTS[name]
    gate = gatehouse(backend(behaviour), services=service(retry={"attempts": 1}))
    answer, took = timed(gate)
    assert answer.status == status and took < 3
    record = gate.record_of(answer)
    assert record["status"] == status
    if name != "answers 503":
        assert record["layer"] == "upstream" and record["reason"].startswith("upstream.")


def test_refused(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, services=service())
    back.refuse()
    answer, took = timed(gate)
    assert answer.status in (502, 503) and took < 3


def test_no_route_to_the_upstream_ends_in_time(gatehouse):
    """A backlog that is full drops connection attempts: the connect timeout ends it."""
    full = upstream.socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    fillers = []
    for _ in range(4):
        one = upstream.socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        fillers.append(one)
    gate = gatehouse([f"http://127.0.0.1:{port}"], services=service(retry={"attempts": 1}))
    answer, took = timed(gate)
    assert answer.status in (502, 504) and 0.3 < took < 3
    full.close()


# Retries


def test_a_failed_connection_is_retried(gatehouse, backend):
    """Whatever the method: nothing was sent."""
    gone, good = backend(), backend(name="good")
    gone.refuse()
    gate = gatehouse([gone, good], services=service(balance="round_robin", retry={"attempts": 2, "budget_percent": 100}))
    assert [gate.ask(method="POST", body=b"x").status for _ in range(6)] == [200] * 6


def test_an_idempotent_request_is_retried(gatehouse, backend):
    back = backend(in_turn(die, mirror))
    gate = gatehouse(back, services=service(retry={"attempts": 2, "budget_percent": 100}))
    assert gate.ask().status == 200
    assert len(back.heads) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_others_are_not(gatehouse, backend, method):
    back = backend(in_turn(die, mirror))
    gate = gatehouse(back, services=service(retry={"attempts": 3, "budget_percent": 100}))
    assert gate.ask(method=method, body=b"charge me once").status == 502
    assert len(back.heads) == 1


def test_not_after_the_answer_began(gatehouse, backend):
    back = backend(in_turn(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), mirror))
    gate = gatehouse(back, services=service(retry={"attempts": 3, "budget_percent": 100}))
    with gate.connect() as connection:
        connection.send(wire.request())
        with pytest.raises(wire.Closed):
            if connection.answer().status == 502:
                raise wire.Closed(b"")
    assert len(back.heads) == 1


def test_on_status(gatehouse, backend):
    back = backend(in_turn(raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), mirror))
    gate = gatehouse(back, services=service(retry={"attempts": 2, "on": [503], "budget_percent": 100}))
    assert gate.ask().status == 200


def test_the_budget_holds(gatehouse, backend):
    """When everything fails, retries are a fifth of the requests, not as many again."""
    back = backend(die)
    gate = gatehouse(back, services=service(retry={"attempts": 3, "budget_percent": 20}, outliers={"consecutive_errors": 1000}))
    for _ in range(50):
        assert gate.ask().status in (502, 503)
    assert len(back.heads) <= 50 * 1.2 + 10, len(back.heads)


def test_a_kept_connection_that_was_closed_meanwhile(gatehouse, backend):
    """The classic race: the upstream closes an idle connection as we use it. Safe requests are retried, silently."""

    def one_each(peer):
        if peer.read_request():
            peer.answer()

    gate = gatehouse(backend(one_each), services=service(retry={"budget_percent": 100}), process={"shards": 1})
    with gate.connect() as connection:
        for _ in range(30):
            connection.send(wire.request())
            assert connection.answer().status == 200


# Ejection, health, circuit


def test_outliers_are_ejected_and_come_back(gatehouse, backend):
    behave = {"bad": True}

    def moody(peer):
        while peer.read_request():
            peer.answer(500 if behave["bad"] else 200, b"moody\n")

    bad, good = backend(moody), backend(well(body=b"good\n"))
    gate = gatehouse([bad, good], process={"shards": 1}, services=service(
        balance="round_robin", retry={"attempts": 1}, outliers={"consecutive_errors": 3, "ejection": "1s"}))  # fmt: skip
    statuses = [gate.ask().status for _ in range(40)]
    assert statuses.count(500) <= 5 and statuses[-10:] == [200] * 10
    behave["bad"] = False
    wire.eventually(lambda: gate.ask().body == b"moody\n", within=10)


def test_never_all_are_ejected(gatehouse, backend):
    backs = [backend(well(500)) for _ in range(4)]
    gate = gatehouse(backs, services=service(balance="round_robin", retry={"attempts": 1}, outliers={"consecutive_errors": 1}))
    for _ in range(60):
        assert gate.ask().status == 500
    assert all(len(back.heads) for back in backs)
    assert sum(len(back.heads) > 10 for back in backs) >= 2, "half of them stay, by max_ejected_percent"


def test_health_checks(gatehouse, backend):
    sick = threading.Event()

    def patient(peer):
        while got := peer.read_request():
            peer.answer(503 if sick.is_set() and "/healthz" in got[0] else 200, b"patient\n")

    one, other = backend(patient), backend(well(body=b"other\n"))
    health = {"path": "/healthz", "interval": "200ms", "timeout": "200ms", "unhealthy_after": 2, "healthy_after": 2}
    gate = gatehouse([one, other], services=service(balance="round_robin", health=health))
    wire.eventually(lambda: any("GET /healthz" in line for line in one.requests))
    wire.eventually(lambda: {gate.ask().body for _ in range(4)} == {b"patient\n", b"other\n"})
    sick.set()
    wire.eventually(lambda: {gate.ask().body for _ in range(8)} == {b"other\n"}, within=10)
    sick.clear()
    wire.eventually(lambda: {gate.ask().body for _ in range(8)} == {b"patient\n", b"other\n"}, within=10)


def test_circuit_limits(gatehouse, backend):
    """More at once than the service may have: two wait, and the rest gets a 503 at once."""
    back = backend(well(delay=1))
    circuit = {"connections": 4, "pending": 2, "requests": 100}
    gate = gatehouse(back, services={"main": {"circuit": circuit, "retry": {"attempts": 1}, "timeouts": {"connect": "10s"}}})
    answers, took = [], []

    def go():
        answer, seconds = timed(gate)
        answers.append(answer)
        took.append((answer.status, seconds))

    threads = [threading.Thread(target=go) for _ in range(30)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 6 and statuses.count(503) == 24, statuses
    assert max(seconds for status, seconds in took if status == 503) < 1
    wire.eventually(lambda: gate.ask().status == 200)


class Turnstile:
    """A back end that answers the request named /n only once it is let through; the order of arrival is kept."""

    def __init__(self):
        self.open, self.order = {}, []

    def of(self, target):
        return self.open.setdefault(target, threading.Event())

    def __call__(self, peer):
        while got := peer.read_request():
            target = got[0].split(" ")[1]
            self.order.append(target)
            self.of(target).wait(30)
            peer.answer(200, target.encode())


def narrow(pending=8, connect="10s", connections=1, **keys):
    circuit = {"connections": connections, "pending": pending}
    return {"main": {"circuit": circuit, "retry": {"attempts": 1}, "timeouts": {"connect": connect}, **keys}}


def queued(gate):
    return gate.metric("gatehouse_upstream_requests_queued", service="main")


def test_those_who_wait_are_served_in_turn(gatehouse, backend):
    """One connection, over all shards: whoever came first is next, on whichever shard, and all share the connection."""
    gate_at = Turnstile()
    back = backend(gate_at)
    gate = gatehouse(back, services=narrow(), process={"shards": 2})
    waiting = []
    for n in range(8):
        connection = gate.connect()
        connection.send(wire.request(target=f"/{n}"))
        waiting.append(connection)
        wire.eventually(lambda: queued(gate) == n if n else gate_at.order == ["/0"])
    for n in range(8):
        gate_at.of(f"/{n}").set()
        assert waiting[n].answer().body == f"/{n}".encode()
    assert gate_at.order == [f"/{n}" for n in range(8)]
    wire.eventually(lambda: queued(gate) == 0)
    with back.lock:
        assert len(back.open) <= 1
    [connection.close() for connection in waiting]


def test_nobody_waits_longer_than_for_a_connection(gatehouse, backend):
    gate_at = Turnstile()
    gate = gatehouse(backend(gate_at), services=narrow(connect="300ms"))
    with gate.connect() as first:
        first.send(wire.request(target="/0"))
        wire.eventually(lambda: gate_at.order)
        answer, took = timed(gate)
        assert answer.status == 503 and 0.25 < took < 3
        assert gate.record_of(answer)["reason"] == "upstream.queue_timeout"
        gate_at.of("/0").set()
        assert first.answer().status == 200
    gate_at.of("/").set()
    assert gate.ask().status == 200
    assert gate_at.order == ["/0", "/"]  # what gave up never reached the service


def test_whoever_hangs_up_leaves_the_queue(gatehouse, backend):
    gate_at = Turnstile()
    gate = gatehouse(backend(gate_at), services=narrow(pending=1))
    first, second, third = gate.connect(), gate.connect(), gate.connect()
    first.send(wire.request(target="/0"))
    wire.eventually(lambda: gate_at.order == ["/0"])
    second.send(wire.request("POST", target="/1", fields={"Content-Length": "5"}) + b"ab")
    wire.eventually(lambda: queued(gate) == 1)
    full = gate.ask()
    assert full.status == 503 and gate.record_of(full)["reason"] == "upstream.circuit_open"
    second.socket.close()
    wire.eventually(lambda: queued(gate) == 0)
    third.send(wire.request(target="/2"))
    wire.eventually(lambda: queued(gate) == 1)
    gate_at.of("/0").set(), gate_at.of("/2").set()
    assert first.answer().body == b"/0" and third.answer().body == b"/2"
    assert gate_at.order == ["/0", "/2"]
    first.close(), third.close()


@pytest.mark.parametrize("sent, declared", [(20_000, 20_000), (50_000, 50_000), (20_000, 30_000), (50_000, 1_000_000)])
def test_a_hang_up_behind_a_large_body_is_seen(gatehouse, backend, sent, declared):
    """Reading stops at 16 KiB: the client's end is behind what is not read, and nobody waits for the queue's timeout."""
    gate_at = Turnstile()
    gate = gatehouse(backend(gate_at), services=narrow(pending=1, connect="60s"))
    with gate.connect() as first:
        first.send(wire.request(target="/0"))
        wire.eventually(lambda: gate_at.order == ["/0"])
        with gate.connect() as second:
            second.send(wire.request("POST", target="/1", fields={"Content-Length": str(declared)}) + b"x" * sent)
            wire.eventually(lambda: queued(gate) == 1)
        wire.eventually(lambda: queued(gate) == 0)
        assert gate.record(path="/1")["reason"] == "client.closed"
        gate_at.of("/0").set()
        assert first.answer().body == b"/0"
    assert gate_at.order == ["/0"]


def test_a_half_closed_client_may_have_its_turn(gatehouse, backend):
    """Its end is seen behind a large body, but it is only done with sending: docs/decisions/0006."""
    gate_at = Turnstile()
    gate = gatehouse(backend(gate_at), services=narrow(connect="60s"))
    with gate.connect() as first, gate.connect() as second:
        first.send(wire.request(target="/0"))
        wire.eventually(lambda: gate_at.order == ["/0"])
        second.send(wire.request("POST", target="/1", body=b"x" * 200_000))
        wire.eventually(lambda: queued(gate) == 1)
        second.socket.shutdown(1)
        gate_at.of("/0").set(), gate_at.of("/1").set()
        assert first.answer().body == b"/0" and second.answer().body == b"/1"


def test_a_body_waits_with_its_request(gatehouse, backend):
    gate_at = Turnstile()
    back = backend(gate_at)
    gate = gatehouse(back, services=narrow())
    with gate.connect() as first, gate.connect() as second:
        first.send(wire.request(target="/0"))
        wire.eventually(lambda: gate_at.order == ["/0"])
        body = b"x" * 400_000
        second.send(wire.request("POST", target="/1", fields={"Content-Length": str(len(body))}))
        threading.Thread(target=lambda: second.send(body)).start()
        wire.eventually(lambda: queued(gate) == 1)
        gate_at.of("/0").set(), gate_at.of("/1").set()
        assert first.answer().status == 200 and second.answer().status == 200
    assert back.bodies[-1] == body


def test_an_idle_connection_elsewhere_is_given_up(gatehouse, backend):
    """The bound is the service's: an idle connection to one endpoint makes room for one to another."""
    one, other = backend(well(body=b"one\n")), backend(well(body=b"other\n"))
    gate = gatehouse([one, other], services=narrow(balance="round_robin", connect="2s"))
    # A request that comes before the last one's connection is idle waits for that one, and takes it.
    bodies = set()
    wire.eventually(lambda: bodies.add(gate.ask().body) or bodies == {b"one\n", b"other\n"})
    wire.eventually(lambda: len(one.open) + len(other.open) <= 1)  # the back end hears of a close in its own time


def test_a_slow_body_of_the_upstream(gatehouse, backend):
    """The response timeout is for the head; between bytes of the body the idle timeout holds."""

    def drip(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for byte in b"abcdef":
            time.sleep(0.3)
            peer.send(bytes([byte]))

    gate = gatehouse(backend(drip), services={"main": {"timeouts": {"response": "1s", "idle": "2s"}}})
    assert gate.ask().body == b"abcdef"


def test_an_upstream_that_stalls_in_the_body(gatehouse, backend):
    stall = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc", then="hang")
    gate = gatehouse(backend(stall), services={"main": {"timeouts": {"response": "1s", "idle": "1s"}}})
    began = time.monotonic()
    with gate.connect() as connection, pytest.raises(wire.Closed):
        connection.send(wire.request())
        connection.answer()
    assert time.monotonic() - began < 5


def test_a_route_timeout_covers_retries(gatehouse, backend):
    gate = gatehouse([backend(hang), backend(hang)], services={"main": {"timeouts": {"response": "10s"}, "retry": {"attempts": 5}}}, routes=[
        {"name": "all", "match": {"path": "/**"}, "service": "main", "public": True, "timeout": "700ms"}])  # fmt: skip
    answer, took = timed(gate)
    assert answer.status == 504 and took < 3


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_frees_the_upstream(gatehouse, backend, how):
    """The request behind a client that went away is ended."""
    gone = threading.Event()

    def wait(peer):
        peer.read_request()
        try:
            if not peer.socket.recv(1):
                gone.set()
        except OSError:
            gone.set()

    back = backend(wait)
    gate = gatehouse(back)
    with gate.connect() as connection:
        connection.send(wire.request())
        wire.eventually(lambda: back.heads)
        getattr(connection, how)()
    assert gone.wait(5)
    assert gate.record(path="/")["status"] in (0, 499)
