"""The admin API: who may call, and what a reload changes of that."""

import grp
import os
import signal
import subprocess

import pytest

import wire
from upstream import well

TOKEN = "correct-horse-battery-staple"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give the socket to a group")
def test_the_admin_socket_belongs_to_a_group(gatehouse, backend):
    group = grp.getgrnam("daemon")
    gate = gatehouse.prepare(backend(well()))
    gate.config["admin"]["group"] = group.gr_name
    gate.start()
    socket = gate.dir / "admin.sock"
    assert socket.stat().st_gid == group.gr_gid and socket.stat().st_mode & 0o777 == 0o660
    as_user = ["setpriv", "--reuid", "54321", "--regid", "54321"]
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", str(socket), "http://localhost/v1/status"]
    member = subprocess.run([*as_user, "--groups", str(group.gr_gid), *ask], capture_output=True, text=True)
    assert member.stdout == "200", member.stderr
    stranger = subprocess.run([*as_user, "--clear-groups", *ask], capture_output=True, text=True)
    assert stranger.stdout == "000"


def test_a_group_that_does_not_exist(gatehouse, backend):
    gate = gatehouse.prepare(backend(well()))
    gate.config["admin"]["group"] = "no-such-group"
    with pytest.raises(AssertionError, match="no-such-group"):
        gate.start()
    gate.process = None


def test_a_reload_takes_a_new_token(gatehouse, backend):
    gate = gatehouse(backend(well()), admin={"address": "127.0.0.1:0", "token": TOKEN})
    address = gate.parse(gate.ready["admin"])

    def status(token):
        return wire.ask(address, wire.request("GET", "/v1/status", host="127.0.0.1", fields={"Authorization": f"Bearer {token}"})).status

    assert status(TOKEN) == 200
    gate.config["admin"]["token"] = TOKEN + "-second"
    gate.write()
    gate.signal(signal.SIGHUP)
    wire.eventually(lambda: status(TOKEN + "-second") == 200)
    assert status(TOKEN) == 401
