"""The same strictness towards upstream responses: bad framing is a 502, and the connection is not used again."""

import pytest

import wire
from upstream import in_turn, mirror, raw

OK = "HTTP/1.1 200 OK\r\n"

# name: the bytes of a response that must not reach the client
REFUSED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "random bytes": bytes(range(128, 256)) * 4,
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "a bad version": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "content-length and transfer-encoding": f"{OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode(),
    "two lengths": f"{OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".encode(),
    "a list of lengths": f"{OK}Content-Length: 3, 3\r\n\r\nabc".encode(),
    "a signed length": f"{OK}Content-Length: +3\r\n\r\nabc".encode(),
    "an overflowing length": f"{OK}Content-Length: 99999999999999999999\r\n\r\nabc".encode(),
    "transfer-encoding gzip, chunked": f"{OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".encode(),
    "transfer-encoding xchunked": f"{OK}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".encode(),
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "bare CR in a value": f"{OK}X: a\rb\r\nContent-Length: 0\r\n\r\n".encode(),
    "NUL in a value": f"{OK}X: a\0b\r\nContent-Length: 0\r\n\r\n".encode(),
    "obs-fold": f"{OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n".encode(),
    "space before the colon": f"{OK}X : a\r\nContent-Length: 0\r\n\r\n".encode(),
    "a line without a colon": f"{OK}nonsense\r\nContent-Length: 0\r\n\r\n".encode(),
    "a head without end": f"{OK}X: {'a' * 200_000}\r\n".encode(),
    "1xx without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "a switch that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(gatehouse, backend, name):
    back = backend(raw(REFUSED[name], then="hang"))
    gate = gatehouse(back, services={"main": {"retry": {"attempts": 1}, "timeouts": {"response": "2s"}}})
    answer = gate.ask()
    assert answer.status == 502
    assert b"hello" not in answer.body and not answer.body.endswith(b"abc")
    record = gate.record_of(answer)
    assert record["layer"] == "upstream" and record["reason"] and record["status"] == 502
    gate.ask()
    assert back.connections == 2, "the connection was used again"


# name: (bytes after which the connection ends, status seen by the client or None when it is cut)
CUT = {
    "before the head is whole": (b"HTTP/1.1 200 OK\r\nContent-", 502),
    "inside a body with a length": (f"{OK}Content-Length: 100\r\n\r\nabc".encode(), None),
    "inside a chunk": (f"{OK}Transfer-Encoding: chunked\r\n\r\n10\r\nabc".encode(), None),
    "before the last chunk": (f"{OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".encode(), None),
    "with a bad chunk": (f"{OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n".encode(), None),
    "a body that ends with the connection": (f"{OK}\r\nabc".encode(), 200),
}


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("name", CUT)
def test_cut(gatehouse, backend, name, then):
    """A response that ends too early is never made to look whole."""
    data, status = CUT[name]
    if then == "reset" and status == 200:
        status = None  # a reset is no end
    back = backend(raw(data, then=then))
    gate = gatehouse(back, services={"main": {"retry": {"attempts": 1}}})
    with gate.connect() as connection:
        connection.send(wire.request())
        if status:
            answer = connection.answer()
            assert answer.status == status
            if status == 200:
                assert answer.body == b"abc"
        else:
            with pytest.raises((wire.Closed, ValueError)):
                answer = connection.answer()
                if answer.closed:  # no framing at all would hide the cut
                    raise AssertionError("the body was given without an end that can be missed")
                if answer.status == 502:
                    raise wire.Closed(b"")  # the head had not left yet: an honest 502 is as good
    record = gate.record(path="/")
    assert record["reason"] if status != 200 else record["verdict"] == "pass"


def test_an_answer_too_many(gatehouse, backend):
    """Bytes after a complete response are not taken for the answer to the next request (response smuggling)."""
    evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    back = backend(in_turn(raw((f"{OK}Content-Length: 3\r\n\r\nabc" + evil).encode(), then="hang"), mirror))
    gate = gatehouse(back)
    with gate.connect() as connection:
        connection.send(wire.request())
        assert connection.answer().body == b"abc"
        connection.send(wire.request(target="/next"))
        answer = connection.answer()
    assert b"evil" not in answer.body
    assert answer.status == 200 and b"/next" in answer.body
    assert back.connections == 2


def test_an_early_response_closes_the_connection(gatehouse, backend):
    """An upstream that answers before it has the whole body gets no second request on that connection."""

    def early(peer):
        while peer.read_head():
            peer.answer(403, b"no\n")

    back = backend(early)
    gate = gatehouse(back, services={"main": {"retry": {"attempts": 1}}})
    with gate.connect() as connection:
        connection.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000)
        assert connection.answer().status == 403
    assert gate.ask().status == 403
    assert back.connections == 2


def test_bodiless_answers(gatehouse, backend):
    """HEAD, 204 and 304 have no body whatever their fields say (RFC 9112 §6.3)."""
    no_content = b"HTTP/1.1 204 No Content\r\n\r\n"
    not_modified = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    back = backend(raw(no_content, not_modified, head, no_content, then="hang"))
    gate = gatehouse(back)
    with gate.connect() as connection:
        for method, status in (("GET", 204), ("GET", 304), ("HEAD", 200), ("GET", 204)):
            connection.send(wire.request(method))
            assert connection.answer(method).status == status
    assert back.connections == 1


def test_interim_answers_are_not_final(gatehouse, backend):
    back = backend(raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    gate = gatehouse(back)
    answer = gate.ask()
    assert (answer.status, answer.body) == (200, b"ok")
