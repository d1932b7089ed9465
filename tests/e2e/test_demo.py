"""`gatehouse dev`: what it prints works as it is pasted, and it leaves nothing behind."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import gateway
import wire


class Shop:
    def __init__(self, folder):
        self.tmp = folder
        self.said = folder / f"said-{len(list(folder.iterdir()))}"
        with open(self.said, "wb") as output:
            self.process = subprocess.Popen([gateway.BINARY, "dev"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env={**os.environ, **gateway.SANDBOXED, "TMPDIR": str(folder), "NO_COLOR": "1"},
                                            start_new_session=True)  # fmt: skip
        try:
            wire.eventually(self.said_all, within=600)  # its first start compiles the inspection rules
        except BaseException:
            self.process.terminate()
            raise
        self.url = re.search(r"https://localhost:\d+", self.text)[0]
        self.folder = pathlib.Path(re.search(rf"{folder}/gatehouse-\w+", self.text)[0])

    @property
    def text(self):
        return self.said.read_text()

    def said_all(self):
        assert self.process.poll() is None, self.text
        return "tail -f" in self.text

    def paste(self, what):
        """Runs the command that stands below the comment which holds these words, and returns its output."""
        lines = self.text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.strip().startswith("#") and what in line)
        return subprocess.run(["bash", "-c", lines[at + 1]], capture_output=True, text=True, timeout=30).stdout

    def children(self):
        """Everything that was started for it, whoever its parent is now."""
        found = []
        for path in pathlib.Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != self.process.pid:
                if str(self.tmp).encode() in environment_of(path):
                    found.append(int(path.name))
        return found

    def gone(self):
        return not self.folder.exists() and not self.children()


def environment_of(path):
    try:
        return (path / "environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def shop(tmp_path):
    started = Shop(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        try:
            started.process.wait(15)
        except subprocess.TimeoutExpired:
            started.process.kill()


def test_what_it_prints_works(shop):
    assert json.loads(shop.paste("anyone may look"))["total"] == 6
    orders = json.loads(shop.paste("alice, a customer"))["orders"]
    assert {order["user"] for order in orders} == {"alice"}
    assert json.loads(shop.paste("second factor she may pay"))["state"] == "charged"
    assert {order["user"] for order in json.loads(shop.paste("olga"))["orders"]} >= {"alice", "bob"}
    assert json.loads(shop.paste("API key"))["total"] == 6
    told = dict(map(tuple, json.loads(shop.paste("what a service is told"))["fields"]))
    assert told["x-gatehouse-user"] == "alice" and "authorization" not in told


@pytest.mark.parametrize("attack, status", [("without a second factor", "403"), ("forged identity", "401"), ("out of the root", "400"),
                                            ("smuggling", "400"), ("SQL injection", "403"), ("script in a JSON body", "403")])  # fmt: skip
def test_attacks(shop, attack, status):
    assert re.match(rf"HTTP/[\d.]+ {status}", shop.paste(attack))


def test_scraping_is_slowed_down_and_explained(shop):
    statuses = shop.paste("scraping").split()
    assert "200" in statuses and "429" in statuses
    log = shop.folder / "access.log"
    refused = wire.eventually(lambda: [r for r in map(json.loads, log.read_text().splitlines()) if r["status"] == 429])
    command = next(line for line in shop.text.splitlines() if " explain " in line).replace("REQUEST_ID", refused[0]["request_id"])
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0 and "rate" in run.stdout


def test_its_folder_is_private(shop):
    assert shop.folder.stat().st_mode & 0o777 == 0o700
    for path in shop.folder.rglob("*"):
        if path.is_file() and (path.name.endswith(".key") or path.name in ("alice", "alice-mfa", "olga", "partner")):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_behind(shop, number):
    assert shop.children()
    shop.process.send_signal(number)
    assert shop.process.wait(15) == 0
    wire.eventually(shop.gone)


def test_not_even_when_it_is_killed(shop):
    shop.process.kill()
    shop.process.wait()
    wire.eventually(shop.gone, within=10)


def test_a_taken_port(shop, tmp_path):
    other = Shop(tmp_path)
    try:
        assert other.url != shop.url
        assert json.loads(other.paste("anyone may look"))["total"] == 6
    finally:
        other.process.send_signal(signal.SIGINT)
        assert other.process.wait(15) == 0
