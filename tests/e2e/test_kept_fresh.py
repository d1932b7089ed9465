"""What is read again without being asked, and what outlives a restart: certificates, OCSP responses, bans."""

import datetime
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding

import gateway
import keys
import wire
from upstream import well

WITHIN = 30  # two looks, five seconds apart, on a busy machine
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only who gives up root loses something")


def served(gate):
    """The certificate that the listener shows."""
    context = ssl._create_unverified_context()
    with socket.create_connection(gate.address()) as plain, context.wrap_socket(plain, server_hostname="shop.example") as tls:
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))


def put(gate, pair):
    """(certificate, key) into the gateway's folder, as a renewal does it: one file after the other."""
    for name, source in zip(("site.pem", "site.key"), pair):
        (gate.dir / name).write_bytes(pathlib.Path(source).read_bytes())
        (gate.dir / name).chmod(0o644)


def with_files(gatehouse, backend, certificates, **config):
    gate = gatehouse.prepare(backend(well()), **config)
    gate.config["listeners"] = [gateway.Gateway.listener(tls={"certificates": [{"cert": "site.pem", "key": "site.key"}]})]
    put(gate, certificates.issue("shop.example", stem="before", days=20))
    return gate


def test_a_renewed_certificate_is_taken_by_itself(gatehouse, backend, certificates):
    gate = with_files(gatehouse, backend, certificates).start()
    before = served(gate).serial_number
    expiry = "gatehouse_certificate_expiry_timestamp_seconds"
    assert abs(gate.metric(expiry, listener="public") - (time.time() + 20 * 86400)) < 7200
    put(gate, certificates.issue("shop.example", stem="after", days=80))
    wire.eventually(lambda: served(gate).serial_number != before, WITHIN)
    assert abs(gate.metric(expiry, listener="public") - (time.time() + 80 * 86400)) < 7200
    assert gate.metric("gatehouse_certificate_reloads_total", result="applied") == 1
    assert "certificates read again" in gate.output()
    assert gate.generation() == 1, "the configuration is the same"


def test_a_broken_renewal_keeps_the_last_good_one(gatehouse, backend, certificates):
    gate = with_files(gatehouse, backend, certificates).start()
    before = served(gate).serial_number
    other = certificates.issue("shop.example", stem="other", days=80)
    (gate.dir / "site.pem").write_bytes(pathlib.Path(other[0]).read_bytes())  # its key never comes
    wire.eventually(lambda: gate.metric("gatehouse_certificate_reloads_total", result="failed") == 1, WITHIN)
    assert served(gate).serial_number == before
    assert "the last good ones stay" in gate.output() and "site.key" in gate.output()
    put(gate, other)
    wire.eventually(lambda: served(gate).serial_number != before, WITHIN)


def stapled(gate):
    """Until when the OCSP response that came with the handshake holds, by `openssl s_client`."""
    host, port = gate.address()
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-status", "-servername", "shop.example"]
    out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    return next((line.strip() for line in out.splitlines() if "Next Update:" in line), None)


def test_a_new_ocsp_response_is_taken_by_itself(gatehouse, backend, certificates, tmp_path):
    gate = with_files(gatehouse, backend, certificates)
    old, new = (certificates.ocsp_by_openssl(gate.dir / "site.pem", tmp_path, days=days) for days in (2, 4))
    gate.config["listeners"][0]["tls"]["certificates"][0]["ocsp"] = gate.file("site.ocsp", old)
    gate.start()
    first = stapled(gate)
    assert first
    gate.file("site.ocsp", new)
    wire.eventually(lambda: gate.metric("gatehouse_certificate_reloads_total", result="applied") == 1, WITHIN)
    second = wire.eventually(lambda: (now := stapled(gate)) != first and now)  # a shard may be a moment behind
    gate.file("site.ocsp", certificates.ocsp_by_openssl(gate.dir / "site.pem", tmp_path, revoked=True))
    wire.eventually(lambda: gate.metric("gatehouse_certificate_reloads_total", result="failed") == 1, WITHIN)
    assert stapled(gate) == second, "the last good one stays"
    assert "site.ocsp" in gate.output()


def test_an_own_certificate_is_renewed_before_its_end(gatehouse, backend):
    listener = gateway.Gateway.listener(tls={"certificates": [{"auto": True}]})
    gate = gatehouse(backend(well()), listeners=[listener])
    folder = gate.dir / "data" / "ca"
    issued = folder / "issued" / "localhost.pem"
    old = x509.load_pem_x509_certificate(issued.read_bytes())
    authority = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
    builder = builder.serial_number(4711).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=5))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    issued.write_bytes(builder.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM))
    fresh = wire.eventually(lambda: (new := served(gate)).serial_number not in (old.serial_number, 4711) and new, WITHIN)
    assert fresh.not_valid_after > now + datetime.timedelta(days=80)


@ROOT
def test_files_that_only_root_can_read_are_told(gatehouse, backend, certificates):
    gate = with_files(gatehouse, backend, certificates)
    (gate.dir / "site.key").chmod(0o600)
    gate.write()
    key = str(gate.dir / "site.key")
    for command in ("check", "doctor"):
        text = gate.command(command).stdout
        assert "will not be able to read" in text and key in text and "chgrp" in text, text
    gate.start()
    assert "will not be able to read" in gate.output() and key in gate.output()
    gate.config["routes"][0]["name"] = "renamed"
    run = gate.reload()
    assert run.returncode == 2 and key in run.stdout and "chgrp" in run.stdout, run.stdout
    (gate.dir / "site.key").chmod(0o644)
    assert gate.command("reload").returncode == 0


def bans(gate):
    return json.loads(gate.command("bans", "--json").stdout)["bans"]


def test_bans_outlive_a_restart(gatehouse, backend):
    gate = gatehouse(backend(well()))
    assert gate.command("bans", "add", "192.0.2.7", "--for", "1h", "--reason", "scan").returncode == 0
    assert gate.stop() == 0
    gate.start()
    [ban] = bans(gate)
    assert ban["network"] == "192.0.2.7/32" and ban["reason"] == "scan" and ban["source"] == "operator"
    assert gate.command("bans", "remove", "192.0.2.7").returncode == 0
    gate.stop()
    gate.start()
    assert bans(gate) == []


def test_bans_outlive_a_crash_and_a_broken_file(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.command("bans", "add", "192.0.2.7", "--for", "1h")
    stored = gate.dir / "data" / "bans.json"
    wire.eventually(lambda: stored.exists() and "192.0.2.7" in stored.read_text())
    gate.process.kill()
    gate.process.wait()
    gate.start()
    assert [ban["network"] for ban in bans(gate)] == ["192.0.2.7/32"]
    gate.stop()
    stored.write_text("not JSON")
    gate.start()
    assert bans(gate) == [] and "not restored" in gate.output()


def test_bans_outlive_a_binary_replacement(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.command("bans", "add", "192.0.2.7", "--for", "1h")
    gate.signal(signal.SIGUSR2)
    wire.eventually(lambda: gate.process.poll() is not None, 15)
    successor = json.loads(gate.command("status", "--json").stdout)["pid"]
    try:
        assert successor != gate.process.pid
        assert [ban["network"] for ban in bans(gate)] == ["192.0.2.7/32"]
    finally:
        os.kill(successor, signal.SIGTERM)
