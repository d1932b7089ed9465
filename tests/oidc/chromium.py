"""The distribution's Chromium, headless, with a home of its own. Its scripts connect by the DevTools protocol."""

import os
import subprocess
import time

START_SECONDS = 60


class Chromium:
    def __init__(self, home, ca):
        """Trusts `ca` and checks certificates as always."""
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        for command in (["-N", "--empty-password"], ["-A", "-n", "tests", "-t", "C,,", "-i", ca]):
            subprocess.run(["certutil", "-d", f"sql:{store}", *command], check=True, capture_output=True, timeout=60)
        profile = home / "profile"
        self.log = open(home / "output.log", "wb")
        self.process = subprocess.Popen(
            ["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, "HOME": str(home)}, start_new_session=True)  # fmt: skip
        told, deadline = profile / "DevToolsActivePort", time.monotonic() + START_SECONDS
        while not (told.exists() and told.read_text().count("\n")):
            assert time.monotonic() < deadline and self.process.poll() is None, (home / "output.log").read_text()
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{told.read_text().splitlines()[0]}"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self.log.close()
