"""An OpenAPI document of docs/ held against the server: a caller that looks each answer up in it."""

import copy
import json

import jsonschema
import yaml

import gateway
import wire

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def closed(schema):
    """The schema with every object closed that names its members: what isn't documented isn't valid."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        result.setdefault("additionalProperties", False)
    return result


class Document:
    def __init__(self, name):
        self.text = yaml.safe_load((gateway.ROOT / "docs" / name).read_text())
        self.resolver = jsonschema.RefResolver.from_schema(closed(copy.deepcopy(self.text)))
        self.paths = self.text["paths"]

    def resolved(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def operations(self):
        return {(method.upper(), path): operation for path, methods in self.paths.items() for method, operation in methods.items()
                if method in METHODS}  # fmt: skip

    def documented(self):
        return {(method, path, status) for (method, path), operation in self.operations().items() for status in operation["responses"]}

    def validator(self, schema):
        return jsonschema.Draft4Validator(closed(schema), resolver=self.resolver, format_checker=jsonschema.FormatChecker(()))


class Api:
    """Asks, and holds each answer against the document; `seen` are the statuses, `default` where none is named."""

    def __init__(self, gate, document, token=None):
        self.document, self.token = document, token
        self.gate = gate
        self.address = gate.parse(gate.ready["admin"])
        self.seen = set()

    def ask(self, method, target, body=None, status=200, path=None, token=..., content_type="application/json", accept=None):
        """`path`: as the document has it, when that isn't the target without its query."""
        token = self.token if token is ... else token
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            fields["Content-Type"] = content_type
        if accept:
            fields["Accept"] = accept
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        answer = wire.ask(self.address, wire.request(method, target, host="127.0.0.1", fields=fields, body=data), method=method)
        assert answer.status == status, (method, target, answer.status, answer.body)
        path = path or target.partition("?")[0]
        self.hold(method, path, answer)
        return json.loads(answer.body) if "json" in answer.get("content-type") else answer

    def hold(self, method, path, answer):
        described = self.document.operations()[method, path]["responses"]
        status = str(answer.status) if str(answer.status) in described else "default"
        assert status in described, f"{method} {path} answers {answer.status}, which is not documented"
        assert status != "default" or answer.status >= 400, f"{method} {path}: {answer.status} is no problem, and not documented"
        self.seen.add((method, path, status))
        content = self.document.resolved(described[status])["content"]
        kind = answer.get("content-type").partition(";")[0]
        assert kind in content, (method, path, kind)
        if kind.endswith("json"):
            self.document.validator(content[kind]["schema"]).validate(json.loads(answer.body))
        elif kind != "text/plain" or path == "/metrics":
            assert answer.body
