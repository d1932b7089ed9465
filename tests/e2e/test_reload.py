"""What a reload takes over besides routes: the access log, the metrics page; and what it says needs a restart."""

import json
import threading

import pytest

import wire
from upstream import well


def paths_in(path):
    return [json.loads(line)["path"] for line in path.read_text().splitlines()]


def test_another_access_log(gatehouse, backend):
    """While requests go on: the old file has the lines until then, the new one those after, none is lost or twice."""
    gate = gatehouse(backend(well()))
    asked, done = [], threading.Event()

    def ask():
        while not done.is_set():
            path = f"/{len(asked)}"
            assert gate.ask(wire.request("GET", path)).status == 200
            asked.append(path)

    asking = threading.Thread(target=ask)
    asking.start()
    logs = [gate.log_path]
    for number in range(5):
        wire.eventually(lambda: len(asked) > 50 * (number + 1))
        logs.append(gate.dir / f"access-{number}.log")
        gate.config["telemetry"]["access_log"]["to"] = str(logs[-1])
        run = gate.reload()
        assert run.returncode == 0 and str(logs[-1]) in run.stdout, run.stdout + run.stderr
    wire.eventually(lambda: len(asked) > 300)
    done.set()
    asking.join()
    wire.eventually(lambda: sum(len(paths_in(log)) for log in logs) >= len(asked))
    lines = [path for log in logs for path in paths_in(log)]
    assert sorted(lines) == sorted(asked)
    assert all(paths_in(log) for log in logs)


def test_another_format_of_the_same_file(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.ask(wire.request("GET", "/one"))
    gate.config["telemetry"]["access_log"]["format"] = "common"
    assert gate.reload().returncode == 0
    gate.ask(wire.request("GET", "/two"))
    gate.config["telemetry"]["access_log"]["format"] = "json"
    assert gate.reload().returncode == 0
    gate.ask(wire.request("GET", "/three"))
    lines = wire.eventually(lambda: (found := gate.log_path.read_text().splitlines()) and len(found) >= 3 and found)
    assert json.loads(lines[0])["path"] == "/one" and json.loads(lines[2])["path"] == "/three"
    assert '"GET /two HTTP/1.1" 200' in lines[1]


def test_the_access_log_off_and_on(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.config["telemetry"]["access_log"]["to"] = "off"
    assert gate.reload().returncode == 0
    gate.ask(wire.request("GET", "/unseen"))
    gate.config["telemetry"]["access_log"]["to"] = str(gate.log_path)
    assert gate.reload().returncode == 0
    gate.ask(wire.request("GET", "/seen"))
    wire.eventually(lambda: "/seen" in paths_in(gate.log_path))
    assert "/unseen" not in paths_in(gate.log_path)


@pytest.mark.parametrize("to", ["/nonexistent/access.log", "/proc/version"])
def test_an_access_log_that_cannot_be_opened_refuses_the_reload(gatehouse, backend, to):
    gate = gatehouse(backend(well()))
    generation = gate.generation()
    gate.config["telemetry"]["access_log"]["to"] = to
    gate.write()
    for command in (("reload", "--dry-run"), ("reload",)):
        run = gate.command(*command)
        assert run.returncode == 2 and to in run.stdout and "access_log" in run.stdout, run.stdout
    assert gate.generation() == generation
    gate.ask(wire.request("GET", "/still-logged"))
    wire.eventually(lambda: "/still-logged" in paths_in(gate.log_path))


def test_the_counters_of_the_access_log_go_on(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_access_log_bytes_total") > 0)
    before = gate.metric("gatehouse_access_log_bytes_total")
    gate.config["telemetry"]["access_log"]["to"] = str(gate.dir / "second.log")
    assert gate.reload().returncode == 0
    gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_access_log_bytes_total") > before)


def test_the_metrics_page_moves(gatehouse, backend):
    gate = gatehouse(backend(well()))
    old = gate.parse(gate.ready["metrics"])
    path = f"{gate.dir}/metrics.sock"
    gate.config["telemetry"]["metrics"] = {"address": f"unix:{path}"}
    assert gate.reload().returncode == 0
    answer = wire.ask(path, wire.request("GET", "/metrics", host="localhost"))
    assert answer.status == 200 and b"gatehouse_config_generation 2" in answer.body
    with pytest.raises((OSError, wire.Closed)):
        wire.ask(old, wire.request("GET", "/metrics", host="127.0.0.1"))
    del gate.config["telemetry"]["metrics"]
    assert gate.reload().returncode == 0
    with pytest.raises((OSError, wire.Closed)):
        wire.ask(path, wire.request("GET", "/metrics", host="localhost"))
    assert gate.command("status").returncode == 0


def test_a_metrics_address_that_is_taken_refuses_the_reload(gatehouse, backend):
    gate = gatehouse(backend(well()))
    with wire.socket.create_server(("127.0.0.1", 0)) as taken:
        gate.config["telemetry"]["metrics"] = {"address": f"127.0.0.1:{taken.getsockname()[1]}"}
        run = gate.reload()
        assert run.returncode == 2 and "telemetry.metrics" in run.stdout
    assert gate.metric("gatehouse_config_generation") == 1, "the page stays where it was"


def test_what_needs_a_restart_is_said(gatehouse, backend):
    gate = gatehouse(backend(well()), process={"shards": 1})
    gate.config["process"]["shards"] = 2
    gate.config["routes"][0]["name"] = "renamed"
    gate.write()
    dry = gate.command("reload", "--dry-run")
    assert "process.shards: 1 → 2 (needs a restart)" in dry.stdout and "not before a restart: process.shards" in dry.stdout
    run = gate.command("reload")
    assert run.returncode == 0 and "not before a restart: process.shards" in run.stdout
    assert "renamed" in run.stdout and not [line for line in run.stdout.splitlines() if "renamed" in line and "restart" in line]
    again = json.loads(gate.command("reload", "--json").stdout)
    assert again["changes"] == [] and again["needs_restart"] == ["process.shards"], "said until it is done"
    assert json.loads(gate.command("status", "--json").stdout)["needs_restart"] == ["process.shards"]
    assert "needs a restart  process.shards" in gate.command("status").stdout
    gate.config["process"]["shards"] = 1
    assert "restart:" not in gate.reload().stdout


def test_another_data_folder(gatehouse, backend):
    """Made by the reload, with what belongs into it."""
    gate = gatehouse(backend(well()))
    gate.config["data_dir"] = str(gate.dir / "other" / "data")
    run = gate.reload()
    assert run.returncode == 0, run.stdout
    assert (gate.dir / "other" / "data" / "identity.pem").exists()
