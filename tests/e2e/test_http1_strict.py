"""HTTP/1 requests that must be refused: a 4xx, the reason in the access log, and not one byte at the upstream.
RFC 9112, and the list in docs/threat-model.md. Requests that look odd and are good stand beside them."""

import pytest

import gateway
import upstream
import wire

H = "Host: shop.example\r\n"
GET = "GET / HTTP/1.1\r\n"
POST = "POST / HTTP/1.1\r\n"

# name: (bytes, reasons that fit)
REFUSED = {
    # framing, RFC 9112 §6
    "content-length and transfer-encoding": (f"{POST}{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "te_and_cl"),
    "transfer-encoding before content-length": (f"{POST}{H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "te_and_cl"),
    "two lengths that agree": (f"{POST}{H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", "duplicate_content_length"),
    "two lengths that differ": (f"{POST}{H}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "duplicate_content_length"),
    "empty length": (f"{POST}{H}Content-Length:\r\n\r\n", "content_length"),
    "signed length": (f"{POST}{H}Content-Length: +2\r\n\r\nab", "content_length"),
    "negative length": (f"{POST}{H}Content-Length: -1\r\n\r\n", "content_length"),
    "hexadecimal length": (f"{POST}{H}Content-Length: 0x2\r\n\r\nab", "content_length"),
    "a list of lengths": (f"{POST}{H}Content-Length: 2, 2\r\n\r\nab", "content_length"),
    "overflowing length": (f"{POST}{H}Content-Length: 18446744073709551617\r\n\r\na", "content_length"),
    "length with junk": (f"{POST}{H}Content-Length: 2 2\r\n\r\nab", "content_length"),
    "content_length with an underscore": (f"{POST}{H}Content_Length: 2\r\n\r\n", "underscore_in_name"),
    "transfer_encoding with an underscore": (f"{POST}{H}Transfer_Encoding: chunked\r\n\r\n", "underscore_in_name"),
    "content-length with a space before the colon": (f"{POST}{H}Content-Length : 2\r\n\r\nab", "space_before_colon"),
    "transfer-encoding with a tab before the colon": (f"{POST}{H}Transfer-Encoding\t: chunked\r\n\r\n", "space_before_colon field_name"),
    "transfer-encoding gzip": (f"{POST}{H}Transfer-Encoding: gzip\r\n\r\n", "transfer_encoding"),
    "transfer-encoding gzip, chunked": (f"{POST}{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "transfer-encoding chunked, chunked": (f"{POST}{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "transfer-encoding chunked, identity": (f"{POST}{H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "transfer-encoding identity": (f"{POST}{H}Transfer-Encoding: identity\r\n\r\n", "transfer_encoding"),
    "transfer-encoding xchunked": (f"{POST}{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "transfer-encoding in quotes": (f'{POST}{H}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', "transfer_encoding"),
    "transfer-encoding with a parameter": (f"{POST}{H}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "empty transfer-encoding": (f"{POST}{H}Transfer-Encoding:\r\n\r\n", "transfer_encoding"),
    "two transfer-encodings": (f"{POST}{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"),
    "transfer-encoding with a vertical tab": (f"{POST}{H}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "transfer_encoding control_byte"),
    "transfer-encoding in HTTP/1.0": (f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "te_in_http10"),
    # lines and fields, RFC 9112 §2.2 and §5
    "bare LF after the request line": (f"GET / HTTP/1.1\n{H}\r\n", "bare_lf version"),
    "bare LF after a field": (f"{GET}Host: shop.example\n\r\n", "bare_lf"),
    "bare LF ends the head": (f"{GET}{H}\n", "bare_lf"),
    "bare CR in a value": (f"{GET}{H}X: a\rb\r\n\r\n", "bare_cr"),
    "bare CR in a name": (f"{GET}{H}X\r: a\r\n\r\n", "bare_cr field_name"),
    "CR CR LF": (f"{GET}{H}X: a\r\r\n\r\n", "bare_cr"),
    "NUL in a value": (f"{GET}{H}X: a\0b\r\n\r\n", "control_byte"),
    "a control byte in a value": (f"{GET}{H}X: a\x01b\r\n\r\n", "control_byte"),
    "DEL in a value": (f"{GET}{H}X: a\x7fb\r\n\r\n", "control_byte"),
    "NUL in a name": (f"{GET}{H}X\0Y: a\r\n\r\n", "field_name control_byte"),
    "a space in a name": (f"{GET}{H}X Y: a\r\n\r\n", "field_name missing_colon space_before_colon"),
    "a bracket in a name": (f"{GET}{H}X(Y): a\r\n\r\n", "field_name"),
    "a name with a high byte": (f"{GET}{H}X\xe9: a\r\n\r\n", "field_name"),
    "an empty name": (f"{GET}{H}: a\r\n\r\n", "field_name"),
    "a name with an underscore": (f"{GET}{H}X_Role: admin\r\n\r\n", "underscore_in_name"),
    "space before the colon": (f"{GET}{H}X : a\r\n\r\n", "space_before_colon"),
    "obs-fold with a space": (f"{GET}{H}X: a\r\n b\r\n\r\n", "obs_fold"),
    "obs-fold with a tab": (f"{GET}{H}X: a\r\n\tb\r\n\r\n", "obs_fold"),
    "white space before the first field": (f"{GET} {H}\r\n", "leading_space obs_fold"),
    "a line without a colon": (f"{GET}{H}nonsense\r\n\r\n", "missing_colon"),
    # chunks, RFC 9112 §7.1
    "an empty chunk size": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", "chunk"),
    "a signed chunk size": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", "chunk"),
    "a prefixed chunk size": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", "chunk"),
    "an overflowing chunk size": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", "chunk"),
    "a chunk size with a space after it": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", "chunk"),
    "a chunk size with junk": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3z\r\nabc\r\n0\r\n\r\n", "chunk"),
    "a chunk longer than it says": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "chunk"),
    "a bare LF after a chunk size": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", "bare_lf chunk"),
    "a bare LF after a chunk": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n", "bare_lf chunk"),
    "a CR in a chunk extension": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n", "bare_cr chunk"),
    "a bare LF in a chunk extension": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3;\nxx\r\nabc\r\n0\r\n\r\n", "bare_lf chunk"),
    "an oversized chunk extension": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3;{'x' * 20000}\r\nabc\r\n0\r\n\r\n", "chunk"),
    "content-length in the trailers": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n", "trailer"),
    "transfer-encoding in the trailers": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "trailer"),
    "host in the trailers": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: evil.example\r\n\r\n", "trailer"),
    "a folded trailer": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n", "obs_fold trailer"),
    # routing, RFC 9112 §3.2
    "no host": (f"{GET}X: a\r\n\r\n", "missing_host"),
    "no field at all": (f"{GET}\r\n", "missing_host"),
    "two hosts that agree": (f"{GET}{H}{H}\r\n", "duplicate_host"),
    "two hosts that differ": (f"{GET}{H}Host: evil.example\r\n\r\n", "duplicate_host"),
    "an empty host": (f"{GET}Host:\r\n\r\n", "host missing_host"),
    "a host with a space": (f"{GET}Host: shop example\r\n\r\n", "host"),
    "a host with a path": (f"{GET}Host: shop.example/x\r\n\r\n", "host"),
    "a host with userinfo": (f"{GET}Host: a@shop.example\r\n\r\n", "host"),
    "a list of hosts": (f"{GET}Host: shop.example, evil.example\r\n\r\n", "host"),
    "a host with a bad port": (f"{GET}Host: shop.example:99999\r\n\r\n", "host"),
    "absolute-form with another authority": (f"GET http://evil.example/ HTTP/1.1\r\n{H}\r\n", "authority_mismatch"),
    # request line, RFC 9112 §3
    "HTTP/0.9": ("GET /\r\n", "request_line version"),
    "a version in lower case": (f"GET / http/1.1\r\n{H}\r\n", "version"),
    "HTTP/1.2": (f"GET / HTTP/1.2\r\n{H}\r\n", "version"),
    "HTTP/2.0 in text": (f"GET / HTTP/2.0\r\n{H}\r\n", "version"),
    "HTTP/11": (f"GET / HTTP/11\r\n{H}\r\n", "version"),
    "HTTP/1.1 with junk": (f"GET / HTTP/1.1x\r\n{H}\r\n", "version request_line"),
    "HTTP/01.1": (f"GET / HTTP/01.1\r\n{H}\r\n", "version"),
    "two spaces after the method": (f"GET  / HTTP/1.1\r\n{H}\r\n", "request_line target"),
    "two spaces before the version": (f"GET /  HTTP/1.1\r\n{H}\r\n", "request_line target version"),
    "a tab in the request line": (f"GET\t/ HTTP/1.1\r\n{H}\r\n", "request_line method"),
    "a space at the end of the request line": (f"GET / HTTP/1.1 \r\n{H}\r\n", "request_line version"),
    "a space at its beginning": (f" GET / HTTP/1.1\r\n{H}\r\n", "request_line method leading_space"),
    "a method that is no token": (f"GE(T / HTTP/1.1\r\n{H}\r\n", "method"),
    "a fragment": (f"GET /a#b HTTP/1.1\r\n{H}\r\n", "target"),
    "userinfo in an absolute-form": (f"GET http://a@shop.example/ HTTP/1.1\r\n{H}\r\n", "target host authority_mismatch"),
    "a target without its slash": (f"GET index.html HTTP/1.1\r\n{H}\r\n", "target"),
    "a control byte in the target": (f"GET /a\x01b HTTP/1.1\r\n{H}\r\n", "target control_byte"),
    "a NUL in the target": (f"GET /a\0b HTTP/1.1\r\n{H}\r\n", "target control_byte"),
    "asterisk with GET": (f"GET * HTTP/1.1\r\n{H}\r\n", "target"),
    "CONNECT": (f"CONNECT shop.example:443 HTTP/1.1\r\n{H}\r\n", "method target authority_mismatch"),
    # the canonical path
    "%00": (f"GET /a%00b HTTP/1.1\r\n{H}\r\n", "encoded_nul"),
    "%2F": (f"GET /a%2Fb HTTP/1.1\r\n{H}\r\n", "encoded_slash"),
    "%2f": (f"GET /a%2f..%2fb HTTP/1.1\r\n{H}\r\n", "encoded_slash"),
    "%5C": (f"GET /a%5Cb HTTP/1.1\r\n{H}\r\n", "encoded_backslash"),
    "a backslash": (f"GET /a\\b HTTP/1.1\r\n{H}\r\n", "backslash target"),
    "overlong UTF-8": (f"GET /%c0%ae%c0%ae/etc/passwd HTTP/1.1\r\n{H}\r\n", "overlong_utf8"),
    "overlong UTF-8 of three bytes": (f"GET /%e0%80%af HTTP/1.1\r\n{H}\r\n", "overlong_utf8"),
    "a broken escape": (f"GET /a%2 HTTP/1.1\r\n{H}\r\n", "escape"),
    "an escape that is not hexadecimal": (f"GET /a%zz HTTP/1.1\r\n{H}\r\n", "escape"),
    "out of the root": (f"GET /../../etc/passwd HTTP/1.1\r\n{H}\r\n", "dot_segments"),
    "out of the root, escaped": (f"GET /a/%2e%2e/%2E%2e/x HTTP/1.1\r\n{H}\r\n", "dot_segments"),
    # bounds: the base configuration's
    "a target that is too long": (f"GET /{'a' * 9000} HTTP/1.1\r\n{H}\r\n", "uri_too_long"),
    "a head that is too large": (f"{GET}{H}X: {'a' * 40000}\r\n\r\n", "header_too_large"),
    "too many fields": (f"{GET}{H}{'X: a' + chr(13) + chr(10)}" + "X: a\r\n" * 120 + "\r\n", "too_many_headers"),
    "a length past the bound": (f"{POST}{H}Content-Length: 20000000\r\n\r\n", "limits.body body_too_large"),
    # expectations
    "an unknown expectation": (f"{POST}{H}Expect: magic\r\nContent-Length: 2\r\n\r\nab", "expect"),
}  # fmt: skip
STATUSES = {"expect": 417, "uri_too_long": 414, "header_too_large": 431, "too_many_headers": 431, "body": 413}


@pytest.fixture(scope="module")
def armed():
    back = upstream.Upstream(upstream.mirror)
    one = gateway.Gateway(back).start()
    yield one, back
    back.stop()
    one.discard()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(armed, name):
    gate, back = armed
    data, reasons = REFUSED[name]
    reasons = [reason if "." in reason else "http." + reason for reason in reasons.split()]
    before = len(back.bytes)
    with gate.connect() as connection:
        connection.send(data.encode("latin-1"))
        answer = connection.answer()
        assert answer.status == STATUSES.get(reasons[0].partition(".")[2], 400)
        assert connection.is_closed(), "the connection stays open after a message whose end nobody knows"
        assert not connection.buffer, "a second answer"
    assert len(answer.get("x-request-id")) == 26
    assert answer.get("content-type").startswith("application/problem+json")
    # A chunked body is read while it is sent on, so an error in it may come after the head went out.
    if "chunk" not in name and "trailer" not in name:
        assert len(back.bytes) == before, f"the upstream got {bytes(back.bytes[before:])!r}"
    record = gate.record_of(answer)
    assert record["reason"] in reasons
    assert record["verdict"] == "deny" and record["layer"] in ("http", "limits") and record["status"] == answer.status


ACCEPTED = {
    # name: (bytes, target at the upstream)
    "the least": (f"{GET}{H}\r\n", "/"),
    "HTTP/1.0": (f"GET / HTTP/1.0\r\n{H}\r\n", "/"),
    "absolute-form": ("GET http://shop.example/a HTTP/1.1\r\nHost: shop.example\r\n\r\n", "/a"),
    "absolute-form, host in another case": ("GET http://SHOP.example/a HTTP/1.1\r\nHost: shop.EXAMPLE\r\n\r\n", "/a"),
    "a port in the host": ("GET / HTTP/1.1\r\nHost: shop.example:80\r\n\r\n", "/"),
    "empty lines before the request": (f"\r\n{GET}{H}\r\n", "/"),
    "no space after the colon": (f"{GET}Host:shop.example\r\n\r\n", "/"),
    "tabs around a value": (f"{GET}{H}X:\t a \t\r\n\r\n", "/"),
    "an empty value": (f"{GET}{H}X:\r\n\r\n", "/"),
    "a value with high bytes": (f"{GET}{H}X: caf\xc3\xa9\r\n\r\n", "/"),
    "chunks with an extension": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", "/"),
    "chunked in capitals": (f"{POST}{H}Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", "/"),
    "a chunk size with leading zeros": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0\r\n\r\n", "/"),
    "a trailer": (f"{POST}{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "/"),
    "length 0": (f"{POST}{H}Content-Length: 0\r\n\r\n", "/"),
    "an unknown method": (f"PURGE / HTTP/1.1\r\n{H}\r\n", "/"),
    "unreserved bytes are decoded": (f"GET /%61%7e%2D%5f HTTP/1.1\r\n{H}\r\n", "/a~-_"),
    "escapes become upper case": (f"GET /caf%c3%a9 HTTP/1.1\r\n{H}\r\n", "/caf%C3%A9"),
    "decoded once only": (f"GET /%2561 HTTP/1.1\r\n{H}\r\n", "/%2561"),
    "dot segments go": (f"GET /a/./b/../c HTTP/1.1\r\n{H}\r\n", "/a/c"),
    "escaped dot segments go": (f"GET /a/%2e%2e/b HTTP/1.1\r\n{H}\r\n", "/b"),
    "slashes merge": (f"GET //a///b HTTP/1.1\r\n{H}\r\n", "/a/b"),
    "the query stays as it is": (f"GET /a?b=%2F&c=%61&&d HTTP/1.1\r\n{H}\r\n", "/a?b=%2F&c=%61&&d"),
    "an empty query stays": (f"GET /a? HTTP/1.1\r\n{H}\r\n", "/a?"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(armed, name):
    gate, back = armed
    data, target = ACCEPTED[name]
    with gate.connect() as connection:
        connection.send(data.encode("latin-1"))
        answer = connection.answer()
    assert answer.status == 200, answer.body
    assert back.requests[-1] == f"{back.requests[-1].split()[0]} {target} HTTP/1.1"


@pytest.mark.parametrize("name", ["a trailer", "an unknown method", "the query stays as it is"])
def test_every_split(armed, name):
    """The same bytes in two pieces, cut anywhere, are the same request."""
    gate, _ = armed
    data, target = ACCEPTED[name]
    data = data.encode("latin-1")
    with gate.connect() as connection:
        for cut in range(1, len(data), 3):
            connection.send(data[:cut])
            connection.send(data[cut:])
            answer = connection.answer()
            assert (answer.status, f'"target": "{target}"'.encode() in answer.body) == (200, True), cut


def test_nothing_of_a_smuggled_request_is_answered(armed):
    """CL.TE: what stands after the refused message is not taken for a second request."""
    gate, back = armed
    before = len(back.heads)
    smuggled = f"GET /admin HTTP/1.1\r\n{H}\r\n"
    with gate.connect() as connection:
        connection.send(f"{POST}{H}Content-Length: {5 + len(smuggled)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}")
        assert connection.answer().status == 400
        assert connection.is_closed() and not connection.buffer
    assert len(back.heads) == before


def test_refusals_are_counted(armed):
    gate, _ = armed
    gate.ask(f"{POST}{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    wire.eventually(lambda: gate.metric("gatehouse_layer_decisions_total", reason="http.te_and_cl", verdict="deny") >= 1)


def test_a_client_that_goes_away_mid_request(armed):
    gate, back = armed
    before = len(back.heads)
    for data in (GET, f"{GET}{H}", "GE", f"{POST}{H}Content-Length: 5\r\n"):
        with gate.connect() as connection:
            connection.send(data)
    assert gate.ask().status == 200
    assert len(back.heads) == before + 1
