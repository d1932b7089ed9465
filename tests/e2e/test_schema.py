"""The positive model: what a route's OpenAPI document does not describe is refused before it reaches the service."""

import gzip
import json
import pathlib

import gateway

DOCUMENT = (pathlib.Path(__file__).parents[1] / "data/openapi/shop.yaml").read_text()
UUID = "123e4567-e89b-12d3-a456-426614174000"


def shop(gatehouse, back, *, document=DOCUMENT, layers=None, **openapi):
    gate = gatehouse.prepare(back)
    file = gate.file("shop.yaml", document)
    route = {"name": "shop", "match": {"path": "/**"}, "service": "main", "public": True,
             "openapi": {"document": str(file), **openapi}}  # fmt: skip
    if layers:
        route["layers"] = layers
    gate.config["routes"] = [route]
    return gate.start()


def schema_of(record):
    return next(layer for layer in record["layers"] if layer["layer"] == "schema")


def test_the_head_is_judged(gatehouse, backend):
    back = backend()
    gate = shop(gatehouse, back)
    cases = [
        ("GET", "/v1/products?category=desks&limit=10", 200, None),
        ("HEAD", "/v1/products", 200, None),
        ("GET", "/v1/products/p-1001", 200, None),
        ("GET", "/v1/products/1001", 400, "schema.parameter"),
        ("GET", "/v1/products?limit=1000", 400, "schema.parameter"),
        ("GET", "/v1/products?limit=1&limit=2", 400, "schema.parameter"),
        ("GET", "/v1/products?debug=1", 400, "schema.unknown_parameter"),
        ("GET", "/admin", 404, "schema.path"),
        ("GET", "/products", 404, "schema.path"),
        ("DELETE", "/v1/orders", 405, "schema.method"),
        ("GET", "/v1/orders", 400, "schema.parameter"),
    ]
    for method, target, status, reason in cases:
        answer = gate.ask(method=method, target=target)
        assert answer.status == status, (method, target)
        if reason:
            record = gate.record_of(answer)
            assert (record["layer"], record["reason"], record["verdict"]) == ("schema", reason, "deny"), target
            assert schema_of(record)["evidence"]
    assert gate.ask(method="DELETE", target="/v1/orders").get("allow") == "GET, HEAD, POST"
    assert len(back.heads) == sum(status == 200 for _, _, status, _ in cases)


def test_bodies_need_a_content_type_of_the_document(gatehouse, backend):
    back = backend()
    gate = shop(gatehouse, back)
    refused = [({"content-type": "text/xml"}, b"<a/>", "schema.content_type"), ({}, b"{}", "schema.content_type"),
               ({"content-type": "application/json"}, b"", "schema.body")]  # fmt: skip
    for fields, body, reason in refused:
        answer = gate.ask(method="POST", target="/v1/orders", fields=fields, body=body)
        assert answer.status in (400, 415)
        assert gate.record_of(answer)["reason"] == reason
    assert not back.heads


ORDER = {"items": [{"product": "p-1001", "quantity": 2}], "address": {"street": "Elm 1", "city": "Ulm", "country": "DE"}}


def post(gate, body, **fields):
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in fields.items()}
    return gate.ask(method="POST", target="/v1/orders", fields=fields, body=body)


def test_bodies_are_judged_before_the_service_sees_a_byte(gatehouse, backend):
    back = backend()
    gate = shop(gatehouse, back)
    good = json.dumps(ORDER).encode()
    assert post(gate, good).status == 200
    assert post(gate, gzip.compress(good), content_encoding="gzip").status == 200
    assert len(back.heads) == 2
    wrong = json.dumps(ORDER | {"items": [{"product": "p-1001", "quantity": 0}]}).encode()
    cases = [
        (wrong, {}, 400, "schema.body"),
        (gzip.compress(wrong), {"content_encoding": "gzip"}, 400, "schema.body"),
        (b"no gzip", {"content_encoding": "gzip"}, 400, "schema.body"),
        (good, {"content_encoding": "zstd"}, 415, "schema.content_type"),
        (good[:-1], {}, 400, "schema.body"),
        (json.dumps(ORDER | {"admin": True}).encode(), {}, 400, "schema.unknown_parameter"),
        (json.dumps(ORDER | {"email": "a" * 140_000 + "@shop.example"}).encode(), {}, 413, "schema.body_too_large"),
        (gzip.compress(b" " * 1_000_000 + good), {"content_encoding": "gzip"}, 413, "schema.body_too_large"),
    ]
    for body, fields, status, reason in cases:
        answer = post(gate, body, **fields)
        record = gate.record_of(answer)
        assert (answer.status, record["reason"], record["layer"]) == (status, reason, "schema"), (body[:80], fields)
    assert len(back.heads) == 2
    entries = [layer for layer in gate.record_of(post(gate, wrong))["layers"] if layer["layer"] == "schema"]
    assert [entry["verdict"] for entry in entries] == ["pass", "deny"]
    assert entries[1]["evidence"] == "body /items/0/quantity: minimum, at least 1"


def test_a_monitored_body_is_judged_and_passes(gatehouse, backend):
    back = backend()
    gate = shop(gatehouse, back, layers={"schema": "monitor"})
    answer = post(gate, b'{"items": 7}')
    assert answer.status == 200
    entries = [layer for layer in gate.record_of(answer)["layers"] if layer["layer"] == "schema"]
    assert (entries[1]["verdict"], entries[1]["mode"], entries[1]["reason"]) == ("deny", "monitor", "schema.body")
    assert post(gate, b" " * 200_000).status == 200
    assert len(back.heads) == 2


def test_values_stay_out_of_the_record(gatehouse, backend):
    gate = shop(gatehouse, backend())
    answer = gate.ask(method="GET", target="/v1/orders", fields={"cookie": "session=topsecret"})
    assert answer.status == 400
    record = gate.record_of(answer)
    assert schema_of(record)["evidence"] == 'cookie parameter "session": format, uuid'
    assert "topsecret" not in str(record)


def test_report_and_monitor_let_pass_and_say_so(gatehouse, backend):
    back = backend()
    gate = shop(gatehouse, back, unknown_parameters="report")
    answer = gate.ask(method="GET", target="/v1/products?debug=1")
    assert answer.status == 200
    entry = schema_of(gate.record_of(answer))
    assert (entry["verdict"], entry["reason"], entry["evidence"]) == ("pass", "schema.unknown_parameter", 'query "debug"')
    assert gate.ask(method="GET", target="/v1/products?limit=0").status == 400

    watched = shop(gatehouse, back, layers={"schema": "monitor"})
    answer = watched.ask(method="GET", target="/nowhere")
    assert answer.status == 200
    entry = schema_of(watched.record_of(answer))
    assert (entry["verdict"], entry["mode"], entry["reason"]) == ("deny", "monitor", "schema.path")


def test_paths_are_those_that_the_service_sees(gatehouse, backend):
    gate = gatehouse.prepare(backend())
    file = gate.file("shop.yaml", DOCUMENT)
    gate.config["routes"] = [
        {"name": "a", "match": {"path": "/shop/**"}, "service": "main", "public": True, "openapi": str(file),
         "rewrite": {"strip_prefix": "/shop", "add_prefix": "/v1"}},
        {"name": "b", "match": {"path": "/plain/**"}, "service": "main", "public": True,
         "openapi": {"document": str(file), "base_path": "/plain"}},
    ]  # fmt: skip
    gate.start()
    assert gate.ask(method="GET", target="/shop/products").status == 200
    assert gate.ask(method="GET", target="/shop/v1/products").status == 404
    assert gate.ask(method="GET", target="/plain/products").status == 200


def test_a_broken_document_is_refused_with_its_places_and_the_old_one_stays(gatehouse, backend):
    gate = shop(gatehouse, backend())
    broken = DOCUMENT.replace("minimum: 1, maximum: 100", "minimun: 1, maximum: 100").replace(
        "components/schemas/Address", "components/schemas/Adress")  # fmt: skip
    file = gate.file("shop.yaml", broken)
    checked = gateway.run("check", "-c", str(gate.config_path))
    text = checked.stdout + checked.stderr
    assert checked.returncode == 2
    assert f"{file}:12:77: error: \"minimun\" is no keyword of schemas" in text
    assert "did you mean \"minimum\"?" in text
    assert "there is nothing at that place" in text
    assert "^~~~~~~" in text, "the line of the document is quoted"
    assert gate.command("reload").returncode == 2
    assert gate.ask(method="GET", target="/v1/products").status == 200
    assert gate.ask(method="GET", target="/v1/products?limit=0").status == 400
    gate.file("shop.yaml", DOCUMENT.replace("maximum: 100", "maximum: 1000"))
    gate.reload()
    assert gate.ask(method="GET", target="/v1/products?limit=1000").status == 200


def test_mistakes_are_no_attacks(gatehouse, backend):
    """A client that sends what the document doesn't have is refused each time, and never banned for it."""
    gate = gatehouse.prepare(backend(), penalties={"attacks": {"threshold": 3, "window": "1m"}})
    file = gate.file("shop.yaml", DOCUMENT)
    gate.config["routes"] = [{"name": "shop", "match": {"path": "/**"}, "service": "main", "public": True, "openapi": str(file)}]
    gate.start()
    client = {"source": "127.0.0.81"}
    for _ in range(4):
        assert gate.ask(method="GET", target="/v1/products?limit=1000", **client).status == 400
        assert gate.ask(method="GET", target="/v1/products?debug=1", **client).status == 400
        assert gate.ask(method="GET", target="/nowhere", **client).status == 404
        assert gate.ask(method="DELETE", target="/v1/orders", **client).status == 405
        assert gate.ask(method="POST", target="/v1/orders", fields={"content-type": "text/xml"}, body=b"<a/>", **client).status == 415
        assert post(gate, b'{"items": 7}').status == 400
    assert gate.ask(method="GET", target="/v1/products", **client).status == 200
    assert gate.metric("gatehouse_bans_active") == 0
