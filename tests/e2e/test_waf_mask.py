"""Card numbers and keys in answers are made unreadable on their way to the client, where the route says so."""

import gzip
import json
import random
import threading
import time

import h2wire
import pytest
import waf_rules
import wire
from coders import CODERS, brotli
from upstream import h2_well, in_chunks, raw, well

CARD, MASKED = b"4111 1111 1111 1111", b"**** **** **** 1111"
# Put together here, so that scanners of source code do not take them for real ones.
TOKEN = b"ghp" + b"_" + b"abcdefghijklmnopqrstuvwxyz0123456789"
JWT = b"eyJhbGciOiJIUzI1NiJ9" + b".eyJzdWIiOiIxMjM0In0" + b".c2lnbmF0dXJl"
KEY = b"-----BEGIN " + b"PRIVATE KEY-----\nMIIEvQIBADANBg==\n-----END PRIVATE KEY-----\n"
HTML, TYPE_JSON = ("Content-Type", "text/html"), ("Content-Type", "application/json")


@pytest.fixture
def armed(gatehouse, backend):
    def start(behaviour, route=None, **keys):
        behind = backend(behaviour)
        gate = gatehouse.prepare(behind, waf={"mode": "enforce", "response_mask": ["cards", "keys"], **keys})
        gate.behind = behind
        gate.config["waf"]["rules"] = [waf_rules.small(gate, text=waf_rules.ANSWERS)]
        gate.config["routes"][0].update(route or {})
        return gate.start()

    return start


def masked_of(record):
    return [(layer["verdict"], layer["evidence"]) for layer in record["layers"] if layer["reason"] == "waf.masked"]


def over_h2(gate):
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "shop.example"), (":path", "/")], end_stream=True))
        return session.answer(1)


@pytest.mark.parametrize("held", [0, "64KiB"])
def test_secrets_are_masked(armed, held):
    """With and without answers being held back for inspection."""
    body = b"<p>" + CARD + b"</p> " + TOKEN + b" " + JWT + b"\n" + KEY
    gate = armed(well(200, body, [HTML, ("ETag", '"1"'), ("Accept-Ranges", "bytes"), ("Repr-Digest", "sha-256=:x:")]), response_body=held)
    answer = gate.ask(fields={"Accept-Encoding": "gzip, br", "Range": "bytes=0-9", "If-Range": '"1"'})
    assert answer.status == 200 and MASKED in answer.body
    assert answer.get("content-length") == str(len(body)) == str(len(answer.body))
    for secret in (b"4111", TOKEN[4:], JWT[3:], b"MIIE"):
        assert secret not in answer.body
    assert answer.body.startswith(b"<p>" + MASKED + b"</p> ghp_***") and answer.body.endswith(b"-----END PRIVATE KEY-----\n")
    assert answer.get("etag") == 'W/"1"' and answer.get("accept-ranges") is None and answer.get("repr-digest") is None
    assert gate.behind.field("accept-encoding") == "identity" and gate.behind.field("range") is None
    assert gate.behind.field("if-range") is None
    record = gate.record_of(answer)
    assert record["verdict"] == "pass" and masked_of(record) == [("pass", "card numbers: 1, keys: 3")]
    assert "waf.masked" in gate.command("explain", record["request_id"]).stdout
    assert gate.metric("gatehouse_layer_decisions_total", layer="waf", reason="waf.masked") == 1
    assert gate.ask(method="HEAD").get("etag") == 'W/"1"'


@pytest.mark.parametrize("step", [1, 3, 19])
def test_secrets_in_two_pieces(armed, step):
    body = b"card " + CARD + b", " + TOKEN + b"."
    gate = armed(in_chunks(body, [HTML], step))
    assert gate.ask().body == b"card " + MASKED + b", ghp_" + b"*" * 36 + b"."
    at_end = armed(in_chunks(CARD, [HTML], step))
    assert at_end.ask().body == MASKED, "nobody waits for more"


DIGESTS = ("Content-MD5", "Content-Digest", "Repr-Digest", "Digest")


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_digests_in_trailers(armed, mode):
    """They speak of bytes that the client does not get; those that only are counted come as they were."""
    trailers = "".join(f"{name}: x\r\n" for name in DIGESTS) + "X-Sum: 9\r\n"
    said = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n" + CARD + b"\r\n0\r\n" + trailers.encode() + b"\r\n"
    gate = armed(raw(said), mode=mode)
    answer = gate.ask(fields={"TE": "trailers"})
    assert answer.body == (MASKED if mode == "enforce" else CARD)
    kept = [] if mode == "enforce" else [(name.lower(), "x") for name in DIGESTS]
    assert answer.trailers == [*kept, ("x-sum", "9")]
    assert gate.record_of(answer)["status"] == 200


@pytest.mark.parametrize("kind", ["text/event-stream", "text/javascript", "application/x-javascript", "application/ecmascript", "text/ecmascript"])
def test_scripts_stay_scripts(armed, kind):
    body = b"data: {\"number\": 4111111111111111, \"text\": \"4111111111111111\"}\n"
    gate = armed(well(200, body, [("Content-Type", kind)]))
    assert gate.ask().body == b"data: {\"number\": 4000000000001111, \"text\": \"************1111\"}\n"


@pytest.mark.parametrize("kind", ["application/x-pem-file", "application/pem-certificate-chain; a=b"])
def test_files_of_keys(armed, kind):
    gate = armed(well(200, KEY, [("Content-Type", kind)]))
    assert b"MIIE" not in gate.ask().body


def test_json_stays_json(armed):
    gate = armed(well(200, b'{"a": 4111111111111111, "b": "4111111111111111", "c": 1764358957123}', [TYPE_JSON]))
    assert json.loads(gate.ask().body) == {"a": 4000000000001111, "b": "************1111", "c": 1764358957123}


def test_over_h2_on_both_sides(gatehouse, backend):
    gate = gatehouse.prepare(backend(h2_well(CARD), scheme="h2c"), waf={"mode": "enforce", "response_mask": "cards"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.start()
    assert gate.ask().body == MASKED
    assert over_h2(gate)[0] == 200


def test_compressed_for_the_client(armed):
    gate = armed(well(200, (CARD + b"\n") * 100, [HTML]), route={"compression": {"algorithms": ["gzip"]}})
    answer = gate.ask(fields={"Accept-Encoding": "gzip"})
    assert answer.get("content-encoding") == "gzip" and gzip.decompress(answer.body).count(b"4111") == 0


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("held", [0, "64KiB"])
def test_compressed_all_the_same(armed, coding, held):
    """It is decoded, and masked like any other, whether announced by length or in chunks."""
    text = b"<p>" + CARD + b"</p>\n" + bytes(range(32, 127)) * 300
    coded = CODERS[coding](text)
    fields = [HTML, ("Content-Encoding", coding), ("ETag", '"1"')]
    for behaviour in (well(200, coded, fields), in_chunks(coded, fields, 7)):
        gate = armed(behaviour, response_body=held)
        answer = gate.ask()
        assert answer.status == 200 and answer.body == text.replace(CARD, MASKED)
        assert answer.get("content-encoding") is None and answer.get("etag") == 'W/"1"'
        assert masked_of(gate.record_of(answer)) == [("pass", "card numbers: 1, keys: 0")]
    assert gate.ask(method="HEAD").get("content-encoding") is None
    gate.config["routes"][0]["waf"] = {"response_mask": []}
    assert gate.reload().returncode == 0
    assert gate.ask().body == coded


def test_decoded_and_compressed_again(armed):
    coded = brotli((CARD + b"\n") * 100)
    gate = armed(well(200, coded, [HTML, ("Content-Encoding", "br")]), route={"compression": {"algorithms": ["gzip"]}})
    answer = gate.ask(fields={"Accept-Encoding": "gzip, br"})
    assert answer.get("content-encoding") == "gzip"
    assert gzip.decompress(answer.body) == (MASKED + b"\n") * 100


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
@pytest.mark.parametrize("coding", ["zstd", "gzip, br"])
def test_codings_that_are_not_read(armed, coding, mode):
    gate = armed(well(200, CARD, [HTML, ("Content-Encoding", coding)]), mode=mode)
    answer = gate.ask()
    assert answer.status == (502 if mode == "enforce" else 200)
    assert [layer["verdict"] for layer in gate.record_of(answer)["layers"] if layer["reason"] == "waf.response_coding"] == ["deny"]


BROKEN = {
    "no gzip": CARD,
    "broken off": gzip.compress(CARD * 10)[:-9],
    "a bomb": gzip.compress(b"x" * 30_000_000),
    "bytes behind": gzip.compress(CARD) + b"x" * 20,
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_decode(armed, case):
    """The client cannot take what it got for the whole; in monitor mode it gets what the service said."""
    gate = armed(well(200, BROKEN[case], [HTML, ("Content-Encoding", "gzip")]))
    with gate.connect() as client:
        client.send(wire.request())
        got = client.rest()
    assert CARD not in got and not got.endswith(b"\r\n0\r\n\r\n") and len(got) < 10_000_000
    assert gate.record(reason="waf.response_coding")["layer"] == "waf"
    assert gate.ask(method="HEAD").status == 200
    gate.config["waf"]["mode"] = "monitor"
    assert gate.reload().returncode == 0
    answer = gate.ask()
    assert answer.body == BROKEN[case] and answer.get("content-encoding") == "gzip"
    assert any(layer["reason"] == "waf.response_coding" for layer in gate.record_of(answer)["layers"])


def test_a_client_that_does_not_read_holds_the_decoding_up(armed):
    """What it has not taken waits compressed, and comes whole when it reads on; also when the service is long done."""
    text = b"".join(b"n%d, %s\n" % (i, CARD) for i in range(400_000))
    coded = gzip.compress(text, 1)
    gate = armed(well(200, coded, [HTML, ("Content-Encoding", "gzip")]))
    client = gate.connect(receive_buffer=4096)
    before = gate.rss_bytes()
    client.send(wire.request())
    time.sleep(1)
    assert gate.rss_bytes() - before < 8 << 20
    answer = client.answer()
    assert answer.body == text.replace(CARD, MASKED)
    assert masked_of(gate.record_of(answer)) == [("pass", "card numbers: 400000, keys: 0")]


def test_decoders_are_counted(armed):
    """A window of 16 MiB is more than `memory` allows."""
    text = bytes(random.Random(1).choices(range(97, 123), k=4_000_000))
    coded = brotli(text, window=24)
    gate = armed(in_chunks(coded, [HTML, ("Content-Encoding", "br")], 1000), memory="1MiB")
    with gate.connect() as client:
        client.send(wire.request())
        client.rest()
    assert gate.record(reason="waf.memory")["layer"] == "waf"
    gate.config["waf"]["memory"] = "32MiB"
    assert gate.reload().returncode == 0
    assert gate.ask().body == text


def test_what_is_masked_is_a_choice(armed):
    gate = armed(well(200, CARD + b" " + TOKEN, [HTML]), response_mask=["cards"])
    assert gate.ask().body == MASKED + b" " + TOKEN
    gate.config["routes"][0]["waf"] = {"response_mask": ["keys"]}
    assert gate.reload().returncode == 0
    assert gate.ask().body == CARD + b" ghp_" + b"*" * 36
    for off in ({"response_mask": []}, {"mode": "off"}):
        gate.config["routes"][0]["waf"] = off
        assert gate.reload().returncode == 0
        answer = gate.ask(fields={"Accept-Encoding": "br"})
        assert answer.body == CARD + b" " + TOKEN and masked_of(gate.record_of(answer)) == []
        assert gate.behind.field("accept-encoding") == "br"


def test_monitor_counts(armed):
    gate = armed(well(200, CARD, [HTML, ("ETag", '"1"')]), mode="monitor")
    answer = gate.ask()
    assert answer.body == CARD and answer.get("etag") == '"1"'
    record = gate.record_of(answer)
    assert masked_of(record) == [("pass", "card numbers: 1, keys: 0")]
    assert [layer["mode"] for layer in record["layers"] if layer["reason"] == "waf.masked"] == ["monitor"]


def test_other_types_are_left_alone(armed):
    gate = armed(well(200, CARD, [("Content-Type", "application/pdf"), ("ETag", '"1"')]))
    answer = gate.ask()
    assert answer.body == CARD and answer.get("etag") == '"1"'


def test_events_do_not_wait(armed):
    def events(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: " + CARD + b"\n\n")
        peer.upstream.stopped.wait(20)

    gate = armed(events, response_body="64KiB")
    with gate.connect() as connection:
        connection.send(wire.request())
        assert connection.head().status == 200
        assert MASKED in connection.until(b"\n\n")


def test_rules_see_what_the_service_said(armed):
    rules = waf_rules.ANSWERS + "SecRule RESPONSE_BODY \"@contains 4111\" \"id:300,phase:4,deny,status:451,log,msg:'a card'\"\n"
    gate = armed(well(200, CARD, [HTML]), response_body="64KiB")
    waf_rules.small(gate, text=rules)
    assert gate.reload().returncode == 0
    assert gate.ask().status == 451


def test_a_long_answer_at_once(armed):
    body = (b"x" * 1000 + b" " + CARD + b"\n") * 2000
    gate = armed(well(200, body, [HTML]))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(gate.ask())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.body == body.replace(CARD, MASKED) for answer in answers] == [True] * 4
    assert masked_of(gate.record_of(answers[0])) == [("pass", "card numbers: 2000, keys: 0")]


def test_configuration(gatehouse):
    gate = gatehouse.prepare(waf={"mode": "monitor", "response_mask": ["card"]})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.write()
    checked = gate.command("check")
    assert checked.returncode == 2 and "card" in checked.stdout and "cards" in checked.stdout and "keys" in checked.stdout
