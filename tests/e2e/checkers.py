"""Other people's definitions to hold our output against: packages that scripts/setup puts into build/test-python, apart from
the system's, because their protobuf is newer."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(os.environ.get("GATEHOUSE_TEST_PYTHON", pathlib.Path(__file__).parents[2] / "build/test-python"))


def run(package, program, lines):
    """Runs `program`, which has the lines as `lines`, with the packages; what it prints, as JSON."""
    if not (FOLDER / package).exists():
        pytest.skip(f"{package} is not in {FOLDER}: scripts/setup puts it there")
    done = subprocess.run([sys.executable, "-c", "import json, sys\nlines = json.load(sys.stdin)\n" + program],
                          input=json.dumps(lines), capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(FOLDER), "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "upb"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


OCSF = """
import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
source = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.3.0"))
found = []
for line in lines:
    event = json.loads(line)
    name = source.lookup_class_name_from_uid(class_uid=event["class_uid"])
    schema = source.get_class_schema(class_name=name, profiles=event["metadata"].get("profiles", []))
    found.append([name, [f"{list(e.path)}: {e.message[:300]}" for e in jsonschema.Draft202012Validator(schema).iter_errors(event)]])
print(json.dumps(found))
"""


def ocsf(lines):
    """[class, mistakes] of each line, by the schema of OCSF 1.3.0."""
    return run("ocsf_json_schema", OCSF, lines)


# Of the fields that we write: ECS 8.11, generated/csv/fields.csv of github.com/elastic/ecs. A list where ECS wants one.
ECS = {
    "@timestamp": "date", "ecs.version": "keyword", "event.kind": "keyword", "event.category": ["keyword"],
    "event.type": ["keyword"], "event.module": "keyword", "event.dataset": "keyword", "event.action": "keyword",
    "event.outcome": "keyword", "event.id": "keyword", "event.code": "keyword", "event.duration": "long",
    "event.risk_score": "float", "http.request.id": "keyword", "http.request.method": "keyword", "http.request.bytes": "long",
    "http.response.bytes": "long", "http.response.status_code": "long", "http.version": "keyword", "source.ip": "ip",
    "client.ip": "ip", "url.path": "wildcard", "url.scheme": "keyword", "url.domain": "keyword", "url.port": "long",
    "user.name": "keyword", "related.ip": ["ip"], "related.user": ["keyword"], "related.hosts": ["keyword"],
    "service.name": "keyword", "trace.id": "keyword", "tls.version": "keyword", "tls.version_protocol": "keyword",
    "network.direction": "keyword", "network.protocol": "keyword", "observer.vendor": "keyword", "observer.product": "keyword",
    "observer.type": "keyword", "observer.version": "keyword", "observer.ingress.zone": "keyword", "rule.id": "keyword",
    "rule.name": "keyword", "rule.ruleset": "keyword",
}  # fmt: skip
# The same page, "Categorization Fields": what each category expects as a type.
EXPECTED_TYPES = {"web": {"access", "error", "info"}, "intrusion_detection": {"allowed", "denied", "info"},
                  "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"}}  # fmt: skip


def flat(value, at=""):
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{at}{key}.")
        else:
            yield at + key, inner


def ecs(line):
    """What is wrong with a line of ECS."""
    import ipaddress
    import re

    wrong = []
    event = json.loads(line)
    own = event.pop("gatehouse", {})
    for name, value in flat(event):
        wanted = ECS.get(name)
        if wanted is None:
            wrong.append(f"{name} is no field of ECS")
            continue
        if isinstance(wanted, list) != isinstance(value, list):
            wrong.append(f"{name}: list or not")
            continue
        for one in value if isinstance(value, list) else [value]:
            kind = wanted[0] if isinstance(wanted, list) else wanted
            good = {"keyword": lambda v: isinstance(v, str), "wildcard": lambda v: isinstance(v, str),
                    "long": lambda v: type(v) is int and abs(v) < 2**63, "float": lambda v: type(v) in (int, float),
                    "date": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", v),
                    "ip": lambda v: ipaddress.ip_address(v)}[kind](one)  # fmt: skip
            if not good:
                wrong.append(f"{name}: {one!r} is no {kind}")
    if event["event"]["kind"] not in {"alert", "event"} or event["event"]["outcome"] not in {"success", "failure", "unknown"}:
        wrong.append("event.kind or event.outcome")
    expected = set().union(*(EXPECTED_TYPES[category] for category in event["event"]["category"]))
    wrong += [f"event.type {one} is expected by no category" for one in event["event"]["type"] if one not in expected]
    return wrong + [f"gatehouse.{name} is not named" for name in own if not re.fullmatch(r"[a-z_]+", name)]
