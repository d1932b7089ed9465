"""The access log as ECS, OCSF and CEF: golden files and a running gateway's lines, against the schemas of others."""

import json
import pathlib
import re
import socket
import threading

import pytest

import checkers
import waf_rules
import wire

GOLDEN = pathlib.Path(__file__).parents[2] / "src/telemetry/testdata"


def golden(name):
    return dict(line.split("\t", 1) for line in (GOLDEN / f"{name}.golden").read_text().split("\n") if line)


def test_golden_ocsf_is_ocsf():
    lines = golden("ocsf")
    for name, (_, mistakes) in zip(lines, checkers.ocsf(list(lines.values()))):
        assert mistakes == [], name


def test_the_ocsf_schema_finds_mistakes():
    line = json.loads(golden("ocsf")["rate"])
    del line["http_response"]
    line["http_request"]["method"] = "GET"
    ((name, mistakes),) = checkers.ocsf([json.dumps(line)])
    assert name == "http_activity" and len(mistakes) == 2, mistakes


def test_golden_ecs_is_ecs():
    for name, line in golden("ecs").items():
        assert checkers.ecs(line) == [], name


def parse_cef(line):
    """Header and extension, as the format's readers do it."""
    header = re.match(r"CEF:0\|" + r"((?:[^|\\]|\\.)*)\|" * 6, line)
    assert header, line
    text = line[header.end() :]
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", text))
    values = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        values[key[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), text[key.end() : end])
    return [re.sub(r"\\(.)", r"\1", part) for part in header.groups()], values


@pytest.mark.parametrize("format_name", ["ecs", "ocsf", "cef"])
def test_an_attack_and_a_request(gatehouse, backend, format_name):
    gate = gatehouse.prepare(backend(), process={"shards": 1}, telemetry={"access_log": {"format": format_name}})
    gate.config["waf"] = {"mode": "enforce", "rules": [gate.file("rules.conf", waf_rules.SMALL)]}
    gate.start()
    assert gate.ask(target="/orders/7").status == 200
    assert gate.ask(target="/orders?q=an%20attack%1b[31m").status == 403
    wire.eventually(lambda: len(gate.log_path.read_text().splitlines()) >= 2)
    first, second = gate.log_path.read_text().splitlines()[:2]
    if format_name == "ecs":
        assert checkers.ecs(first) == [] and checkers.ecs(second) == []
        assert json.loads(first)["url"]["path"] == "/orders/7"
        assert json.loads(second)["event"]["kind"] == "alert"
    elif format_name == "ocsf":
        (one, wrong), (two, wrong_too) = checkers.ocsf([first, second])
        assert wrong == [] and wrong_too == []
        assert (one, two) == ("http_activity", "detection_finding")
    else:
        header, values = parse_cef(first)
        assert header[:2] == ["Gatehouse", "Gatehouse"] and header[3] == "request.pass"
        assert values["src"] == "127.0.0.1" and values["request"].endswith("/orders/7") and values["cn1"] == "200"
        header, values = parse_cef(second)
        assert (header[3], header[5]) == ("waf.score", "9")
        assert "100" in values["cs6"].split(",")


def test_syslog(gatehouse, backend):
    """Datagrams to a syslog server: RFC 5424 around a line of CEF."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(10)
    to = f"syslog://127.0.0.1:{server.getsockname()[1]}"
    gate = gatehouse(backend(), telemetry={"access_log": {"to": to, "format": "cef"}})
    gate.ask(target="/a%3Db")
    message = server.recv(70000).decode()
    server.close()
    envelope = re.match(r"<134>1 \d{4}-\d\d-\d\dT[0-9:.]+Z \S+ gatehouse \d+ access - (.*)$", message, re.S)
    assert envelope, message
    _, values = parse_cef(envelope[1])
    assert values["act"] == "pass" and values["request"].endswith(("/a=b", "/a%3Db"))


def test_reload_changes_the_format(gatehouse, backend):
    gate = gatehouse(backend())
    gate.ask()
    wire.eventually(lambda: gate.log_path.read_text().count("\n") >= 1)
    gate.config["telemetry"]["access_log"]["format"] = "ecs"
    assert gate.reload().returncode == 0
    gate.ask()
    wire.eventually(lambda: gate.log_path.read_text().count("\n") >= 2)
    first, second = gate.log_path.read_text().splitlines()
    assert "request_id" in json.loads(first) and checkers.ecs(second) == []
