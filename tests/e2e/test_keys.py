"""`gatehouse keys`: the keyring, the keys that sign, and the root key, which is rotated under a running gateway."""

import base64
import json
import os
import random
import shutil
import subprocess
import time

import pytest

import gateway as gateways
import postgresql_server
import wire
from people import IDENTITY, admin, audited, refusal

NEXT = base64.b64encode(bytes(range(2, 34))).decode()


@pytest.fixture
def running(gatehouse):
    return gatehouse(**IDENTITY)


def keys(gateway, *words, code=0, **options):
    done = gateway.command("keys", *words, **options)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def status(gateway):
    return json.loads(keys(gateway, "status", "--json"))


def add(gateway, *names):
    for name in names:
        admin(gateway, "POST", "/v1/users", {"username": name, "email": f"{name}@shop.example"}, 201)


def emails(gateway):
    return [user["email"] for user in admin(gateway, "GET", "/v1/users")["users"]]


def test_a_rotation_seals_everything_anew(running):
    add(running, "ada", "bob")
    before = status(running)["data_keys"]
    assert before["root_key"] == "file" and before["root_keys"] == 1
    assert [(key["id"], key["state"]) for key in before["keys"]] == [(1, "current")] and before["keys"][0]["records"] >= 4
    assert "sealed anew in the background" in keys(running, "rotate")

    def moved():
        now = status(running)["data_keys"]["keys"]
        return now if now[0]["records"] == 0 else None

    old, new = wire.eventually(moved, 15, what="records are still sealed with the key of before")
    assert (old["state"], new["state"]) == ("previous", "current") and new["records"] > before["keys"][0]["records"]
    shown = keys(running, "status")
    assert shown.splitlines()[0] == "root key  file" and "\n2   current   2" in shown and "wait to be sealed" not in shown
    running.stop()
    running.start()
    assert emails(running) == ["ada@shop.example", "bob@shop.example"]
    event, = audited(running, "data_keys.rotate")
    assert (event["actor"], event["outcome"], event["details"]) == ("admin:uid=0", "ok", {"key": "2"})


def test_keys_that_sign_are_rotated(running):
    before = {key["id"] for key in status(running)["signing_keys"]["keys"]}
    assert json.loads(keys(running, "rotate", "--signing", "--json"))["keys"]
    # The new ones sign after three seconds: until then other gateways have learned of them.
    deadline = time.monotonic() + 10
    while True:
        states = {key["id"]: key["state"] for key in status(running)["signing_keys"]["keys"]}
        if "signing" in states.values() and "next" not in states.values() or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert {states[one] for one in before} == {"previous"} and set(states.values()) == {"previous", "signing"}


def test_another_root_key_under_a_running_gateway(running, tmp_path):
    data = running.dir / "data"
    add(running, "ada")
    backup = tmp_path / "backup.db"
    assert running.command("backup", backup).returncode == 0
    before, owner = (data / "root.key").read_text(), (data / "root.key").stat()
    told = keys(running, "rotate", "--root")
    assert f"the one before is {data}/root.key.1: it opens the backups of its time" in told
    after = data / "root.key"
    assert after.read_text() != before and (data / "root.key.1").read_text() == before
    assert (after.stat().st_uid, after.stat().st_mode) == (owner.st_uid, owner.st_mode)
    assert not (data / "root.key.new").exists()
    assert before.strip() not in told and after.read_text().strip() not in told
    # The gateway goes on, and takes the new one when it needs it.
    add(running, "bob")
    keys(running, "rotate")
    add(running, "eve")
    event, = audited(running, "root_key.rotate")
    assert (event["actor"], event["outcome"]) == (f"admin:uid={os.getuid()}", "ok")
    assert running.stop() == 0
    running.start()
    assert len(emails(running)) == 3
    running.stop()

    assert running.command("restore", backup).returncode == 0
    code, words = refusal(running)
    assert code == 1 and "a backup needs the root key of its time" in words and "\n" not in words
    shutil.copy(data / "root.key.1", after)
    running.start()
    assert emails(running) == ["ada@shop.example"]


def test_a_crash_at_any_moment_leaves_a_root_key_that_opens(running):
    add(running, "ada")
    running.stop()
    data = running.dir / "data"
    seed = random.randrange(1 << 30)
    print("seed", seed)
    pauses = random.Random(seed)
    began = time.monotonic()
    keys(running, "rotate", "--root")
    whole = time.monotonic() - began
    killed = 0
    for _ in range(30):
        command = [gateways.BINARY, "keys", "rotate", "--root", "-c", str(running.config_path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pauses.uniform(0, whole))
        process.kill()
        killed += process.wait() == -9
        # Only a root key that opens the store can say that it is the one.
        if pauses.random() < 0.3:
            keys(running, "rotate", "--root", "--finish")
            (data / "root.key.new").unlink(missing_ok=True)
        else:
            again = running.command("keys", "rotate", "--root")
            assert again.returncode == 0 or "--root --finish" in again.stderr, again.stderr
    assert killed > 10
    running.start()
    assert emails(running) == ["ada@shop.example"]


def test_a_root_key_of_the_environment_is_given_in_two_steps(gatehouse, tmp_path):
    first = base64.b64encode(bytes(range(32))).decode()
    old, new = {**os.environ, "ROOT_KEY": first}, {**os.environ, "ROOT_KEY": NEXT}
    gateway = gatehouse.prepare(**IDENTITY, secrets={"root_key": "${env:ROOT_KEY}"}).start(environment=old)
    add(gateway, "ada")
    assert "secrets.root_key is yours to make" in keys(gateway, "rotate", "--root", code=2, env=old)
    bad = tmp_path / "bad"
    bad.write_text("hello")
    assert "must be 32 bytes in base64" in keys(gateway, "rotate", "--root", "--new-key", bad, code=2, env=old)
    (tmp_path / "next").write_text(NEXT + "\n")
    assert "is not the one" in keys(gateway, "rotate", "--root", "--new-key", tmp_path / "next", code=1, env=new)
    told = keys(gateway, "rotate", "--root", "--new-key", tmp_path / "next", env=old)
    assert "both root keys open the store now" in told and NEXT not in told
    assert status(gateway)["data_keys"]["root_keys"] == 2
    assert "--root --finish" in keys(gateway, "status")
    for environment in (old, new):
        gateway.stop()
        gateway.start(environment=environment)
        assert emails(gateway) == ["ada@shop.example"]
    assert json.loads(keys(gateway, "rotate", "--root", "--finish", "--json", env=new))["finished"]
    assert status(gateway)["data_keys"]["root_keys"] == 1
    gateway.stop()
    code, words = refusal(gateway, old)
    assert code == 1 and "secrets.root_key" in words
    gateway.start(environment=new)


def test_from_a_file_to_a_passphrase(running):
    add(running, "ada")
    told = keys(running, "rotate", "--root", "--new-passphrase", "-", input="correct horse battery staple\n")
    assert "both root keys open the store now" in told
    running.stop()
    running.config["secrets"] = {"passphrase": "${env:PASSPHRASE}"}
    environment = {**os.environ, "PASSPHRASE": "correct horse battery staple"}
    running.start(environment=environment)
    keys(running, "rotate", "--root", "--finish", env=environment)
    assert emails(running) == ["ada@shop.example"]
    running.stop()
    running.config = gateways.merge(running.config, {"secrets": None})
    code, words = refusal(running)
    assert code == 1 and "sealed under a passphrase, and the configuration has a key" in words


def test_a_file_that_the_gateways_user_may_not_read_is_not_finished_with(gatehouse):
    """Its gateway, which has given up root, goes on with the old one until it is restarted."""
    if os.getuid() != 0:
        pytest.skip("only root gives files to others")
    gateway = gatehouse.prepare(**IDENTITY, secrets={"root_key_file": "root.key"})
    gateway.start()
    add(gateway, "ada")
    assert (gateway.dir / "root.key").stat().st_uid == 0
    assert "both root keys open the store now" in keys(gateway, "rotate", "--root")
    keys(gateway, "rotate")
    add(gateway, "bob")
    gateway.stop()
    gateway.start()
    assert "alone opens the store" in keys(gateway, "rotate", "--root", "--finish")
    assert len(emails(gateway)) == 2


def test_two_gateways_over_one_store(gatehouse):
    """Keys are rotated at one while the other works; it is killed in the middle; then both get another root key."""
    if not postgresql_server.programs():
        pytest.skip("PostgreSQL is not installed")
    cluster = postgresql_server.Cluster()
    try:
        location, _ = cluster.make_database()
        here = gatehouse.prepare(**IDENTITY, state={"store": location}, data_dir="data")
        there = gatehouse.prepare(**IDENTITY, state={"store": location}, data_dir="data")
        here.start()
        (there.dir / "data").mkdir(mode=0o700)
        shutil.copy(here.dir / "data/root.key", there.dir / "data/root.key")
        there.start()
        add(here, *(f"person{i}" for i in range(10)))
        keys(here, "rotate")
        add(there, "ada")  # sealed with the key of before: it has not heard of the new one
        assert len(emails(there)) == 11, "but finds it when it meets it"
        keys(there, "rotate")
        here.process.kill()
        here.process.wait()
        add(there, "bob")

        def moved():
            records = {key["id"]: key["records"] for key in status(there)["data_keys"]["keys"]}
            return records[1] == records[2] == 0

        # The lease of the one that was killed is over in a minute.
        wire.eventually(moved, 90, what="records are still sealed with keys of before")
        here.start()
        assert len(emails(here)) == len(emails(there)) == 12

        told = keys(here, "rotate", "--root")
        assert "both root keys open the store now" in told and "root.key.1" in told
        there.stop()
        there.start()  # with the old one
        shutil.copy(here.dir / "data/root.key", there.dir / "data/root.key")
        for gateway in (here, there):
            gateway.stop()
            gateway.start()
        assert "alone opens the store" in keys(there, "rotate", "--root", "--finish")
        add(here, "eve")
        assert len(emails(there)) == 13
        there.stop()
        shutil.copy(here.dir / "data/root.key.1", there.dir / "data/root.key")
        code, words = refusal(there)
        assert code == 1 and "is not the one that this store is sealed under" in words
    finally:
        for gateway in (here, there):
            gateway.stop()
        cluster.stop()


def test_a_store_without_a_keyring_has_nothing_to_rotate(gatehouse):
    gateway = gatehouse.prepare(**IDENTITY)
    gateway.write()
    assert "start the gateway once" in keys(gateway, "rotate", "--root", code=1)
    assert not (gateway.dir / "data").exists()
