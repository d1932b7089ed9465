"""Receivers of telemetry that end with the test: real servers where Debian or npm has them, and one that writes down what
it is posted, for protocols whose server we cannot have."""

import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import pytest


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server in a folder of its own; `files` are written there, {folder} and {port} in them filled in."""

    def __init__(self, program, *arguments, files=None, ready=None, environment=None):
        path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
        if path is None:
            pytest.skip(f"{program} is not installed: scripts/setup installs it")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-receiver-"))
        self.port, self.port2 = free_port(), free_port()
        fill = {"folder": self.folder, "port": self.port, "port2": self.port2}
        for name, text in (files or {}).items():
            for key, value in fill.items():
                text = text.replace("{" + key + "}", str(value))
            (self.folder / name).write_text(text)
        command = [path, *(a.format(**fill) for a in arguments)]
        self.log = open(self.folder / "log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=self.log, stderr=self.log, env=environment)
        try:
            self.wait(ready)
        except BaseException:
            self.stop()
            raise

    def wait(self, ready, within=30):
        until = time.monotonic() + within
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                if ready is None:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                else:
                    self.get(ready)
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("not ready: " + (self.folder / "log").read_text())

    def get(self, path, port=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Collector:
    """What is posted, as (path, fields, body). `status` and `answer` are what it says; `hang` seconds before it does."""

    def __init__(self, status=200, answer=b"{}", port=0):
        self.posts, self.status, self.answer, self.hang = [], status, answer, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(outer.hang)
                outer.posts.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def bodies(self, path):
        return [body.decode() for at, _, body in list(self.posts) if at.split("?")[0] == path]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def documents(body):
    return [json.loads(line) for line in body.splitlines()]
