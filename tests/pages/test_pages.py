"""Every login page in Chromium: WCAG 2.2 AA by axe-core, the CSP, the console, the width. Skips without its packages.

    npm ci --prefix tests/pages && python3 -m pytest tests/pages
"""

import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BINARY = pathlib.Path(os.environ.get("IDENTITY_TEST_BIN", HERE.parents[1] / "build/dev/src/identity_test"))


def test_every_page_in_a_browser(tmp_path):
    if not (HERE / "node_modules").is_dir() or not BINARY.exists() or not shutil.which("chromium"):
        pytest.skip("needs npm ci in tests/pages, identity_test and Chromium")
    subprocess.run(
        [BINARY, "--gtest_filter=Views.AreWrittenForTheBrowser"],
        env={**os.environ, "GATEHOUSE_PAGES_OUT": str(tmp_path)}, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    seen = subprocess.run(["node", HERE / "look.mjs", tmp_path], capture_output=True, text=True, timeout=1200)
    assert seen.returncode == 0, seen.stdout[-4000:] + seen.stderr[-4000:]
    assert len(list(tmp_path.glob("*.html"))) > 150
