"""A redis-server of a test's own: in a temporary folder, over a Unix socket, gone with the test."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest
import wire

PROGRAM = shutil.which("redis-server")


class Redis:
    def __init__(self, *settings):
        if not PROGRAM:
            assert not os.environ.get("CI"), "scripts/setup installs redis-server"
            pytest.skip("redis-server is not installed")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-e2e-redis-"))
        self.dir.chmod(0o755)  # the program gives up root, and must still find the socket
        self.socket = self.dir / "redis.sock"
        self.settings = settings
        self.start()

    @property
    def location(self):
        return f"redis+unix://{self.socket}"

    def start(self):
        """With nothing in it: it keeps nothing on disk."""
        self.socket.unlink(missing_ok=True)
        command = [PROGRAM, "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "777", "--save", "",
                   "--dir", self.dir, "--loglevel", "warning", *self.settings]  # fmt: skip
        with open(self.dir / "redis.log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wire.eventually(lambda: self.answers(), within=20)

    def answers(self):
        try:
            return b"PONG" in self.ask("PING") or b"NOAUTH" in self.ask("PING")
        except OSError:
            return False

    def ask(self, *words):
        """One command; the bytes of its answer, as far as they come in one piece."""
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(5)
            one.connect(str(self.socket))
            one.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
            return one.recv(1 << 20)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
