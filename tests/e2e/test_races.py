"""Everything at once, on two shards: every protocol under load while configuration, keys, certificates, log files and
bans change and everything is looked at; then a drain at the height of it.

In any build this finds what fails, hangs or crashes. Under the thread sanitizer (the stage `tsan` of tests/run.py) it is
the search for races: one report, and the gateway's exit code isn't 0.
"""

import asyncio
import collections
import itertools
import json
import os
import pathlib
import random
import signal
import ssl
import subprocess
import threading
import time

import websockets

import gateway
import wire
from upstream import in_turn, raw, well

SECONDS = 60 if os.environ.get("GATEHOUSE_LONG") else 6
PATIENCE = 30  # seconds for an answer: machines may be busy, and the thread sanitizer is slow
PLENTY = {"requests_per_connection": 1_000_000_000, "connections_per_ip": 10_000}
TEXT = (b"all work and no play makes a gateway dull\n" * 100, [("Content-Type", "text/plain")])


class Crew:
    """Threads that repeat their work until the end; the first exception of each is kept."""

    def __init__(self):
        self.over, self.failed, self.done, self.threads = threading.Event(), [], {}, []

    def repeat(self, work, pause=0.0):
        def run():
            count = 0
            try:
                while not self.over.is_set():
                    work()
                    count += 1
                    self.over.wait(pause)
            except Exception as error:
                self.failed.append(f"{work.__name__}: {error!r}")
            self.done[work.__name__] = self.done.get(work.__name__, 0) + count

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)


class Echo:
    """A WebSocket server, with as many conversations through the gateway as are asked for."""

    def __init__(self):
        self.loop, self.messages, ready = asyncio.new_event_loop(), 0, threading.Event()

        async def echo(socket):
            async for message in socket:
                await socket.send(message)

        async def serve():
            server = await websockets.serve(echo, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        self.loop.create_task(serve())
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        assert ready.wait(5)

    async def talk(self, url, until, **options):
        async with websockets.connect(url, **options) as socket:
            while time.monotonic() < until:
                await socket.send(str(self.messages))
                assert await asyncio.wait_for(socket.recv(), PATIENCE)
                self.messages += 1
                await asyncio.sleep(0.01)


def configuration(gate, certificates, issuer):
    """Something of everything that shards share: limits, penalties, bans, circuits, health, keys, sessions."""
    def route(name, path, service="main", **keys):
        return {"name": name, "match": {"path": path}, "service": service, "public": True, **keys}

    limits = [{"key": "client_ip", "rate": "50/s"}, {"key": ["route", "header:x-who"], "rate": "1000/m", "burst": 5},
              {"key": "client_ip", "concurrent": 3}]  # fmt: skip
    return gateway.merge(gate.config, {
        "process": {"shards": 2, "drain_timeout": "3s"},
        "listeners": [gate.listener(limits=PLENTY), gate.listener("tls", tls=certificates.listener_tls(), limits=PLENTY)],
        "services": {
            "main": {"circuit": {"connections": 200, "requests": 100_000}},
            "bad": {"retry": {"attempts": 3}, "outliers": {"consecutive_errors": 2, "ejection": "200ms"}, "balance": "round_robin",
                    "health": {"path": "/healthz", "interval": "500ms", "timeout": "400ms"}},
        },
        "routes": [
            route("all", "/**"), route("text", "/text", "text", compression={"min_bytes": 100}, mirror={"service": "bad", "percent": 50}),
            route("bad", "/bad", "bad"), route("limited", "/limited", rate_limit=limits), route("own", "/own/**", public=False),
            route("ws", "/ws", "ws", websocket={"enabled": True, "messages_per_second": 0}),
        ],
        "authentication": {**issuer.configuration(gate.file("jwks.json", issuer.jwks())), "internal_token": True},
        "penalties": {"failed_logins": {"threshold": 3, "delay": "5ms", "max_delay": "20ms"},
                      "attacks": {"threshold": 20, "ban": "1s", "max_ban": "2s"}},
    })  # fmt: skip


def clients(crew, gate, certificates, issuer):
    """Requests beside those of wrk and h2load: each kind takes another path through the gateway."""
    context, tokens = certificates.client_context(), [issuer.bearer("ES256"), issuer.bearer("RS256", sub="bob")]
    sources, sessions = itertools.cycle(f"127.0.0.{n}" for n in range(60, 90)), [None]

    def ask(*statuses, **parts):
        answer = gate.ask(source=next(sources), timeout=PATIENCE, **parts)
        assert answer.status in statuses, f"{parts.get('target')}: {answer.status} {answer.body[:200]}"

    def known():
        ask(200, target="/own/orders", fields=random.choice(tokens))

    def unknown():
        ask(401, target="/own/orders", fields=issuer.bearer(headers={"kid": "other"}))

    def limited():
        ask(200, 429, target="/limited", fields={"X-Who": random.choice("abcdef")})

    def bad():
        ask(200, 502, 503, target="/bad")

    def text():
        ask(200, target="/text", fields={"Accept-Encoding": random.choice(["zstd", "br", "gzip"])})

    def attack():
        try:  # from an address of its own: it gets itself banned
            gate.ask(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", source="127.0.0.40")
        except (wire.Closed, ConnectionError):
            pass

    def leave():
        with gate.connect(source=next(sources)) as connection:
            connection.send(wire.request("POST", fields={"Content-Length": "1000000"}, body=b"x" * random.randrange(70_000)))
            connection.reset()

    def handshake():
        with wire.Connection(gate.address("tls"), timeout=PATIENCE) as plain:
            with context.wrap_socket(plain.socket, server_hostname="shop.example", session=sessions[0]) as plain.socket:
                plain.send(wire.request())
                assert plain.answer().status == 200
                sessions[0] = plain.socket.session

    for work in (known, unknown, limited, bad, text, attack, leave, handshake):
        crew.repeat(work, 0.01)


def operators(crew, gate, issuer, endpoints):
    """Everything that changes or looks at a running gateway."""
    host, port = gate.parse(gate.ready["metrics"])
    last, turn = {}, itertools.count()

    def replace(name, text):
        pathlib.Path(gate.file("next-" + name, text)).rename(gate.dir / name)

    def reload():
        n = next(turn)
        config = json.loads(json.dumps(gate.config))
        config["routes"][0]["name"] = f"all-{n % 7}"
        config["services"]["main"]["endpoints"] = endpoints[: 1 + n % 2]
        config["bans"] = {"deny": [f"192.0.2.{n % 100}/32"]}
        if n % 3 == 0:
            config["listeners"].append(gate.listener("guest", address=f"unix:{gate.dir}/guest.sock"))
        replace("gatehouse.yaml", json.dumps(config))
        gate.signal(signal.SIGHUP)

    def rotate():
        gate.log_path.rename(gate.log_path.with_suffix(f".{next(turn)}"))
        gate.signal(signal.SIGUSR1)
        wire.eventually(gate.log_path.exists, within=PATIENCE)

    def scrape():
        answer = wire.ask((host, port), target="/metrics", host=f"{host}:{port}", timeout=PATIENCE,
                          fields={"Accept": random.choice(["text/plain", "application/openmetrics-text"])})  # fmt: skip
        assert answer.status == 200 and b"gatehouse_requests_total" in answer.body
        last["id"] = gate.ask(source="127.0.0.1", timeout=PATIENCE).get("x-request-id")

    def command():
        for arguments in (["status", "--json"], ["bans", "add", "127.0.0.41", "--for", "1s"], ["bans", "list"], ["bans", "remove", "127.0.0.41"],
                          ["explain", last.get("id", "0" * 26)], ["reload", "--dry-run"], ["rollback"]):  # fmt: skip
            run = gate.command(*arguments)  # what is explained may be gone by then, and so may the ban
            assert run.returncode in ((0, 1) if arguments[0] in ("explain", "bans") else (0,)), run.stderr

    def new_keys():
        replace("jwks.json", issuer.jwks("ES256", "RS256", *random.sample(["ES384", "EdDSA", "PS256"], 2)))

    crew.repeat(reload, 0.1)
    crew.repeat(rotate, 0.3)
    crew.repeat(scrape, 0.05)
    crew.repeat(command)
    crew.repeat(new_keys, 0.5)


def failures(gate):
    """What the access logs, rotated ones too, say of requests that failed: for the message of a failing test."""
    lines = itertools.chain.from_iterable(path.read_text().splitlines() for path in gate.dir.glob("access.*"))
    count = collections.Counter((one["route"], one["status"], one["reason"]) for one in map(json.loads, lines) if one["status"] >= 500)
    return "\n".join(map(str, count.most_common(20)))


def load(gate, seconds):
    host, port = gate.address("tls")
    return [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in (
        ["wrk", "-t1", "-c6", f"-d{seconds}s", "--timeout", "30s", gate.url()],
        ["wrk", "-t1", "-c4", f"-d{seconds}s", "--timeout", "30s", f"https://{host}:{port}/"],
        ["h2load", "-D", str(seconds), "-c", "4", "-m", "8", f"https://{host}:{port}/"],
        ["h2load", "-D", str(seconds), "-c", "2", "-m", "4", "-H", "accept-encoding: gzip", gate.url("/text")])]  # fmt: skip


def test_everything_at_once(gatehouse, backend, certificates, issuer):
    echo, quick = Echo(), [backend(well(), backlog=1024).url for _ in range(2)]
    flaky = backend(in_turn(*[raw(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", then="reset"), well()] * 500, well()))
    gate = gatehouse.prepare({"main": quick, "text": [backend(well(200, *TEXT))], "bad": [flaky, "http://127.0.0.1:9"],
                              "ws": [f"http://localhost:{echo.port}"]})  # fmt: skip
    gate.config = configuration(gate, certificates, issuer)
    gate.start()

    crew, until = Crew(), time.monotonic() + SECONDS
    generators = load(gate, SECONDS)
    clients(crew, gate, certificates, issuer)
    operators(crew, gate, issuer, quick)
    secure = {"ssl": ssl.create_default_context(cafile=certificates.ca), "server_hostname": "shop.example"}
    host, port = gate.address("tls")
    talks = [asyncio.run_coroutine_threadsafe(echo.talk(url, until, **options), echo.loop) for url, options in
             [(gate.url("/ws", scheme="ws"), {}), (f"wss://{host}:{port}/ws", secure)] * 5]  # fmt: skip
    for talk in talks:
        talk.result(SECONDS + 30)
    h1, h1_tls, h2_tls, h2 = (one.communicate(timeout=SECONDS + 30)[0] for one in generators)
    crew.end()
    assert not crew.failed, "\n".join(crew.failed) + failures(gate)
    for text in (h1, h1_tls):
        assert "Non-2xx" not in text and "Socket errors" not in text, text + failures(gate)
    for text in (h2_tls, h2):
        assert " 0 failed, 0 errored, 0 timeout" in text, text + failures(gate)

    before = gate.generation()
    again = load(gate, 3)
    time.sleep(1)
    gate.signal(signal.SIGTERM)
    assert gate.process.wait(30) == 0, gate.output()[-4000:]
    for one in again:
        one.kill()
        one.communicate()
    print(f"{before} generations, {echo.messages} WebSocket messages, {crew.done}")
