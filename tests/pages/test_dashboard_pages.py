"""The dashboard of a running gateway in Chromium, while requests come in, hostile ones among them.

    npm ci --prefix tests/pages && GATEHOUSE_BIN=build/dev/gatehouse python3 -m pytest tests/pages/test_dashboard_pages.py
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

TOKEN = "correct-horse-battery-staple"
PATHS = ["/products", "/products/7", "/orders/1", "/search?q=1", "/..%2f..%2fetc/passwd",
         "/<script>alert(1)</script>", '/"onmouseover="alert(1)', "/%3Cimg%20src=x%20onerror=alert(1)%3E",
         "/%e2%80%ae%c2%85%00", "/' or 1=1 --", "/" + "a" * 3000]  # fmt: skip


@contextlib.contextmanager
def busy_gateway():
    import gateway
    import upstream
    import wire

    backend = upstream.Upstream(upstream.well())
    gate = gateway.Gateway(
        {"orders": [backend], "catalogue": [backend, "http://127.0.0.1:9"]},
        admin={"address": "127.0.0.1:0", "token": TOKEN},
        routes=[
            {"name": "orders", "match": {"path": "/orders/**"}, "service": "orders"},
            {"name": "search", "match": {"path": "/search"}, "service": "catalogue", "public": True,
             "rate_limit": [{"key": "client_ip", "rate": "5/s", "burst": 10}]},
            {"name": "all", "match": {"path": "/**"}, "service": "orders", "public": True},
        ],
    )  # fmt: skip
    over = threading.Event()

    def ask():
        while not over.wait(0.2):
            for path in PATHS:
                wire.ask(gate.address(), wire.request("GET", path, fields={"user-agent": "<b>", "connection": "close"}))

    try:
        gate.start()
        asking = threading.Thread(target=ask)
        asking.start()
        yield gate
        over.set()
        asking.join()
    finally:
        over.set()
        gate.discard()
        backend.stop()


def look(script, *arguments):
    binary = pathlib.Path(os.environ.get("GATEHOUSE_BIN", HERE.parents[1] / "build/release/gatehouse"))
    if not (HERE / "node_modules").is_dir() or not binary.exists() or not shutil.which("chromium"):
        pytest.skip("needs npm ci in tests/pages, gatehouse and Chromium")
    with busy_gateway() as gate:
        seen = subprocess.run(["node", HERE / script, f"http://{gate.ready['admin']}", *arguments],
                              capture_output=True, text=True, timeout=900)  # fmt: skip
    assert seen.returncode == 0, seen.stdout[-2000:] + seen.stderr[-6000:]
    print(seen.stdout)


def test_the_dashboard_in_a_browser():
    look("dashboard.mjs", TOKEN)


def test_every_page_looks_as_it_did_and_no_text_acts():
    """Against docs/dashboard; to write those anew: GATEHOUSE_PICTURES=write."""
    look("pictures.mjs", HERE.parents[1] / "docs/dashboard", os.environ.get("GATEHOUSE_PICTURES", "compare"))
