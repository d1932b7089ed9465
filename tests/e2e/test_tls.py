"""TLS: versions, SNI, ALPN, tickets, client certificates, OCSP stapling; checked by Python's ssl and `openssl s_client`."""

import json
import pathlib
import socket
import ssl
import subprocess

import pytest

import gateway
import wire


def s_client(gate, *arguments, stdin=b""):
    host, port = gate.address()
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, arguments)]
    run = subprocess.run(command, input=stdin, capture_output=True, timeout=20)
    return run.stdout.decode(errors="replace") + run.stderr.decode(errors="replace")


def listener(tls, **keys):
    return gateway.Gateway.listener(tls=tls, **keys)


def test_https(gatehouse, backend, certificates):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    answer = gate.ask(tls=certificates.client_context(), server_name="shop.example")
    assert answer.status == 200
    got = dict(map(tuple, json.loads(answer.body)["fields"]))
    assert got["x-forwarded-proto"] == "https"
    record = gate.record_of(answer)
    assert record["tls"] == "TLSv1.3"
    assert answer.get("strict-transport-security")


@pytest.mark.parametrize("minimum, version, good", [
    ("1.2", "-tls1_3", True), ("1.2", "-tls1_2", True), ("1.2", "-tls1_1", False), ("1.2", "-tls1", False),
    ("1.3", "-tls1_3", True), ("1.3", "-tls1_2", False)])  # fmt: skip
def test_versions(gatehouse, backend, certificates, minimum, version, good):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls(min_version=minimum))])
    out = s_client(gate, version, "-cipher", "ALL:@SECLEVEL=0")
    assert ("Verify return code" in out and "Cipher is (NONE)" not in out) == good, out


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "NULL-SHA256", "DES-CBC3-SHA", "RC4-SHA"])
def test_weak_ciphers_are_refused(gatehouse, backend, certificates, cipher):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    out = s_client(gate, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in out or "no cipher" in out.lower() or "handshake failure" in out, out


def test_certificates_by_name(gatehouse, backend, certificates):
    pairs = [certificates.issue("shop.example", "127.0.0.1"), certificates.issue("*.wild.example"), certificates.issue("login.example")]
    tls = {"certificates": [{"cert": cert, "key": key} for cert, key in pairs]}
    gate = gatehouse(backend(), listeners=[listener(tls)])

    def subject(name):
        out = s_client(gate, *(["-servername", name] if name else ["-noservername"]))
        return next(line for line in out.splitlines() if line.startswith("subject="))

    assert "shop.example" in subject("shop.example")
    assert "*.wild.example" in subject("a.wild.example")
    assert "login.example" in subject("LOGIN.example")
    assert "shop.example" in subject("unknown.example"), "the first serves the rest"
    assert "shop.example" in subject("a.b.wild.example"), "a wildcard is one label"
    assert "shop.example" in subject(None)


@pytest.mark.parametrize("offered, chosen", [
    (["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["http/1.1", "h2"], "h2"), ([], None)])  # fmt: skip
def test_alpn(gatehouse, backend, certificates, offered, chosen):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    context = ssl.create_default_context(cafile=certificates.ca)
    if offered:
        context.set_alpn_protocols(offered)
    with gate.connect(tls=context, server_name="shop.example") as connection:
        assert connection.socket.selected_alpn_protocol() == chosen
        if chosen != "h2":
            connection.send(wire.request())
            assert connection.answer().status == 200


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed(gatehouse, backend, certificates, version, tmp_path):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    session = tmp_path / "session"
    data = wire.request(fields={"Connection": "close"})
    first = s_client(gate, version, "-sess_out", session, "-ign_eof", "-servername", "shop.example", stdin=data)
    assert "New, TLS" in first
    second = s_client(gate, version, "-sess_in", session, "-ign_eof", "-servername", "shop.example", stdin=data)
    assert "Reused, TLS" in second, second


def test_tickets_do_not_wait_for_the_first_answer(gatehouse, backend, certificates):
    """They acknowledge the handshake's end, without which Nagle's algorithm keeps a client's request back for 40 ms."""
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(gate.address()), server_hostname="shop.example") as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)  # reads what there is: no answer, since nothing was asked
        assert connection.session.has_ticket


def test_tickets_outlive_a_reload(gatehouse, backend, certificates, tmp_path):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls())])
    session = tmp_path / "session"
    data = wire.request(fields={"Connection": "close"})
    s_client(gate, "-sess_out", session, "-ign_eof", "-servername", "shop.example", stdin=data)
    assert gate.reload().returncode == 0
    assert "Reused, TLS" in s_client(gate, "-sess_in", session, "-ign_eof", "-servername", "shop.example", stdin=data)


def test_client_certificates_required(gatehouse, backend, certificates):
    tls = certificates.listener_tls(client_ca=certificates.ca, client_auth="required")
    gate = gatehouse(backend(), listeners=[listener(tls)])
    pair = certificates.issue("spiffe://shop.example/orders", stem="client")
    assert gate.ask(tls=certificates.client_context(certificate=pair), server_name="shop.example").status == 200
    with pytest.raises((ssl.SSLError, wire.Closed, OSError)):
        gate.ask(tls=certificates.client_context(), server_name="shop.example")


def test_client_certificates_of_strangers(gatehouse, backend, certificates, tmp_path):
    import keys

    strangers = keys.Certificates(tmp_path)
    pair = strangers.issue("spiffe://shop.example/orders", stem="stranger")
    tls = certificates.listener_tls(client_ca=certificates.ca, client_auth="optional")
    gate = gatehouse(backend(), listeners=[listener(tls)])
    with pytest.raises((ssl.SSLError, wire.Closed, OSError)):
        gate.ask(tls=certificates.client_context(certificate=pair), server_name="shop.example")


def test_ocsp_stapling(gatehouse, backend, certificates, tmp_path):
    """A response made by `openssl ocsp` is stapled as it is."""
    cert, key = certificates.issue("shop.example", "127.0.0.1", stem="stapled")
    response = pathlib.Path(cert).with_suffix(".ocsp")
    response.write_bytes(certificates.ocsp_by_openssl(cert, tmp_path))
    response.chmod(0o644)
    tls = {"certificates": [{"cert": cert, "key": key, "ocsp": str(response)}]}
    gate = gatehouse(backend(), listeners=[listener(tls)])
    out = s_client(gate, "-status", "-servername", "shop.example")
    assert "OCSP Response Status: successful" in out and "Cert Status: good" in out


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 100, b"\x16"])
def test_no_tls_on_a_tls_port(gatehouse, backend, certificates, data):
    back = backend()
    gate = gatehouse(back, listeners=[listener(certificates.listener_tls(), limits={"header_timeout": "1s"})])
    with gate.connect() as connection:
        connection.send(data)
        assert connection.is_closed(within=5)
        assert not connection.buffer.startswith(b"HTTP/1.1 2")
    assert not back.bytes
    assert gate.ask(tls=certificates.client_context(), server_name="shop.example").status == 200


def test_upstream_tls(gatehouse, backend, certificates):
    back = backend(tls=certificates.server_context("orders.internal"))
    settings = {"ca": certificates.ca, "sni": "orders.internal"}
    assert gatehouse(back, services={"main": {"tls": settings}}).ask().status == 200
    for bad in ({**settings, "sni": "other.internal"}, {"sni": "orders.internal"}):  # a wrong name; an authority nobody trusts
        gate = gatehouse(back, services={"main": {"tls": bad, "retry": {"attempts": 1}}})
        answer = gate.ask()
        assert answer.status == 502
        assert "tls" in gate.record_of(answer)["reason"]


def test_upstream_asks_for_our_certificate(gatehouse, backend, certificates):
    back = backend(tls=certificates.server_context("orders.internal", client_ca=certificates.ca))
    cert, key = certificates.issue("spiffe://shop.example/gateway", stem="gw")
    settings = {"ca": certificates.ca, "sni": "orders.internal", "client_cert": cert, "client_key": key}
    assert gatehouse(back, services={"main": {"tls": settings}}).ask().status == 200
    without = {"ca": certificates.ca, "sni": "orders.internal"}
    assert gatehouse(back, services={"main": {"tls": without, "retry": {"attempts": 1}}}).ask().status == 502


def test_certificates_change_with_a_reload(gatehouse, backend, certificates):
    gate = gatehouse(backend(), listeners=[listener(certificates.listener_tls("first.example", "127.0.0.1"))])
    with gate.connect(tls=certificates.client_context(), server_name="first.example") as old:
        gate.config["listeners"][0]["tls"] = certificates.listener_tls("second.example", "127.0.0.1")
        assert gate.reload().returncode == 0
        assert gate.ask(tls=certificates.client_context(), server_name="second.example").status == 200
        old.send(wire.request())
        assert old.answer().status == 200, "an open connection is not touched"
