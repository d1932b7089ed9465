"""Running it: check, reload, rollback, drain, binary replacement, status, privileges, exit codes."""

import asyncio
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest
import websockets

import gateway
import wire
from upstream import well

LONG = os.environ.get("GATEHOUSE_LONG")
MISTAKES = """version: 1
trust_domain: shop.example
data_dir: data
listners:
  - name: public
listeners:
  - name: public
    address: 127.0.0.1:99999
    zone: extrenal
    limits: { header_timeout: 10, body_bytes: lots }
services:
  main:
    endpoints: [ftp://127.0.0.1:1]
    balance: fastest
routes:
  - name: all
    match: { path: orders }
    service: mian
    public: no
  - name: all
    match: { path: /x }
    service: main
rate_limit:
  - { key: client_ip, rate: 100/fortnight }
"""


# check, config


def test_ten_mistakes_are_ten_reports(tmp_path):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(MISTAKES)
    run = gateway.run("check", "-c", file)
    text = run.stdout + run.stderr
    assert run.returncode == 2
    lines = {int(line.partition("gatehouse.yaml:")[2].split(":")[0]) for line in text.splitlines() if re.search(r"gatehouse\.yaml:\d+:", line)}
    assert {4, 8, 9, 10, 13, 14, 17, 18, 19, 20, 24} <= lines, text
    assert "^" in text and "did you mean" in text.lower() and "external" in text
    assert gateway.run("run", "-c", file).returncode != 0


@pytest.mark.parametrize("text, line", [
    ("version: 1\nversion: 1\n", 2), ("version: &a 1\n", 1), ("version: !!int 1\n", 1), ("version: 1\n\tx: 1\n", 2), ("- a\n", 1), ("", 1),
    ("version: 2\n", 1)])  # fmt: skip
def test_strict_yaml(tmp_path, text, line):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(text)
    run = gateway.run("check", "-c", file)
    assert run.returncode == 2
    assert f"gatehouse.yaml:{line}:" in run.stdout + run.stderr


def test_check_formats(gatehouse, backend):
    gate = gatehouse.prepare(backend())
    gate.write()
    assert gate.command("check").returncode in (0, 1)
    as_json = gate.command("check", "--format", "json")
    assert isinstance(json.loads(as_json.stdout), (dict, list))
    sarif = json.loads(gate.command("check", "--format", "sarif").stdout)
    assert sarif["version"] == "2.1.0" and sarif["runs"][0]["tool"]["driver"]["name"]


def test_ambiguous_routes_are_an_error(gatehouse, backend):
    gate = gatehouse.prepare(backend(), routes=[
        {"name": name, "match": {"path": "/same/**"}, "service": "main", "public": True} for name in ("one", "two")])  # fmt: skip
    gate.write()
    run = gate.command("check")
    assert run.returncode == 2 and "one" in run.stdout + run.stderr and "two" in run.stdout + run.stderr


def test_config_commands(gatehouse, backend):
    gate = gatehouse.prepare(backend())
    gate.config["admin"]["token"] = "hunter2hunter2hunter2"
    gate.write()
    schema = json.loads(gateway.run("config", "schema").stdout)
    assert "listeners" in schema["$defs"]["gatehouse"]["properties"]
    assert "listeners" in gateway.run("config", "default").stdout
    shown = gate.command("config", "show")
    assert shown.returncode == 0 and "header_timeout" in shown.stdout and "hunter2" not in shown.stdout


def test_the_default_configuration_is_valid(tmp_path):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(gateway.run("config", "default").stdout)
    assert gateway.run("check", "-c", file).returncode in (0, 1)


def test_version_and_usage():
    assert gateway.run("--version").returncode == 0
    assert gateway.run("--help").returncode == 0
    assert gateway.run("nonsense").returncode != 0
    assert gateway.run("run").returncode != 0
    assert gateway.run("run", "-c", "/nonexistent").returncode != 0


# reload, rollback


def routed(name):
    return [{"name": name, "match": {"path": "/**"}, "service": "main", "public": True}]


@pytest.mark.parametrize("how", ["command", "SIGHUP"])
def test_reload(gatehouse, backend, how):
    gate = gatehouse(backend())
    assert gate.record_of(gate.ask())["route"] == "all"
    gate.config["routes"] = routed("new")
    if how == "command":
        assert gate.reload().returncode == 0
    else:
        gate.write()
        gate.signal(signal.SIGHUP)
    wire.eventually(lambda: gate.record_of(gate.ask())["route"] == "new")


def test_a_bad_reload_changes_nothing(gatehouse, backend):
    gate = gatehouse(backend())
    generation = gate.generation()
    good = gate.config
    run = gate.reload(MISTAKES)
    assert run.returncode == 2 and "gatehouse.yaml:" in run.stdout + run.stderr
    gate.signal(signal.SIGHUP)
    time.sleep(0.3)
    assert gate.ask().status == 200
    gate.write(good)  # where the admin address is found
    assert gate.generation() == generation


def test_dry_run_shows_the_difference(gatehouse, backend):
    gate = gatehouse(backend())
    gate.config["routes"] = routed("new")
    gate.write()
    run = gate.command("reload", "--dry-run")
    assert run.returncode == 0 and "new" in run.stdout
    assert gate.record_of(gate.ask())["route"] == "all"


def test_rollback(gatehouse, backend):
    gate = gatehouse(backend())
    gate.config["routes"] = routed("new")
    assert gate.reload().returncode == 0
    assert gate.record_of(gate.ask())["route"] == "new"
    assert gate.command("rollback").returncode == 0
    assert gate.record_of(gate.ask())["route"] == "all"


def test_listeners_come_and_go(gatehouse, backend):
    gate = gatehouse(backend())
    second = gateway.Gateway.listener("second", address=f"unix:{gate.dir}/second.sock")
    gate.config["listeners"].append(second)
    assert gate.reload().returncode == 0
    assert wire.ask(f"{gate.dir}/second.sock").status == 200
    gate.config["listeners"].pop()
    assert gate.reload().returncode == 0
    with pytest.raises((OSError, wire.Closed)):
        wire.ask(f"{gate.dir}/second.sock")
    assert gate.ask().status == 200


def test_a_request_keeps_the_configuration_it_began_with(gatehouse, backend):
    back = backend(well(delay=1, body=b"old\n"))
    gate = gatehouse(back)
    with gate.connect() as connection:
        connection.send(wire.request())
        wire.eventually(lambda: back.heads)
        gate.config["services"]["main"]["endpoints"] = [backend(well(body=b"new\n")).url]
        assert gate.reload().returncode == 0
        assert connection.answer().body == b"old\n"
        connection.send(wire.request())
        assert connection.answer().body == b"new\n"


def test_reload_under_load_with_websockets(gatehouse, backend):
    """A reload every 100 ms while requests and WebSockets go on: not one of them fails."""
    seconds = 60 if LONG else 8
    stop = asyncio.Event()
    ws_ready = threading.Event()
    found = {}

    async def serve():
        async def echo(socket):
            async for message in socket:
                await socket.send(message)

        server = await websockets.serve(echo, "127.0.0.1", 0)
        found["port"] = server.sockets[0].getsockname()[1]
        found["loop"] = asyncio.get_running_loop()
        ws_ready.set()
        await stop.wait()
        server.close()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    assert ws_ready.wait(5)
    endless = gateway.Gateway.listener(limits={"requests_per_connection": 1_000_000_000})  # h2load doesn't connect anew
    services = {"main": [backend(well(), backlog=1024)], "ws": [f"http://127.0.0.1:{found['port']}"]}
    gate = gatehouse(services, listeners=[endless], routes=[
        *routed("all"), {"name": "ws", "match": {"path": "/ws"}, "service": "ws", "public": True,
                         "websocket": {"enabled": True, "messages_per_second": 0}}])  # fmt: skip
    load = subprocess.Popen(["h2load", "-D", str(seconds), "-c", "8", "-m", "4", gate.url()], stdout=subprocess.PIPE, text=True)
    plain = subprocess.Popen(["wrk", "-t1", "-c8", f"-d{seconds}s", gate.url()], stdout=subprocess.PIPE, text=True)
    messages = [0]

    async def talk(socket):
        while time.monotonic() < end:
            await socket.send(str(messages[0]))
            await asyncio.wait_for(socket.recv(), 5)
            messages[0] += 1
            await asyncio.sleep(0.01)

    async def all_sockets():
        sockets = [await websockets.connect(gate.url("/ws", scheme="ws")) for _ in range(10)]
        await asyncio.gather(*(talk(socket) for socket in sockets))
        for socket in sockets:
            await socket.close()

    end = time.monotonic() + seconds
    failed = []

    def run_sockets():
        try:
            asyncio.run(all_sockets())
        except Exception as error:  # anything at all is a dropped WebSocket
            failed.append(repr(error))

    talking = threading.Thread(target=run_sockets)
    talking.start()
    before, reloads = gate.generation(), 0
    while time.monotonic() < end - 0.5:
        gate.config["routes"][0]["name"] = f"all-{reloads}"
        gate.write()
        gate.signal(signal.SIGHUP)
        reloads += 1
        time.sleep(0.1)
    talking.join()
    h2, h1 = load.communicate()[0], plain.communicate()[0]
    found["loop"].call_soon_threadsafe(stop.set)
    assert not failed
    assert " 0 failed, 0 errored, 0 timeout" in h2, h2
    assert "Non-2xx" not in h1 and "Socket errors" not in h1, h1
    assert gate.generation() - before >= reloads * 0.5
    assert messages[0] > 100
    print(f"{reloads} reloads, {messages[0]} WebSocket messages")


# drain, replacement


def test_drain(gatehouse, backend):
    """SIGTERM: open requests finish, kept connections are told to go, new ones are refused, exit code 0."""
    back = backend(well(delay=1))
    gate = gatehouse(back, process={"drain_timeout": "30s"})
    idle = gate.connect()
    with gate.connect() as connection:
        connection.send(wire.request())
        wire.eventually(lambda: back.heads)
        gate.signal(signal.SIGTERM)
        answer = connection.answer()
        assert answer.status == 200 and answer.get("connection") == "close"
        assert connection.is_closed()
    assert idle.is_closed(within=3)
    assert gate.process.wait(10) == 0
    with pytest.raises(OSError):
        gate.ask()


def test_drain_has_a_deadline(gatehouse, backend):
    back = backend(well(delay=30))
    gate = gatehouse(back, process={"drain_timeout": "1s"})
    with gate.connect() as connection:
        connection.send(wire.request())
        wire.eventually(lambda: back.heads)
        began = time.monotonic()
        gate.signal(signal.SIGTERM)
        gate.process.wait(10)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("taken", ["listener public", "admin"])
def test_a_second_gateway_takes_nothing_from_the_first(gatehouse, backend, tmp_path, taken):
    """The same user could share the port (SO_REUSEPORT) and put another socket at the path, without anybody noticing."""
    first = gatehouse(backend())
    config = json.loads(first.config_path.read_text())
    if taken == "admin":
        config["listeners"][0]["address"] = "127.0.0.1:0"
    else:
        host, port = first.address()
        config["listeners"][0]["address"] = f"{host}:{port}"
        config["admin"] = {"address": f"unix:{tmp_path / 'admin.sock'}"}
    config["data_dir"] = str(tmp_path / "data")
    path = tmp_path / "gatehouse.yaml"
    path.write_text(json.dumps(config))
    second = subprocess.run([gateway.BINARY, "run", "-c", path], capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert taken in second.stderr and "Address already in use" in second.stderr
    assert first.ask().status == 200
    assert first.command("status").returncode == 0


def test_binary_replacement(gatehouse, backend):
    """SIGUSR2: a new process takes the listening sockets over; during it no connection is refused."""
    gate = gatehouse(backend(well(), backlog=1024))
    failures, done = [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                assert gate.ask().status == 200
            except (OSError, wire.Closed, AssertionError) as error:
                failures.append(repr(error))

    asking = threading.Thread(target=ask)
    asking.start()
    gate.signal(signal.SIGUSR2)
    try:
        wire.eventually(lambda: gate.process.poll() is not None, within=15)
        time.sleep(0.5)
        assert gate.ask().status == 200
        successor = successors_of(gate)
    finally:
        done.set()
        asking.join()
        for pid in successors_of(gate):
            os.kill(pid, signal.SIGTERM)
    assert not failures, failures[:3]
    assert successor


@pytest.mark.parametrize("number", [8, 14, 20, 26])
def test_a_successor_closes_nothing_of_its_own(gatehouse, backend, number):
    """The first program's --ready-fd is a number: in the second one it's a listening socket, an epoll set, anything."""
    gate = gatehouse.prepare(backend()).start(ready_fd=number)
    gate.signal(signal.SIGUSR2)
    wire.eventually(lambda: gate.process.poll() is not None, within=15)
    try:
        for _ in range(16):
            assert gate.ask(timeout=3).status == 200
        assert gate.command("status").returncode == 0
    finally:
        for pid in successors_of(gate):
            os.kill(pid, signal.SIGTERM)


def successors_of(gate):
    return [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != gate.process.pid
            and str(gate.config_path) in command_line(path)]  # fmt: skip


def command_line(path):
    try:
        return (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


# status, doctor, privileges


def test_status(gatehouse, backend):
    gate = gatehouse(backend())
    gate.ask()
    status = json.loads(gate.command("status", "--json").stdout)
    assert status["generation"] >= 1
    assert gate.command("status").returncode == 0


def test_doctor(gatehouse, backend):
    gate = gatehouse.prepare(backend())
    gate.write()
    run = gate.command("doctor")
    assert run.returncode in (0, 1) and run.stdout


def test_admin_wants_a_token_on_a_port(gatehouse, backend):
    gate = gatehouse(backend(), admin={"address": "127.0.0.1:0", "token": "correct-horse-battery-staple"})
    address = gate.parse(gate.ready["admin"])
    assert wire.ask(address, target="/v1/status", host="127.0.0.1").status in (401, 403)
    wrong = wire.ask(address, target="/v1/status", host="127.0.0.1", fields={"Authorization": "Bearer wrong"})
    assert wrong.status in (401, 403)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up")
def test_root_is_given_up(gatehouse, backend):
    gate = gatehouse.prepare(backend(), process={"sandbox": True}).start(environment=gateway.SANDBOXED)
    status = pathlib.Path(f"/proc/{gate.process.pid}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(facts["Uid"].split()) == {facts["Uid"].split()[0]} and facts["Uid"].split()[0] != "0"
    assert set(facts["Gid"].split()) != {"0"} and facts["Groups"].strip() in ("", facts["Gid"].split()[0])
    assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == int(facts["CapBnd"], 16) == int(facts["CapInh"], 16) == 0
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
    for task in pathlib.Path(f"/proc/{gate.process.pid}/task").iterdir():
        assert "Seccomp:\t2" in (task / "status").read_text(), "every thread"
    assert gate.ask().status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to open a low port")
def test_a_low_port_stays_open_over_a_reload(gatehouse, backend):
    """Opened as root, kept when the configuration changes around it."""
    for port in (987, 876, 765):
        try:
            with wire.socket.create_server(("127.0.0.1", port)):
                break
        except OSError:
            continue
    gate = gatehouse(backend(), listeners=[gateway.Gateway.listener(address=f"127.0.0.1:{port}")])
    gate.config["routes"] = routed("new")
    assert gate.reload().returncode == 0
    assert gate.record_of(gate.ask())["route"] == "new"
