"""Two gateways over one Redis share their limits, penalties and bans; without it each holds its own. Figures are printed."""

import json
import signal
import threading
import time

import gateway
import pytest
import redis_server
import wire
from upstream import well

SHARED = "limits are shared with other gateways"
ALONE = "limits are this gateway's own"


@pytest.fixture
def redis():
    one = redis_server.Redis()
    yield one
    one.stop()


@pytest.fixture
def pair(gatehouse, backend, redis):
    """pair(**keys) starts two gateways of one configuration, and waits until they share."""

    def start(counters=None, wait=True, **keys):
        keys["state"] = {"counters": counters or redis.location, **keys.get("state", {})}
        both = [gatehouse(backend(well()), **keys) for _ in range(2)]
        if wait:
            for gate in both:
                wire.eventually(lambda: up(gate) == 1, within=10)
        return both

    return start


def up(gate):
    return gate.metric("gatehouse_state_counters_up")


def flood(gate, until, statuses, pause=0.001):
    """Asks over one connection until the time has come, and counts what it gets."""
    with gate.connect() as connection:
        while time.monotonic() < until:
            connection.send(wire.request())
            status = connection.answer().status
            statuses[status] = statuses.get(status, 0) + 1
            time.sleep(pause)


def flood_both(gates, seconds):
    """(what was admitted of all, for how many seconds)"""
    counts = [{} for _ in gates]
    began = time.monotonic()
    threads = [threading.Thread(target=flood, args=(gate, began + seconds, count)) for gate, count in zip(gates, counts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert all(set(count) <= {200, 429} for count in counts), counts
    return [count.get(200, 0) for count in counts], [sum(count.values()) for count in counts], took


def test_the_sum_of_two_follows_one_limit(pair):
    """100 a second with a burst of 20, asked at both as fast as they answer: the burst, the rate, and what flows at
    either in one exchange before the other hears of it."""
    rate, burst = 100, 20
    gates = pair(rate_limit=[{"key": "client_ip", "rate": f"{rate}/s", "burst": burst}])
    admitted, asked, took = flood_both(gates, 5)
    allowed = burst + rate * took
    print(f"admitted {admitted} of {asked} in {took:.2f} s: {sum(admitted)} where one gateway admits {allowed:.0f}")
    assert min(asked) > 2 * allowed, "asked too little to say anything"
    assert sum(admitted) <= allowed + 2 * burst, "each may spend a burst before it hears of the other's"
    assert sum(admitted) >= 0.9 * rate * took


def test_alone_each_admits_the_whole(pair, redis):
    """The same without Redis: what sharing is worth, and that the local limit holds."""
    rate, burst = 100, 20
    gates = pair(rate_limit=[{"key": "client_ip", "rate": f"{rate}/s", "burst": burst}])
    redis.kill()
    for gate in gates:
        wire.eventually(lambda: up(gate) == 0, within=10)
    admitted, asked, took = flood_both(gates, 2)
    allowed = burst + rate * took
    print(f"admitted {admitted} of {asked} in {took:.2f} s without Redis, at most {allowed:.0f} each")
    for count in admitted:
        assert 0.8 * rate * took <= count <= allowed + 1


def test_a_client_that_moves_brings_its_count(pair):
    gates = pair(rate_limit=[{"key": "client_ip", "rate": "10/h", "burst": 10}])
    assert [gates[0].ask().status for _ in range(11)] == [200] * 10 + [429]
    time.sleep(0.3)  # several exchanges
    assert gates[1].ask().status == 200, "the first one here, which asks what others know"
    time.sleep(0.3)
    assert gates[1].ask().status == 429
    assert gates[1].ask(source="127.0.0.9").status == 200


def test_a_ban_and_its_end_are_in_force_everywhere_within_a_second(pair):
    gates = pair()
    assert gates[1].ask(source="127.0.0.77").status == 200
    began = time.monotonic()
    assert gates[0].command("bans", "add", "127.0.0.77", "--reason", "scanner").returncode == 0
    wire.eventually(lambda: gates[1].ask(source="127.0.0.77").status == 403, within=1)
    print(f"banned at the other after {time.monotonic() - began:.3f} s, the command included")
    listed = json.loads(gates[1].command("bans", "--json").stdout)
    assert [(ban["network"], ban["source"], ban["reason"]) for ban in listed["bans"]] == [("127.0.0.77/32", "operator", "scanner")]
    began = time.monotonic()
    assert gates[1].command("bans", "remove", "127.0.0.77").returncode == 0
    wire.eventually(lambda: gates[0].ask(source="127.0.0.77").status == 200, within=1)
    print(f"lifted at the other after {time.monotonic() - began:.3f} s, the command included")
    assert gates[1].ask(source="127.0.0.77").status == 200


def test_attacks_at_both_are_one_clients(pair):
    gates = pair(penalties={"attacks": {"threshold": 10, "window": "1m", "ban": "10m"}})
    bad = wire.request(fields={"Transfer-Encoding": "chunked", "Content-Length": "3"}, body=b"abc")
    for gate in gates:
        for _ in range(5):
            assert gate.ask(bad, source="127.0.0.66").status == 400
    for gate in gates:
        wire.eventually(lambda: gate.ask(source="127.0.0.66").status == 403, within=1)
        assert gate.ask(source="127.0.0.67").status == 200


def test_redis_hangs_dies_fills_up_and_is_back(pair, redis):
    """No request waits or is lost; the metric says so, and the log once for each change."""
    gates = pair(rate_limit=[{"key": "client_ip", "rate": "100000/s", "burst": 100000}])
    stop, slowest, failed = threading.Event(), [0.0, 0.0], []

    def watch(number):
        with gates[number].connect() as connection:
            while not stop.is_set():
                began = time.monotonic()
                connection.send(wire.request())
                if connection.answer().status != 200:
                    failed.append(number)
                slowest[number] = max(slowest[number], time.monotonic() - began)
                time.sleep(0.002)

    watchers = [threading.Thread(target=watch, args=(number,)) for number in range(2)]
    for watcher in watchers:
        watcher.start()
    for cause, mend in [
        (lambda: redis.signal(signal.SIGSTOP), lambda: redis.signal(signal.SIGCONT)),
        (redis.kill, redis.start),
        (lambda: redis.ask("CONFIG", "SET", "maxmemory", "1"), lambda: redis.ask("CONFIG", "SET", "maxmemory", "0")),
    ]:
        cause()
        for gate in gates:
            wire.eventually(lambda: up(gate) == 0, within=10)
        time.sleep(0.5)
        assert all(up(gate) == 0 for gate in gates)
        mend()
        for gate in gates:
            wire.eventually(lambda: up(gate) == 1, within=10)
    stop.set()
    for watcher in watchers:
        watcher.join()
    print(f"slowest answer while Redis hung, died and filled up: {max(slowest) * 1000:.1f} ms")
    assert not failed
    assert max(slowest) < 0.5, "a busy machine's hiccups, and not a timeout of a second"
    for gate in gates:
        for reason in ("timeout", "unreachable", "refused"):
            assert gate.metric("gatehouse_state_counters_failures_total", reason=reason) >= 1, reason
        assert gate.output().count(ALONE) == 3
        assert gate.output().count(SHARED) == 4


def test_without_redis_it_starts_and_says_so(gatehouse, backend, tmp_path):
    gate = gatehouse(backend(well()), state={"counters": f"redis+unix://{tmp_path}/none"},
                     rate_limit=[{"key": "client_ip", "rate": "3/h", "burst": 3}])  # fmt: skip
    assert [gate.ask().status for _ in range(4)] == [200, 200, 200, 429]
    wire.eventually(lambda: gate.metric("gatehouse_state_counters_failures_total", reason="unreachable") >= 3, within=10)
    assert up(gate) == 0
    assert gate.output().count(ALONE) == 1


# What docs/several-gateways.md says a user of its own needs.
RIGHTS = "~gatehouse:* +@connection +get +set +evalsha +script|load +time +xadd +xread +xrevrange +pexpire +select"


def test_the_password_and_the_least_rights(gatehouse, backend):
    assert RIGHTS in (gateway.ROOT / "docs" / "several-gateways.md").read_text()
    server = redis_server.Redis("--user", "default", "on", ">right", *RIGHTS.split())
    try:
        gates = []
        for password in ("right", "wrong"):
            gate = gatehouse.prepare(backend(well()), rate_limit=[{"key": "client_ip", "rate": "2/h", "burst": 2}])
            secret = gate.file("counters.password", password)
            gate.config["state"] = {"counters": server.location, "counters_password": f"${{file:{secret}}}"}
            gates.append(gate.start())
        wire.eventually(lambda: up(gates[0]) == 1, within=10)
        wire.eventually(lambda: gates[1].metric("gatehouse_state_counters_failures_total", reason="refused") >= 1, within=10)
        assert up(gates[1]) == 0
        assert "WRONGPASS" in gates[1].output()
        assert gates[1].ask().status == 200
        # everything that it ever says: rates, notices, the look after a second
        assert gates[0].command("bans", "add", "127.0.0.77").returncode == 0
        assert [gates[0].ask(source="127.0.0.78").status for _ in range(3)] == [200, 200, 429]
        wire.eventually(lambda: gates[0].metric("gatehouse_state_counters_told_total", kind="notices") >= 1)
        wire.eventually(lambda: gates[0].metric("gatehouse_state_counters_told_total", kind="rates") >= 1)
        time.sleep(1.5)
        assert up(gates[0]) == 1
        assert gates[0].metric("gatehouse_state_counters_failures_total") == 0
    finally:
        server.stop()


def test_in_memory_there_is_no_such_metric(gatehouse, backend):
    assert "state_counters" not in gatehouse(backend(well())).metrics()
