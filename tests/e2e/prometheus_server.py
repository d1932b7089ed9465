"""A Prometheus of a test's own, that scrapes one gateway often: in a temporary folder, at a port of the kernel's choice."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import wire

PROGRAM = shutil.which("prometheus")
INTERVAL = 0.25


def listening_port(pid):
    """The port of 127.0.0.1 that the process listens at, or None so far."""
    sockets = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(os.readlink(descriptor))
        except OSError:
            pass
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            return int(fields[1].partition(":")[2], 16)
    return None


class Prometheus:
    def __init__(self, scraped, *flags):
        """`scraped`: (host, port) that serve /metrics."""
        if not PROGRAM:
            assert not os.environ.get("CI"), "scripts/setup installs prometheus"
            pytest.skip("prometheus is not installed")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-e2e-prometheus-"))
        job = {"job_name": "gatehouse", "scrape_interval": f"{int(INTERVAL * 1000)}ms", "scrape_timeout": f"{int(INTERVAL * 1000)}ms",
               "static_configs": [{"targets": [f"{scraped[0]}:{scraped[1]}"]}]}  # fmt: skip
        (self.dir / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        command = [PROGRAM, f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                   "--web.listen-address=127.0.0.1:0", *flags]  # fmt: skip
        with open(self.dir / "output.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = wire.eventually(self.listening, within=20)

    def listening(self):
        assert self.process.poll() is None, (self.dir / "output.log").read_text()
        return listening_port(self.process.pid)

    def ask(self, path, **query):
        """The answer's `data`; a query that Prometheus refuses fails with its words."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query, doseq=True)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{query}: {json.load(refused)['error']}") from None

    def query(self, expression):
        """What an instant query returns: a list of series."""
        return self.ask("query", query=expression)["result"]

    def wait_for_scrapes(self, count=2):
        """Returns when `count` scrapes that began after this call are in."""
        begun = time.time()

        def enough():
            found = self.query('up{job="gatehouse"}[1m]')
            return found and sum(float(at) > begun and value == "1" for at, value in found[0]["values"]) >= count

        wire.eventually(enough, within=20, what="Prometheus does not get the metrics")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
