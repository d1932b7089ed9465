"""Compressed bodies that unfold to a thousand times their size cost time and memory for what is inspected of them, no more."""

import os

import pytest
import waf_rules
from coders import CODERS
from upstream import well

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTML = ("Content-Type", "text/html")
UNFOLDED = 256 << 20
INSPECTED = 1 << 20
ROUNDS = 5
# To decode one of them whole takes a multiple of this in time, and of that in memory.
CPU_SECONDS, RSS_BYTES = 0.1, 24 << 20


@pytest.fixture(scope="module", params=CODERS)
def coding(request):
    """A coding's name, and its bombs by what they begin with."""
    coder = CODERS[request.param]
    bombs = {first: coder(first + b"x" * (UNFOLDED - len(first))) for first in (b"a=one&b=", b"a=attack&b=")}
    assert all(len(bomb) < INSPECTED for bomb in bombs.values()), "it is not refused for its own length"
    return request.param, bombs


def cpu_seconds(gate):
    with open(f"/proc/{gate.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(gate):
    """The most that it has ever held; 0 where a sanitizer's own memory hides it."""
    if gate.rss_bytes() == 0:
        return 0
    with open(f"/proc/{gate.process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def bounded_cpu(gate, act):
    act()  # buffers that are kept, and pages of code that are touched for the first time
    before = cpu_seconds(gate)
    for _ in range(ROUNDS):
        act()
    assert cpu_seconds(gate) - before < ROUNDS * CPU_SECONDS


@pytest.mark.parametrize("on_exceed", ["deny", "partial"])
def test_requests(gatehouse, backend, coding, on_exceed):
    name, bombs = coding
    behind = backend()
    gate = gatehouse.prepare(behind, waf={"mode": "enforce", "request_body": "1MiB", "on_exceed": on_exceed})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.start()
    before = gate.rss_bytes()
    for first, bomb in bombs.items():
        refused = 403 if b"attack" in first else 413 if on_exceed == "deny" else None

        def act(bomb=bomb, refused=refused):
            answer = gate.ask(method="POST", fields={**FORM, "Content-Encoding": name}, body=bomb)
            assert answer.status == (refused or 200)

        bounded_cpu(gate, act)
    assert peak_bytes(gate) - before < RSS_BYTES
    assert set(behind.bodies) == (set() if on_exceed == "deny" else {bombs[b"a=one&b="]})


@pytest.mark.parametrize("on_exceed", ["deny", "partial"])
def test_answers(gatehouse, backend, coding, on_exceed):
    name, bombs = coding
    bomb = bombs[b"a=one&b="]
    behind = backend(well(200, bomb, [HTML, ("Content-Encoding", name)]))
    gate = gatehouse.prepare(behind, waf={"mode": "enforce", "response_body": "1MiB", "response_on_exceed": on_exceed})
    gate.config["waf"]["rules"] = [waf_rules.small(gate, text=waf_rules.ANSWERS)]
    gate.start()
    before = gate.rss_bytes()

    def act():
        answer = gate.ask()
        if on_exceed == "deny":
            assert (answer.status, gate.record_of(answer)["reason"]) == (502, "waf.response_too_large")
        else:
            assert (answer.status, answer.body) == (200, bomb)

    bounded_cpu(gate, act)
    assert peak_bytes(gate) - before < RSS_BYTES
