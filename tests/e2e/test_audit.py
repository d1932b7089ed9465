"""The audit log of a running gateway: what is in it, what happens when it cannot be written, and across kills."""

import http.client
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import pytest

import gateway
import wire
import witness
from upstream import well

TOOL = gateway.ROOT / "tools/gatehouse-audit-verify"


def ban(gate, number):
    return gate.admin("POST", "/v1/bans", {"address": "198.51.100.%d" % number, "duration": "1h", "reason": "test"})[0]


def data_dir(gate):
    return pathlib.Path(gate.config["data_dir"])


def folder(gate):
    return data_dir(gate) / "audit"


def verify(gate, *more):
    """By both; their verdict."""
    key = data_dir(gate) / "audit.vkey"
    ours = gateway.run("audit", "verify", folder(gate), "--key", key, *more)
    theirs = subprocess.run([sys.executable, str(TOOL), str(folder(gate)), "--key", str(key), *map(str, more)],
                            capture_output=True, text=True, timeout=60)
    assert ours.returncode == theirs.returncode, (ours, theirs)
    return ours.returncode


def entries(gate):
    done = gateway.run("audit", "tail", folder(gate), "-n", "100000", "--json")
    assert done.returncode == 0, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def acts(gate, outcome="ok", target="/v1/bans"):
    return [e for e in entries(gate) if e["target"] == target and e["outcome"] == outcome]


@pytest.fixture
def audited(gatehouse, backend):
    def prepare(**audit):
        gate = gatehouse.prepare(backend(well()), audit={"interval": "200ms", **audit})
        gate.config.setdefault("data_dir", str(gate.dir / "data"))
        return gate

    return prepare


def test_acts_and_denials_are_in_it_and_say_nothing_of_people(audited):
    gate = audited()
    gate.config["bans"] = {"deny": ["127.0.0.9"]}
    gate.start()
    assert ban(gate, 7) == 201
    assert gate.admin("DELETE", "/v1/bans/198.51.100.7")[0] == 200
    assert gate.admin("POST", "/v1/reload", {"dry_run": True})[0] == 200
    asked = [e for e in entries(gate) if e["outcome"] == "asked"]
    assert [(e["action"], e["target"]) for e in asked] == [
        ("admin.POST", "/v1/bans"), ("admin.DELETE", "/v1/bans"), ("admin.POST", "/v1/reload")]  # fmt: skip
    assert all(e["actor"].startswith("admin:uid=") for e in asked)
    assert set(asked[0]["commitments"]) == {"address", "reason"} and asked[0]["details"] == {"duration": "1h"}
    wire.eventually(lambda: len([e for e in entries(gate) if e["outcome"] == "ok" and e["kind"] == "administration"]) >= 4)
    denied = gate.ask(target="/secret-path", source="127.0.0.9")
    assert denied.status == 403
    found = wire.eventually(lambda: [e for e in entries(gate) if e["kind"] == "denial"])
    assert found[0]["details"]["status"] == "403" and found[0]["request_id"] == denied.get("x-request-id")
    assert [e["sequence"] for e in entries(gate)] == list(range(len(entries(gate))))
    assert verify(gate) == 0
    gate.stop()
    published = b"".join(p.read_bytes() for p in folder(gate).rglob("*") if p.is_file())
    for secret in (b"198.51.100.7", b"127.0.0.9", b"secret-path"):
        assert secret not in published, secret
    assert verify(gate) == 0
    index = asked[0]["sequence"]
    proof = gate.dir / "entry.tlog-proof"
    key = data_dir(gate) / "audit.vkey"
    assert gateway.run("audit", "export", folder(gate), index, "--key", key, "--to", proof).returncode == 0
    assert gateway.run("audit", "verify", proof, "--key", key).returncode == 0
    assert subprocess.run([sys.executable, str(TOOL), str(proof), "--key", str(key)], timeout=30).returncode == 0


def test_what_cannot_be_recorded_is_not_done_and_requests_go_on(audited):
    gate = audited().start()
    assert ban(gate, 1) == 201
    before = len(entries(gate))
    # As after another process's turn: it reads everything again, and may not.
    (folder(gate) / "lock").write_text("somebody else")
    folder(gate).chmod(0)
    try:
        assert ban(gate, 2) == 503
        assert gate.admin("POST", "/v1/reload", {})[0] == 503
        assert gate.ask().status == 200
        assert gate.admin("GET", "/v1/status")[0] == 200
        assert gate.metric("gatehouse_audit_failures_total", reason="write") >= 1
    finally:
        folder(gate).chmod(0o700)
    assert [b["network"] for b in gate.admin("GET", "/v1/bans")[1]["bans"]] == ["198.51.100.1/32"]
    assert ban(gate, 3) == 201
    dropped = wire.eventually(lambda: [e for e in entries(gate)[before:] if e["action"] == "audit.dropped"])
    assert int(dropped[0]["details"]["entries"]) >= 2
    assert verify(gate) == 0


def test_a_log_that_was_rolled_back_or_changed_keeps_the_gateway_from_starting(audited):
    gate = audited()
    elsewhere = gate.dir / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    gate.config["audit"]["checkpoints"] = [str(elsewhere / "checkpoint")]
    gate.start()
    assert ban(gate, 1) == 201
    gate.stop()
    shutil.copytree(folder(gate), gate.dir / "copy")
    gate.start()
    assert ban(gate, 2) == 201
    gate.stop()
    assert verify(gate, "--since", elsewhere / "checkpoint") == 0
    shutil.move(folder(gate), gate.dir / "newest")
    shutil.move(gate.dir / "copy", folder(gate))
    assert verify(gate) == 0, "by itself it is whole"
    assert verify(gate, "--since", elsewhere / "checkpoint") == 1
    done = gateway.run("run", "-c", gate.config_path)
    assert done.returncode == 1 and "it was rolled back" in done.stderr, done
    shutil.rmtree(folder(gate))
    shutil.move(gate.dir / "newest", folder(gate))
    bundle = next(path for path in folder(gate).glob("tile/entries/000.p/*"))
    for path in folder(gate).glob("tile/entries/000.p/*"):
        path.write_bytes(path.read_bytes().replace(b"gateway.start", b"gateway.stall"))
    assert bundle.exists() and verify(gate) == 1
    done = gateway.run("run", "-c", gate.config_path)
    assert done.returncode == 1 and "the audit log has been changed" in done.stderr, done


def test_what_was_answered_is_there_after_any_number_of_kills(audited):
    gate = audited()
    answered = 0
    for turn in range(12):
        gate.start()
        stop = threading.Event()

        def act():
            nonlocal answered
            while not stop.is_set():
                try:
                    if ban(gate, 1 + answered % 250) != 201:
                        return
                except (OSError, http.client.HTTPException):
                    return
                answered += 1

        threads = [threading.Thread(target=act) for _ in range(2)]
        for thread in threads:
            thread.start()
        stop.wait(0.15 + 0.07 * turn)
        gate.signal(signal.SIGKILL)
        gate.process.wait(10)
        stop.set()
        for thread in threads:
            thread.join()
        gate.process = None
        assert verify(gate) == 0
        assert len(acts(gate, "asked")) >= answered, turn
    assert answered > 20


def test_a_witness_signs_and_what_it_signed_is_kept(audited):
    seer = witness.Witness()
    gate = audited()
    gate.config["audit"]["checkpoints"] = [seer.url + "#" + seer.vkey, seer.url + "/plain"]
    gate.start()
    try:
        kept = folder(gate) / "witnessed"
        for number in range(1, 4):
            assert ban(gate, number) == 201
            wire.eventually(lambda: kept.exists() and seer.name in kept.read_text() and
                            json.loads(json.dumps(kept.read_text().split("\n")[1])) ==
                            (folder(gate) / "checkpoint").read_text().split("\n")[1])  # fmt: skip
        assert set(seer.answers) <= {200, 409}
        assert seer.posted and seer.posted[-1].startswith(b"gatehouse/audit/")
        # A gateway that starts again has to ask what the witness has seen.
        gate.stop()
        gate.start()
        assert ban(gate, 9) == 201
        wire.eventually(lambda: 409 in seer.answers and seer.answers[-1] == 200)
    finally:
        gate.stop()
        seer.close()
