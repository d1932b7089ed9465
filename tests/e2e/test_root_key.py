"""The root key: from a file, the environment or a passphrase; what happens with the wrong one."""

import base64
import os
import stat

import pytest

from people import IDENTITY, admin, refusal

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()
ENVIRONMENT = {**os.environ, "GATEHOUSE_ROOT_KEY": KEY, "GATEHOUSE_PASSPHRASE": "correct horse battery staple"}
WRONG = {**os.environ, "GATEHOUSE_ROOT_KEY": OTHER, "GATEHOUSE_PASSPHRASE": "correct horse battery stable"}


def add_ada(gateway):
    admin(gateway, "POST", "/v1/users", {"username": "ada", "email": "ada@shop.example"}, 201)


def ada_of(gateway):
    return admin(gateway, "GET", "/v1/users/ada")["email"]


@pytest.mark.parametrize(
    "secrets",
    [
        {"root_key": "${env:GATEHOUSE_ROOT_KEY}"},
        {"passphrase": "${env:GATEHOUSE_PASSPHRASE}"},
        {"passphrase": "${file:passphrase}"},
        {"root_key_file": "kept/elsewhere.key"},
    ],
    ids=lambda one: next(iter(one.values())),
)
def test_each_kind_opens_what_it_sealed_and_the_wrong_one_does_not_start(gatehouse, secrets):
    gateway = gatehouse.prepare(**IDENTITY, secrets=secrets)
    gateway.file("passphrase", ENVIRONMENT["GATEHOUSE_PASSPHRASE"] + "\n")
    (gateway.dir / "kept").mkdir()
    gateway.start(environment=ENVIRONMENT)
    add_ada(gateway)
    assert gateway.stop() == 0
    assert not (gateway.dir / "data/root.key").exists(), "another kind needs no file"
    gateway.start(environment=ENVIRONMENT)
    assert ada_of(gateway) == "ada@shop.example"
    assert gateway.stop() == 0

    gateway.file("passphrase", WRONG["GATEHOUSE_PASSPHRASE"] + "\n")
    if "root_key_file" in secrets:
        (gateway.dir / "kept/elsewhere.key").write_text(OTHER)
        name = str(gateway.dir / "kept/elsewhere.key")
    else:
        name = "secrets." + next(iter(secrets))
    code, words = refusal(gateway, WRONG)
    assert code == 1
    assert f"the root key ({name}) is not the one that this store is sealed under: start with that one" in words
    assert "\n" not in words and OTHER not in words and WRONG["GATEHOUSE_PASSPHRASE"] not in words


def test_a_file_that_is_gone_is_not_made_anew(gatehouse):
    gateway = gatehouse.prepare(**IDENTITY).start()
    key = gateway.dir / "data/root.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    add_ada(gateway)
    gateway.stop()
    text = key.read_text()
    key.unlink()
    code, words = refusal(gateway)
    assert code == 1 and f"the root key {key} is missing" in words and "Put it back" in words
    assert not key.exists()
    key.write_text(text)
    key.chmod(0o644)
    code, words = refusal(gateway)
    assert code == 1 and f"the root key {key} can be read by others: chmod 600 {key}" in words
    key.chmod(0o600)
    gateway.start()
    assert ada_of(gateway) == "ada@shop.example"


def test_what_is_no_root_key_is_told_with_its_place(gatehouse):
    gateway = gatehouse.prepare(**IDENTITY, secrets={"root_key": "${env:GATEHOUSE_ROOT_KEY}", "passphrase": "${env:GATEHOUSE_PASSPHRASE}"})
    code, words = refusal(gateway, ENVIRONMENT)
    assert code == 2 and "there is one root key, and passphrase names another than root_key" in words
    gateway.config["secrets"] = {"root_key": "${env:GATEHOUSE_PASSPHRASE}"}
    code, words = refusal(gateway, ENVIRONMENT)
    assert code == 2 and "must be 32 bytes in base64" in words
    gateway.config["secrets"] = {"passphrase": "a passphrase in the file"}
    gateway.write()
    checked = gateway.command("check")
    assert "a secret is written in the configuration file" in checked.stdout


def test_an_empty_file_of_a_machine_that_lost_power_is_told(gatehouse):
    gateway = gatehouse.prepare(**IDENTITY)
    (gateway.dir / "data").mkdir(mode=0o700)
    key = gateway.dir / "data/root.key"
    key.touch(mode=0o600)
    code, words = refusal(gateway)
    assert code == 1 and f"{key} is not a root key" in words
    key.unlink()
    gateway.start()
    add_ada(gateway)
