"""A PostgreSQL cluster of the tests' own: in a temporary folder, over a Unix socket in it, run by an unprivileged user."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

START_SECONDS = 30


def programs():
    """The folder of the newest that is installed; None: there is none."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Cluster:
    def __init__(self):
        self.programs = programs()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-pg-"))
        self.dir.chmod(0o755)
        self.data = self.dir / "data"
        self.user = {}
        if os.geteuid() == 0:  # which it refuses to be
            account = pwd.getpwnam("postgres")
            os.chown(self.dir, account.pw_uid, account.pw_gid)
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.run("initdb", "-D", self.data, "-U", "gatehouse", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        self.databases = 0
        self.start()

    def start(self):
        settings = ["listen_addresses=", "fsync=off", "max_connections=60", "shared_buffers=32MB"]
        command = [self.programs / "postgres", "-D", self.data, "-k", self.dir]
        with open(self.dir / "server.log", "wb") as log:
            self.server = subprocess.Popen([*command, *(word for one in settings for word in ("-c", one))], stdout=log, stderr=log, cwd=self.dir, **self.user)
        self.wait()

    def run(self, program, *arguments):
        done = subprocess.run([self.programs / program, *map(str, arguments)], capture_output=True, cwd=self.dir, timeout=120, **self.user)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        ready = [self.programs / "pg_isready", "-q", "-h", self.dir, "-U", "gatehouse"]
        while subprocess.run(ready).returncode != 0:
            assert time.monotonic() < deadline, (self.dir / "server.log").read_text()
            time.sleep(0.05)

    def sql(self, text, database="postgres"):
        return self.run("psql", "-h", self.dir, "-U", "gatehouse", "-d", database, "-tAqc", text).decode()

    def make_database(self):
        """The location of an empty one, as state.store takes it; its name."""
        self.databases += 1
        name = f"test{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://gatehouse@/{name}?host={self.dir}", name

    def dump(self, database):
        return self.run("pg_dump", "-h", self.dir, "-U", "gatehouse", database)

    def halt(self):
        """Until `start`."""
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            self.server.wait(20)

    def stop(self):
        self.halt()
        shutil.rmtree(self.dir, ignore_errors=True)
