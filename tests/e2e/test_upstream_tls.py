"""TLS towards the services: protocols side by side, and sessions that are resumed."""

import ssl

import pytest

import wire
from upstream import h2_well, well

NAME = "orders.internal"


def service(certificates, **keys):
    return {"services": {"main": {"tls": {"ca": certificates.ca, "sni": NAME}, **keys}}}


def test_a_service_may_mix_protocols(gatehouse, backend, certificates):
    """Each endpoint is spoken to, and probed, in its own: ALPN must not offer one what the other wants."""
    chosen = {"https": set(), "h2": set()}

    def noting(kind, behaviour):
        def behave(peer):
            chosen[kind].add(peer.socket.selected_alpn_protocol())
            behaviour(peer)

        return behave

    both = ("h2", "http/1.1")  # whatever is offered would be taken
    https = backend(noting("https", well(body=b"https")), tls=certificates.server_context(NAME, alpn=both))
    h2 = backend(noting("h2", h2_well(body=b"h2")), tls=certificates.server_context(NAME, alpn=both), scheme="h2")
    health = {"path": "/healthz", "interval": "300ms", "timeout": "300ms", "unhealthy_after": 1, "healthy_after": 1}
    keys = {"health": health, "outliers": {"consecutive_errors": 1000}, "retry": {"attempts": 2, "budget_percent": 100}}
    gate = gatehouse([https, h2], **service(certificates, balance="round_robin", **keys))
    answers = [gate.ask() for _ in range(10)]
    assert [answer.status for answer in answers] == [200] * 10
    assert {answer.body for answer in answers} == {b"https", b"h2"}
    for upstream in (https, h2):
        wire.eventually(lambda one=upstream: sum("/healthz" in line for line in one.requests) > 3)
    assert chosen["h2"] == {"h2"} and chosen["https"] <= {"http/1.1", None}, chosen
    assert {gate.ask().body for _ in range(10)} == {b"https", b"h2"}, "one failed probe would have taken it out"
    h2.refuse()
    assert {gate.ask().body for _ in range(10)} == {b"https"}
    h2.listen_again()
    https.refuse()
    wire.eventually(lambda: gate.ask().body == b"h2")


@pytest.mark.parametrize("scheme", ["https", "h2"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_resumed(gatehouse, backend, certificates, version, scheme):
    """By endpoint: a second connection to one that was there before needs no certificate."""
    resumed = []

    def noting(behaviour):
        def behave(peer):
            resumed.append(peer.socket.session_reused)
            behaviour(peer)
            peer.socket.unwrap()  # an end without it makes the session worthless

        return behave

    def once(peer):
        peer.read_request()
        peer.answer(200, b"ok\n", [("Connection", "close")])

    context = certificates.server_context(NAME, alpn=["h2"] if scheme == "h2" else [])
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    back = backend(noting(once if scheme == "https" else h2_well(requests=1)), tls=context, scheme=scheme)
    gate = gatehouse([back], process={"shards": 1}, **service(certificates))
    for _ in range(4):
        assert gate.ask().status == 200
    assert resumed == [False, True, True, True]


def test_a_session_is_of_one_endpoint(gatehouse, backend, certificates):
    """What one endpoint gave is not shown to another, though they share a name and a certificate."""
    resumed = {"one": [], "two": []}

    def once(peer):
        resumed[peer.upstream.name].append(peer.socket.session_reused)
        peer.read_request()
        peer.answer(200, b"ok\n", [("Connection", "close")])
        peer.socket.unwrap()

    backs = [backend(once, name=name, tls=certificates.server_context(NAME), scheme="https") for name in resumed]
    gate = gatehouse(backs, process={"shards": 1}, **service(certificates, balance="round_robin"))
    for _ in range(6):
        assert gate.ask().status == 200
    assert resumed == {"one": [False, True, True], "two": [False, True, True]}
