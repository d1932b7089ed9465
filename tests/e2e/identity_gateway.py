"""A gateway with users of its own (`gatehouse.prepare(**IDENTITY)`), and its admin API."""

import json
import re

import wire

ISSUER = "https://login.shop.example"
IDENTITY = {"identity": {"issuer": ISSUER}}


class Api:
    """The admin API of a running gateway."""

    def __init__(self, gateway):
        self.address = str(gateway.dir / "admin.sock")

    def __call__(self, method, path, body=None, expect=200):
        data = b"" if body is None else json.dumps(body).encode()
        fields = {"Content-Type": "application/json", "Connection": "close"}
        answer = wire.ask(self.address, wire.request(method, path, body=data, fields=fields))
        assert answer.status == expect, (answer.status, answer.body)
        return json.loads(answer.body)


def refusal(gateway, environment=None):
    """The exit code and the words of a gateway that doesn't start."""
    gateway.write()
    ended = gateway.command("run", env=environment)
    return ended.returncode, re.sub(r"^.*?gatehouse: ", "", ended.stderr.strip(), flags=re.DOTALL)
