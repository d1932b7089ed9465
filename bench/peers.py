"""The proxies that bench/run compares: how each is configured and started. Every one has one worker.

All listen on the loopback address, on a plain and a TLS port, with the same ECDSA P-256 certificate and TLS 1.3, and
forward to the same back end over kept connections. None writes an access log unless its name says so.
"""

import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
DESCRIPTORS = 65536  # HAProxy reserves two for each of its connections
VENV = ROOT / "build" / "bench-venv"

NGINX = """
{load}daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; worker_processes 1;
events {{ worker_connections 30000; }}
http {{
  access_log {log}; keepalive_requests 1000000000; keepalive_timeout 300s; server_tokens off;
  client_max_body_size 16m; client_body_buffer_size 2m; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{tls} ssl http2 backlog=4096;
    ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    http2_max_concurrent_streams 128; {inspect}
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }}
  }}
}}
"""

# The package's own set-up, blocking and without its audit log; requests only, as everyone here; and with room for the
# largest of the bodies, which it would refuse unread.
MODSECURITY = {
    "SecRuleEngine": "On",
    "SecAuditEngine": "Off",
    "SecResponseBodyAccess": "Off",
    "SecRequestBodyNoFilesLimit": "13107200",
    "SecArgumentsLimit": "200000",
}
MODSECURITY_REMOVED = "SecRuleRemoveById 200007\n"  # refuses a thousand arguments
CRS = [
    "/etc/modsecurity/crs/crs-setup.conf",
    "/etc/modsecurity/crs/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf",
    "/usr/share/modsecurity-crs/rules/*.conf",
    "/etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf",
]  # as the package's owasp-crs.load has them
MODSECURITY_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
CORAZA = ROOT / "build" / "bench-coraza"

HAPROXY = """
global
  maxconn {connections}
  nbthread 1
  ssl-default-bind-options ssl-min-ver TLSv1.3
  {log_global}
defaults
  mode http
  {log_defaults}
  timeout connect 5s
  timeout client 300s
  timeout server 30s
  timeout http-keep-alive 300s
  option http-keep-alive
  http-reuse always
frontend bench
  bind 127.0.0.1:{plain} backlog 4096
  bind 127.0.0.1:{tls} ssl crt {pem} alpn h2,http/1.1 backlog 4096
  default_backend bench
backend bench
  server one 127.0.0.1:{backend}
"""


def envoy_config(peer):
    def listener(name, port, tls):
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "http_filters": [{"name": "router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]}]},
        }
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if tls:
            chain["transport_socket"] = {"name": "tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                    "tls_certificates": [{"certificate_chain": {"filename": str(peer.cert)}, "private_key": {"filename": str(peer.key)}}],
                }}}
        return {"name": name, "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}, "filter_chains": [chain]}

    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": peer.backend}}}}
    return {"static_resources": {
        "listeners": [listener("plain", peer.plain, False), listener("tls", peer.tls, True)],
        "clusters": [{"name": "backend", "type": "STATIC", "connect_timeout": "5s",
                      "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]}}],
    }}


def traefik_config(peer):
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{peer.backend}"}]}}
    rule = "PathPrefix(`/`)"
    return {
        "http": {"services": {"backend": service}, "routers": {
            "plain": {"rule": rule, "service": "backend", "entryPoints": ["plain"]},
            "tls": {"rule": rule, "service": "backend", "entryPoints": ["tls"], "tls": {}}}},
        "tls": {"certificates": [{"certFile": str(peer.cert), "keyFile": str(peer.key)}],
                "options": {"default": {"minVersion": "VersionTLS13"}}},
    }


def gatehouse_config(peer, log="off", armed=False, routes=0):
    """Secure defaults as they come; bounds on one client are raised, because all of the load is one client."""
    limits = {"connections": 30000, "connections_per_ip": 30000, "requests_per_connection": 1_000_000_000, "h2_streams": 128,
              "idle_timeout": "300s"}
    tls = {"certificates": [{"cert": str(peer.cert), "key": str(peer.key)}], "min_version": "1.3"}
    config = {
        "version": 1,
        "trust_domain": "bench.example",
        "data_dir": str(peer.data),
        "process": {"shards": 1},
        "listeners": [
            {"name": "plain", "address": f"127.0.0.1:{peer.plain}", "zone": "external", "limits": limits},
            {"name": "tls", "address": f"127.0.0.1:{peer.tls}", "zone": "external", "limits": limits, "tls": tls},
        ],
        "services": {"backend": {"endpoints": [f"http://127.0.0.1:{peer.backend}"]}},
        "routes": [{"name": "all", "match": {"path": "/**"}, "service": "backend", "public": True}],
        "waf": {"mode": "off"},  # the others have none
        "telemetry": {"access_log": {"to": log}},
    }
    if peer.variant.startswith("waf"):  # waf: paranoia level 1; waf4: 4
        # As the peers: bodies of any number of values are inspected. And nobody is banned, for all of the load is one client.
        limit = peer.write("limit.conf", f"SecArgumentsLimit {MODSECURITY['SecArgumentsLimit']}\n")
        config["waf"] = {"mode": "enforce", "rules": [limit, "crs"], "paranoia": int(peer.variant[3:] or 1),
                         "request_body": "4MiB"}  # fmt: skip
        config["penalties"] = {"attacks": "off"}
    for number in range(routes):
        config["routes"].append({"name": f"r{number}", "match": {"path": f"/r{number}/**"}, "service": "backend", "public": True})
    if armed:
        flood = {"key": "client_ip", "rate": "10000000/s", "burst": 10000000}
        config["zones"] = {"corporate": {"networks": ["10.0.0.0/8"]}}
        config["bans"] = {"deny": ["203.0.113.0/24", "198.51.100.0/24"]}
        config["authentication"] = {"jwt": [{"name": "bench", "issuer": "https://login.bench.example", "audience": ["bench"],
                                             "jwks": str(peer.dir / "jwks.json")}]}
        config["rate_limit"] = [flood]
        config["penalties"] = {"failed_logins": {"threshold": 5, "window": "5m", "delay": "1s", "max_delay": "30s"},
                               "attacks": {"threshold": 10, "window": "1m", "ban": "10m", "max_ban": "24h"}}
        config["telemetry"]["metrics"] = {"address": "127.0.0.1:0"}
        config["routes"][0] |= {"public": False, "zones": ["external"], "rate_limit": [flood | {"key": "user"}],
                                "access": {"roles": ["customer"], "scopes": ["orders:read"], "audience": "bench"}}
    return config


def modsecurity_rules(peer):
    lines = pathlib.Path("/etc/nginx/modsecurity.conf").read_text().splitlines()
    for number, line in enumerate(lines):
        name = line.partition(" ")[0]
        if name in MODSECURITY:
            lines[number] = f"{name} {MODSECURITY[name]}"
    lines += [f"Include {path}" for path in CRS] + [MODSECURITY_REMOVED]
    shutil.copy("/etc/nginx/unicode.mapping", peer.dir)
    return peer.write("modsecurity.conf", "\n".join(lines))


# Lookaround and possessive quantifiers, which Go's patterns have not; IP, a collection that Coraza has not.
CORAZA_REFUSES = re.compile(r"\(\?<?[!=]|[+*?}]\+|^\s*SecRule\s+&?IP:|setvar:'?!?ip\.")


def coraza_rules(peer):
    """The same files, less the few rules that Coraza refuses."""
    folder = peer.dir / "rules"
    folder.mkdir(exist_ok=True)
    names, peer.dropped = [], 0
    for pattern in CRS:
        for source in sorted(pathlib.Path("/").glob(pattern.lstrip("/"))):
            kept, chain = [], []
            for directive in re.findall(r"(?:[^\n]*\\\n)*[^\n]*\n", source.read_text() + "\n"):
                code = "" if directive.lstrip().startswith("#") else directive
                chain.append(code)
                if (not code.strip() and len(chain) > 1) or re.search(r"[\s\",]chain[\s\",]", code):
                    continue
                if any(CORAZA_REFUSES.search(each) for each in chain):
                    peer.dropped += 1
                else:
                    kept += chain
                chain = []
            (folder / source.name).write_text("".join(kept))
            names.append(str(folder / source.name))
    for data in pathlib.Path(CRS[2]).parent.glob("*.data"):
        shutil.copy(data, folder)
    return names


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """A running proxy. `name` may carry a variant: "nginx+log", "gatehouse+armed"."""

    def __init__(self, name, work, backend, keys, core, gatehouse, **options):
        self.name = name
        self.program, _, self.variant = name.partition("+")
        self.dir = pathlib.Path(work) / name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.backend, self.core, self.gatehouse = backend, core, gatehouse
        self.cert, self.key, self.pem, self.jwks = keys
        self.plain, self.tls = free_port(), free_port()
        self.options = options
        self.process = None
        self.start_seconds_max = 20
        self.data = self.dir / "data"  # Gatehouse's
        self.all_cores = False  # at the start, which compiles patterns

    def command(self):
        values = {"dir": self.dir, "plain": self.plain, "tls": self.tls, "backend": self.backend,
                  "cert": self.cert, "key": self.key, "pem": self.pem,
                  "connections": resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 100}  # fmt: skip
        log = self.variant == "log"
        if self.program == "nginx":
            target = f"{self.dir}/access.log" if log else "off"
            load, inspect = "", ""
            if self.variant == "modsecurity":
                load = f"load_module {MODSECURITY_MODULE};\n"
                inspect = f"modsecurity on; modsecurity_rules_file {modsecurity_rules(self)};"
            path = self.write("nginx.conf", NGINX.format(log=target, load=load, inspect=inspect, **values))
            return ["nginx", "-c", path, "-p", str(self.dir), "-e", str(self.dir / "error.log")]
        if self.program == "haproxy":
            text = HAPROXY.format(log_global="log stdout format raw local0" if log else "",
                                  log_defaults="log global\n  option httplog" if log else "", **values)  # fmt: skip
            return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]
        if self.program == "envoy":
            path = self.write("envoy.json", json.dumps(envoy_config(self)))
            binary = next(VENV.glob("lib/python*/site-packages/envoy/_bin/envoy"))
            return [str(binary), "--concurrency", "1", "-c", path, "--log-level", "error", "--use-dynamic-base-id"]
        if self.program == "traefik":
            path = self.write("dynamic.yaml", json.dumps(traefik_config(self)))
            return [str(VENV / "bin/traefik"), f"--providers.file.filename={path}", "--log.level=ERROR",
                    f"--entrypoints.plain.address=127.0.0.1:{self.plain}", f"--entrypoints.tls.address=127.0.0.1:{self.tls}",
                    "--global.checknewversion=false", "--global.sendanonymoususage=false"]  # fmt: skip
        if self.program == "coraza":
            return [str(CORAZA), "-listen", f"127.0.0.1:{self.plain}", "-backend", f"http://127.0.0.1:{self.backend}", *coraza_rules(self)]
        shutil.copy(self.jwks, self.dir / "jwks.json")
        config = gatehouse_config(self, log=str(self.dir / "access.log") if log else "off",
                                  armed=self.variant == "armed", **self.options)  # fmt: skip
        return [self.gatehouse, "run", "-c", self.write("gatehouse.yaml", json.dumps(config, indent=1))]

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return str(self.dir / name)

    def start(self):
        """Starts it and waits until it answers; returns the seconds that took."""
        environment = {**os.environ, "GOMAXPROCS": "1"}
        log = open(self.dir / "output.log", "wb")
        command = self.command()
        began = time.monotonic()
        self.process = subprocess.Popen(self.pinned(command), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, env=environment)  # fmt: skip
        while time.monotonic() - began < self.start_seconds_max:
            if self.process.poll() is not None:
                break
            if self.answers():
                return time.monotonic() - began
            time.sleep(0.0005)
        self.stop()
        raise SystemExit(f"{self.name} did not start:\n" + (self.dir / "output.log").read_text(errors="replace")[-2000:])

    def pinned(self, command):
        return command if self.all_cores else ["taskset", "-c", str(self.core), *command]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.plain), timeout=1) as probe:
                probe.sendall(b"GET / HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n")
                # without a token the armed gateway's answer is a 401
                return probe.recv(64).startswith(b"HTTP/1.1 401" if self.variant == "armed" else b"HTTP/1.1 200")
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            tree = self.tree()
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in tree:  # a worker in the middle of a request outlives its master
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.wait()

    def tree(self):
        """The process and its descendants."""
        children = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
        found, queue = [], [self.process.pid]
        while queue:
            found.append(queue.pop())
            queue += children.get(found[-1], [])
        return found

    def cpu_seconds(self):
        """User and system time of the whole tree."""
        ticks = 0
        for pid in self.tree():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        """Private and shared resident memory, each page counted once (Pss)."""
        total = 0
        for pid in self.tree():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


def certificate(work):
    """Of the TLS listeners: certificate, key, and both in one file."""
    cert, key, pem = work / "site.pem", work / "site.key", work / "site.both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)  # fmt: skip
    pem.write_text(cert.read_text() + key.read_text())
    key.chmod(0o644)  # of no worth, and the proxies may run as others
    return cert, key, pem


def start_backend(core):
    """The back end of all of them: its process and port."""
    binary = ROOT / "build" / "bench-backend"
    source = ROOT / "bench" / "backend.cc"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(exist_ok=True)
        subprocess.run(["g++", "-O2", "-std=c++20", "-o", binary, source], check=True)
    process = subprocess.Popen(["taskset", "-c", str(core), str(binary)], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def installed(gatehouse):
    """Which programs are here, with their versions."""
    found = {}
    probes = {
        "gatehouse": [gatehouse, "--version"],
        "haproxy": ["haproxy", "-v"],
        "nginx": ["nginx", "-v"],
        "envoy": [str(next(VENV.glob("lib/python*/site-packages/envoy/_bin/envoy"), "")), "--version"],
        "traefik": [str(VENV / "bin/traefik"), "version"],
    }
    for name, command in probes.items():
        if shutil.which(command[0]):
            run = subprocess.run(command, capture_output=True, text=True)
            lines = (run.stdout + run.stderr).strip().splitlines()
            found[name] = next((line.strip() for line in lines if any(c.isdigit() for c in line)), "?")
    return found
