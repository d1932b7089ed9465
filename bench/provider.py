"""The providers that bench/identity measures: Gatehouse's identity, and node-oidc-provider beside it. Both are started as
the outside suite starts them (tests/oidc/targets.py), with its users and clients."""

import base64
import os
import pathlib
import socket
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "oidc"))

import agent  # noqa: E402
import peers  # noqa: E402
import registry  # noqa: E402
import relying  # noqa: E402
import targets  # noqa: E402

OIDC = ROOT / "tests" / "oidc"
API_HOST = "shop.test"  # what isn't the issuer's host is proxied to the back end


def install_packages():
    """What the suite's package-lock.json pins; null, or why node-oidc-provider is not there."""
    if (OIDC / "node_modules" / "oidc-provider").is_dir():
        return None
    try:
        run = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(OIDC)],
                             capture_output=True, text=True, timeout=300)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if run.returncode == 0 else run.stderr.strip()[-300:]


class Measured:
    """What load.py asks of whom it measures: ports and CPU time. `target` is one of targets.py."""

    def __init__(self, name, target, core):
        self.name, self.target, self.core = name, target, core
        self.tls, self.plain = target.port, None
        self.process = None

    tree = peers.Peer.tree
    cpu_seconds = peers.Peer.cpu_seconds
    memory_bytes = peers.Peer.memory_bytes

    def start(self):
        self.target.start()
        self.process = self.target.process
        if self.core is not None:
            for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {self.core})
        return self

    def stop(self):
        self.target.stop()

    def anonymous_bytes(self):
        """Resident memory of its own: without the program's file and files in the page cache."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")


class Identity(targets.GatehouseTarget):
    """Gatehouse with its provider, a plain listener beside the one with TLS, and a public route to the back end."""

    def __init__(self, binary, backend, shards=1, data=None):
        super().__init__()
        self.binary, self.backend, self.shards = binary, backend, shards
        self.plain, self.data = targets.free_port(), data

    def config(self):
        config = super().config()
        if self.data:
            config["data_dir"] = str(self.data)
        # Bounds on one client are raised, because all of the load is one client.
        limits = {"connections": 30000, "connections_per_ip": 30000, "requests_per_connection": 1_000_000_000, "idle_timeout": "300s"}
        config["process"]["shards"] = self.shards
        config["listeners"].append({"name": "plain", "address": f"127.0.0.1:{self.plain}", "zone": "external"})
        for listener in config["listeners"]:
            listener["limits"] = limits
        config["services"] = {"backend": {"endpoints": [f"http://127.0.0.1:{self.backend}"]}}
        config["routes"] = [{"name": "api", "match": {"hosts": [API_HOST], "path": "/**"}, "service": "backend", "public": True}]
        config["rate_limit"] = []
        config["telemetry"] = {"access_log": {"to": "off"}}
        return config


def gatehouse(options, backend, **more):
    pinned = options.proxy_core if more.pop("pinned", True) else None
    target = Identity(options.gatehouse, backend, **more)
    measured = Measured("gatehouse", target, pinned)
    measured.plain = target.plain
    return measured


def node(options):
    return Measured("node-oidc-provider", targets.NodeTarget(), options.proxy_core)


# Requests, byte for byte


def request(method, path, host, fields=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in dict(fields).items())]
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def form(fields):
    return urllib.parse.urlencode(fields).encode()


def basic(client):
    return {"Authorization": "Basic " + base64.b64encode(f"{client.id}:{client.secret}".encode()).decode()}


def path_of(url):
    return urllib.parse.urlsplit(url).path


def host_of(target):
    return f"localhost:{target.port}"


def client_token_request(target, metadata):
    client = target.clients["service"]
    body = form({"grant_type": "client_credentials", "scope": "orders:read", "resource": registry.ORDERS})
    return request("POST", path_of(metadata["token_endpoint"]), host_of(target), basic(client), body)


def client_tokens(target, metadata, count):
    client = relying.Relying(target, metadata, target.clients["service"])
    asked = {"scope": "orders:read", "resource": registry.ORDERS}
    return [client.good(client.token("client_credentials", **asked))["access_token"] for _ in range(count)]


def user_token(target, metadata):
    return relying.Relying(target, metadata, target.clients["web"]).tokens(scope="openid profile email")["access_token"]


def metadata_of(target):
    found = agent.Agent(target.ca, accept="application/json").get(target.issuer + "/.well-known/openid-configuration").json()
    target.issuer_claim = found["issuer"]
    return found


def write_requests(folder, name, texts):
    folder.mkdir(exist_ok=True)
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{name}.{number:05}.http")
        files[-1].write_bytes(text)
    return files


def answer_of(port, text):
    """Status and body of one request on a connection of its own: what is measured must be what it is taken for."""
    text = text.replace(b"\r\nHost:", b"\r\nConnection: close\r\nHost:", 1)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(text)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), body
