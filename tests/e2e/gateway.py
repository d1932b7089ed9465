"""Starts the program under test with a configuration, and gives its addresses, its log and its memory to the tests."""

import fcntl
import http.client
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time

import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build" / "release" / "gatehouse"))
START_SECONDS = 20
SANITIZER = next((name for name in ("asan", "tsan") if f"__{name}_init".encode() in pathlib.Path(BINARY).read_bytes()), None)
# The leak sanitizer traces its process, which the sandbox forbids: for the tests that want the sandbox.
SANDBOXED = {"ASAN_OPTIONS": "detect_leaks=0"}


def merge(base, extra):
    """`extra` laid over `base`; dictionaries are merged, everything else is replaced. None removes a key."""
    result = dict(base)
    for key, value in extra.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def run(*arguments, **options):
    """One of the program's other commands; returns the finished process with its text."""
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


class AdminConnection(http.client.HTTPConnection):
    """The admin API, over its socket."""

    def __init__(self, folder):
        super().__init__("localhost", timeout=20)
        self.path = str(folder / "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class Gateway:
    def __init__(self, upstreams, **keys):
        """One plain listener `public` and one public route for everything to the service `main`, unless `keys` (merged
        over that) say otherwise. `upstreams`: an Upstream, a list of them, or {service: [Upstream]}."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-e2e-"))
        self.dir.chmod(0o777)  # the program gives up root, and must still be able to read a new configuration
        self.log_path = self.dir / "access.log"
        self.config_path = self.dir / "gatehouse.yaml"
        self.process = None
        self.ready = None
        self.read_to = 0
        self.records = []
        self.config = merge(self.base(upstreams), keys)

    def base(self, upstreams):
        if not isinstance(upstreams, dict):
            upstreams = {"main": upstreams if isinstance(upstreams, list) else [upstreams]}
        services = {}
        for name, endpoints in upstreams.items():
            services[name] = {"endpoints": [e if isinstance(e, str) else e.url for e in endpoints]}
        return {
            "version": 1,
            "trust_domain": "shop.example",
            "data_dir": str(self.dir / "data"),
            "process": {"drain_timeout": "1s", "sandbox": SANITIZER != "asan"},
            "listeners": [self.listener()],
            "services": services,
            "routes": [{"name": "all", "match": {"path": "/**"}, "service": next(iter(services)), "public": True}],
            # test_waf.py turns it on
            "waf": {"mode": "off"},
            # one address sends all of a test's bad requests: nothing is held against it unless the test is about that
            "penalties": {"failed_logins": {"threshold": 1_000_000}, "attacks": {"threshold": 1_000_000}},
            "telemetry": {"access_log": {"to": str(self.log_path), "format": "json"}, "metrics": {"address": "127.0.0.1:0"}},
            "admin": {"address": f"unix:{self.dir}/admin.sock"},
        }

    @staticmethod
    def listener(name="public", **keys):
        return merge({"name": name, "address": "127.0.0.1:0", "zone": "external"}, keys)

    def write(self, config=None):
        if config is not None:
            self.config = config
        text = self.config if isinstance(self.config, str) else json.dumps(self.config, indent=2)
        self.config_path.write_text(text)
        self.config_path.chmod(0o644)

    def file(self, name, text):
        path = self.dir / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
        return str(path)

    def start(self, *arguments, limit_files=None, environment=None, ready_fd=0, through=(), within=START_SECONDS):
        """`ready_fd`: the lowest number that the descriptor for the ready line may have. `through`: what execs it."""
        self.write()
        reading, low = os.pipe()
        writing = fcntl.fcntl(low, fcntl.F_DUPFD, ready_fd)
        os.close(low)
        command = [BINARY, "run", "-c", str(self.config_path), "--ready-fd", str(writing), *arguments]
        if limit_files:
            command = ["prlimit", f"--nofile={limit_files}", *command]
        command = [*through, *command]
        with open(self.dir / "output.log", "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            pass_fds=[writing], env={**os.environ, **(environment or {})})  # fmt: skip
        os.close(writing)
        try:
            self.ready = self.read_ready(reading, within)
        finally:
            os.close(reading)
        return self

    def read_ready(self, reading, within):
        line = b""
        deadline = time.monotonic() + within
        while not line.endswith(b"\n"):
            if not select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"not ready in {within} s\n{self.output()}")
            data = os.read(reading, 65536)
            if not data:
                raise AssertionError(f"ended with {self.process.wait(5)} before it was ready\n{self.output()}")
            line += data
        return json.loads(line)

    def output(self):
        path = self.dir / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def address(self, listener="public"):
        """What to connect to: (host, port), or a Unix socket's path."""
        return self.parse(self.ready["listeners"][listener])

    @staticmethod
    def parse(text):
        if text.startswith("unix:"):
            return text[5:]
        host, _, port = text.rpartition(":")
        return host.strip("[]"), int(port)

    def url(self, path="/", listener="public", scheme="http"):
        host, port = self.address(listener)
        return f"{scheme}://{host}:{port}{path}"

    def connect(self, listener="public", **options):
        return wire.Connection(self.address(listener), **options)

    def ask(self, *arguments, listener="public", **options):
        return wire.ask(self.address(listener), *arguments, **options)

    # The access log

    def read_log(self):
        if self.log_path.exists():
            with open(self.log_path, "rb") as log:
                log.seek(self.read_to)
                data = log.read()
            end = data.rfind(b"\n") + 1
            self.read_to += end
            self.records += [json.loads(line) for line in data[:end].splitlines()]
        return self.records

    def record(self, within=5, **wanted):
        """The newest log record with these values, waited for."""

        def look():
            for record in reversed(self.read_log()):
                if all(record.get(key) == value for key, value in wanted.items()):
                    return record
            return None

        return wire.eventually(look, within, what=f"no record with {wanted}; there are {self.records[-3:]}")

    def record_of(self, answer, within=5):
        return self.record(within, request_id=answer.get("x-request-id"))

    # The process

    def command(self, *arguments, **options):
        return run(*arguments, "-c", self.config_path, **options)

    def admin(self, method, target, body=None):
        """A call of the admin API over its socket: the status, and the answer's JSON."""
        connection = AdminConnection(self.dir)
        text = None if body is None else json.dumps(body)
        connection.request(method, target, body=text, headers={"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None

    def metrics(self):
        host, port = self.parse(self.ready["metrics"])
        answer = wire.ask((host, port), wire.request("GET", "/metrics", host=f"{host}:{port}", fields={"Connection": "close"}))
        assert answer.status == 200
        return answer.body.decode()

    def metric(self, name, **labels):
        """The sum of all series of that name that carry these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return total

    def rss_bytes(self):
        if SANITIZER:
            return 0  # its own memory hides the program's: there's nothing to bound
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def generation(self):
        status = self.command("status", "--json")
        assert status.returncode == 0, status.stderr
        return json.loads(status.stdout)["generation"]

    def reload(self, config=None):
        """Writes the configuration, reloads by the command, and returns its result."""
        self.write(config)
        return self.command("reload")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, within=20):
        """SIGTERM; returns the exit code. A gateway that doesn't end is killed, and -9 is what its code says then."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def discard(self):
        """Ends it and removes its files. Crashing while the test ran, not ending when told to, or a sanitizer's report,
        also of a successor, is a failure, whatever the test saw."""
        code = self.stop()
        output = self.output()
        shutil.rmtree(self.dir, ignore_errors=True)
        report = min((at for at in map(output.find, ("Sanitizer", "runtime error:")) if at >= 0), default=None)
        assert report is None, f"the gateway ended with {code}:\n{output[max(0, report - 200):report + 12_000]}"
        assert code == 0, f"the gateway ended with {code}:\n{output[-4000:]}"
