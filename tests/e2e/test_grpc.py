"""gRPC end to end by grpcio: unary, streaming both ways, trailers, errors, deadlines; over h2 and h2c, to h2c and h2.

Messages are raw bytes: generic handlers need no generated code.
"""

import concurrent.futures
import threading
import time

import grpc
import h2wire
import pytest
import waf_rules

import gateway


class Echo(grpc.GenericRpcHandler):
    def __init__(self):
        self.cancelled = threading.Event()

    def service(self, details):
        kind = details.method.rpartition("/")[2]
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Slow": grpc.unary_unary_rpc_method_handler(self.slow),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Forever": grpc.unary_stream_rpc_method_handler(self.forever),
        }
        return handlers.get(kind)

    def unary(self, request, context):
        context.send_initial_metadata((("x-initial", "1"),))
        context.set_trailing_metadata((("x-trailing", "2"), ("x-bytes-bin", b"\0\1\2")))
        return request

    def fail(self, request, context):
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: é")

    def slow(self, request, context):
        time.sleep(5)
        return request

    def count(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def sum(self, requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def chat(self, requests, context):
        yield from requests

    def forever(self, request, context):
        context.add_callback(self.cancelled.set)
        while context.is_active():
            yield b"x" * 1000
            time.sleep(0.01)


@pytest.fixture
def echo():
    handler = Echo()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=(handler,))
    handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler
    server.stop(None)


@pytest.fixture(params=["h2c", "h2"])
def channel(request, gatehouse, echo, certificates):
    """A channel through a gateway, plain or over TLS."""
    keys = {"tls": certificates.listener_tls()} if request.param == "h2" else {}
    gate = gatehouse([f"h2c://127.0.0.1:{echo.port}"], listeners=[gateway.Gateway.listener(**keys)])
    host, port = gate.address()
    if request.param == "h2":
        credentials = grpc.ssl_channel_credentials(open(certificates.ca, "rb").read())
        one = grpc.secure_channel(f"{host}:{port}", credentials, [("grpc.ssl_target_name_override", "shop.example")])
    else:
        one = grpc.insecure_channel(f"{host}:{port}")
    one.gate = gate
    yield one
    one.close()


def test_unary_with_metadata(channel):
    answer, call = channel.unary_unary("/shop.Echo/Unary").with_call(b"hello", timeout=10, metadata=(("x-asked", "1"),))
    assert answer == b"hello"
    assert ("x-initial", "1") in [(m.key, m.value) for m in call.initial_metadata()]
    trailing = {m.key: m.value for m in call.trailing_metadata()}
    assert trailing["x-trailing"] == "2" and trailing["x-bytes-bin"] == b"\0\1\2"
    assert call.code() == grpc.StatusCode.OK
    record = channel.gate.record(path="/shop.Echo/Unary")
    assert (record["status"], record["protocol"]) == (200, "HTTP/2")


def test_errors_arrive_as_they_are(channel):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/shop.Echo/Fail")(b"", timeout=10)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details() == "not today: é"
    assert ("x-why", "because") in [(m.key, m.value) for m in failed.value.trailing_metadata()]


def test_an_unknown_method(channel):
    """An answer that has only trailers."""
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/shop.Echo/Nothing")(b"", timeout=10)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_server_streaming(channel):
    got = list(channel.unary_stream("/shop.Echo/Count")(b"500", timeout=20))
    assert got == [str(number).encode() for number in range(500)]


def test_client_streaming(channel):
    answer = channel.stream_unary("/shop.Echo/Sum")((b"x" * 1000 for _ in range(500)), timeout=20)
    assert answer == b"500000"


def test_bidirectional_streaming_in_lockstep(channel):
    """Each message is answered before the next one is sent: nothing may wait for the end of a stream."""
    answers = []
    arrived = threading.Semaphore(1)

    def ask():
        for number in range(50):
            assert arrived.acquire(timeout=5)
            yield str(number).encode()

    for answer in channel.stream_stream("/shop.Echo/Chat")(ask(), timeout=20):
        answers.append(answer)
        arrived.release()
    assert answers == [str(number).encode() for number in range(50)]


def test_large_messages(channel):
    data = bytes(range(256)) * 12_000  # 3 MiB
    assert channel.unary_unary("/shop.Echo/Unary")(data, timeout=20) == data


def test_a_deadline(channel):
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/shop.Echo/Slow")(b"", timeout=0.5)
    assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3


def test_cancelling_reaches_the_upstream(channel, echo):
    stream = channel.unary_stream("/shop.Echo/Forever")(b"", timeout=20)
    next(stream)
    stream.cancel()
    assert echo.cancelled.wait(5)


def test_many_at_once(channel):
    call = channel.unary_unary("/shop.Echo/Unary")
    futures = [call.future(str(number).encode(), timeout=20) for number in range(200)]
    assert [future.result() for future in futures] == [str(number).encode() for number in range(200)]


def test_a_refusal_is_a_grpc_status(gatehouse, echo):
    """A client library maps our 401 to UNAUTHENTICATED, whether it comes as a status or as trailers."""
    gate = gatehouse([f"h2c://127.0.0.1:{echo.port}"], routes=[{"name": "private", "match": {"path": "/**"}, "service": "main"}])
    with grpc.insecure_channel("%s:%d" % gate.address()) as channel, pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/shop.Echo/Unary")(b"", timeout=10)
    assert failed.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def inspected(gatehouse, echo):
    """A channel through a gateway with inspection rules, whose route says nothing of bodies."""
    gate = gatehouse.prepare([f"h2c://127.0.0.1:{echo.port}"], waf={"mode": "enforce"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.start()
    with grpc.insecure_channel("%s:%d" % gate.address()) as one:
        one.gate = gate
        yield one


def test_messages_stream_past_the_rules(inspected):
    """They wait for no end of the body, are not judged as text, and the record says so."""
    test_bidirectional_streaming_in_lockstep(inspected)
    test_large_messages(inspected)
    assert inspected.unary_unary("/shop.Echo/Unary")(b"attack", timeout=10) == b"attack"
    layers = {layer["layer"]: layer for layer in inspected.gate.record(path="/shop.Echo/Unary")["layers"]}
    assert (layers["waf"]["verdict"], layers["waf"]["reason"]) == ("pass", "waf.not_inspected")


def test_the_head_is_judged(inspected):
    with pytest.raises(grpc.RpcError) as failed:
        inspected.unary_unary("/shop.Echo/Unary")(b"", timeout=10, metadata=(("x-asked", "attack"),))
    assert failed.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert inspected.gate.record(path="/shop.Echo/Unary")["reason"] == "waf.score"


def test_a_type_alone_is_no_way_past_the_rules(gatehouse, backend, inspected):
    """A service over HTTP/1.1 speaks no gRPC, whatever a client says; nor does who does not ask for trailers."""
    body = b"\0\0\0\0\7&a=attack"
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "shop.example"), (":path", "/")]
    plain = gatehouse.prepare(backend(), waf={"mode": "enforce"})
    plain.config["waf"]["rules"] = [plain.file("body.conf", 'SecRule REQUEST_BODY "@contains attack" "id:1,phase:2,deny,status:403"')]
    plain.start()
    inspected.gate.config["waf"]["rules"] = plain.config["waf"]["rules"]
    assert inspected.gate.reload().returncode == 0
    kinds = {
        "HTTP/1.1": (plain, fields),
        "no trailers": (inspected.gate, fields[:1]),
        "gRPC-Web": (inspected.gate, [("content-type", "application/grpc-web"), fields[1]]),
    }
    for kind, (gate, fields) in kinds.items():
        with h2wire.open_session(gate) as session:
            session.send(session.headers(1, [*head, *fields], end_stream=False), session.data(1, body, end_stream=True))
            assert session.answer(1)[0] == 403, kind


def test_an_upstream_that_is_not_there(gatehouse):
    gate = gatehouse(["h2c://127.0.0.1:1"])
    with grpc.insecure_channel("%s:%d" % gate.address()) as channel, pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/shop.Echo/Unary")(b"", timeout=10)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


def test_tls_to_the_upstream(gatehouse, certificates):
    certificate, key = certificates.issue("localhost", "127.0.0.1", stem="grpc")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(Echo(),))
    credentials = grpc.ssl_server_credentials([(open(key, "rb").read(), open(certificate, "rb").read())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        gate = gatehouse([f"h2://127.0.0.1:{port}"], services={"main": {"tls": {"ca": certificates.ca, "sni": "localhost"}}})
        with grpc.insecure_channel("%s:%d" % gate.address()) as channel:
            assert channel.unary_unary("/shop.Echo/Unary")(b"hello", timeout=10) == b"hello"
    finally:
        server.stop(None)
