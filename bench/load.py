"""Drives one load against one peer and says what it cost: wrk for HTTP/1, h2load for HTTP/2, one connection of our own
for requests that are large or take long."""

import dataclasses
import json
import re
import socket
import subprocess
import tempfile
import time

# wrk's own summary stops at p99 and rounds; this prints one JSON line, times in microseconds.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "errors": %d, "p50": %f, "p99": %f, "p999": %f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""

# Requests from files, byte for byte, one after the other; what is refused is an answer too, and counted apart.
WRK_REQUESTS = """
local texts, at = {}, 0
init = function(args)
  for name in io.lines(args[1]) do
    local file = io.open(name, "rb")
    texts[#texts + 1] = file:read("*a")
    file:close()
  end
end
request = function()
  at = at % #texts + 1
  return texts[at]
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "errors": %d, "refused": %d, "p50": %f, "p99": %f, "p999": %f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""


@dataclasses.dataclass
class Sample:
    requests: int
    errors: int
    seconds: float
    cpu_seconds: float
    p50: float  # microseconds
    p99: float
    p999: float
    refused: int = 0  # of the requests: answered with 4xx or 5xx

    @property
    def cpu_us(self):
        return self.cpu_seconds * 1e6 / max(1, self.requests)

    @property
    def rate(self):
        return self.requests / self.seconds


def run(command, core):
    pinned = command if core is None else ["taskset", "-c", str(core), *command]
    done = subprocess.run(pinned, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wrk(url, core, seconds, connections, headers):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_REPORT)
        script.flush()
        fields = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, *fields, url], core)
    return json.loads(out.strip().splitlines()[-1])


def h2load(url, core, seconds, connections, headers, streams=4):
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        fields = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        out = run(["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(seconds), "--log-file", log.name,
                   *fields, url], core)  # fmt: skip
        lines = [line.split("\t") for line in log.read().splitlines()]
    done = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored", out)
    statuses = [int(count) for count in re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out).groups()]
    times = sorted(int(line[2]) for line in lines if len(line) >= 3 and line[1] == "200") or [0]

    def percentile(share):
        return times[min(len(times) - 1, int(len(times) * share))]

    return {"requests": statuses[0], "seconds": seconds, "errors": int(done[2]) + int(done[3]) + sum(statuses[1:]),
            "p50": percentile(0.5), "p99": percentile(0.99), "p999": percentile(0.999)}  # fmt: skip


def measure(peer, case, core, seconds):
    port, scheme = (peer.tls, "https") if case.tls else (peer.plain, "http")
    path = case.path(peer) if callable(case.path) else case.path
    tool = h2load if case.h2 else wrk
    before = peer.cpu_seconds()
    result = tool(f"{scheme}://127.0.0.1:{port}{path}", core, seconds, case.connections, case.headers)
    return Sample(cpu_seconds=peer.cpu_seconds() - before, **result)


def measure_files(peer, files, core, seconds, connections, tls=False):
    place = f"https://127.0.0.1:{peer.tls}/" if tls else f"http://127.0.0.1:{peer.plain}/"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, tempfile.NamedTemporaryFile("w") as names:
        script.write(WRK_REQUESTS)
        script.flush()
        names.write("".join(f"{name}\n" for name in files))
        names.flush()
        before = peer.cpu_seconds()
        out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script.name,
                   place, "--", names.name], core)  # fmt: skip
        cpu_seconds = peer.cpu_seconds() - before
    return Sample(cpu_seconds=cpu_seconds, **json.loads(out.strip().splitlines()[-1]))


class Connection:
    """Sends whole requests, one at a time; answers have a Content-Length or end the connection."""

    def __init__(self, port, timeout):
        self.port, self.timeout, self.socket = port, timeout, None

    def status_of(self, request):
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        try:
            self.socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent; the answer may be there
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        left = int(length[1]) - len(body) if length else 0
        while left > 0:
            left -= len(self.receive())
        if length is None or re.search(rb"\r\nconnection: *close", head, re.IGNORECASE):
            self.close()
        return int(head[9:12])

    def receive(self):
        bytes_read = self.socket.recv(65536)
        if not bytes_read:
            raise ConnectionError("closed in the middle of an answer")
        return bytes_read

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def measure_serially(peer, files, seconds, timeout):
    """As many as the time allows, and at least one, of which no half is counted."""
    requests = [open(name, "rb").read() for name in files]
    connection = Connection(peer.plain, timeout)
    times, errors, refused = [], 0, 0
    before, began = peer.cpu_seconds(), time.monotonic()
    while not times or time.monotonic() - began < seconds:
        sent = time.monotonic()
        try:
            refused += connection.status_of(requests[len(times) % len(requests)]) >= 400
        except OSError:  # a timeout too
            errors += 1
            connection.close()
            seconds = 0  # the proxy may be busy with it still
        times.append((time.monotonic() - sent) * 1e6)
    elapsed = time.monotonic() - began
    connection.close()
    times.sort()
    return Sample(requests=len(times), errors=errors, seconds=elapsed, cpu_seconds=peer.cpu_seconds() - before,
                  p50=times[len(times) // 2], p99=times[-1], p999=times[-1], refused=refused)  # fmt: skip
