"""Drives one load against one peer and says what it cost: wrk for HTTP/1, h2load for HTTP/2."""

import dataclasses
import json
import re
import subprocess
import tempfile

# wrk's own summary stops at p99 and rounds; this prints one JSON line, times in microseconds.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "errors": %d, "p50": %f, "p99": %f, "p999": %f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
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

    @property
    def cpu_us(self):
        return self.cpu_seconds * 1e6 / max(1, self.requests)

    @property
    def rate(self):
        return self.requests / self.seconds


def run(command, core):
    return subprocess.run(["taskset", "-c", str(core), *command], capture_output=True, text=True, check=True).stdout


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
