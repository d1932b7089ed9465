#!/usr/bin/env python3
"""Builds and runs every test, stage by stage; scripts/test calls it after scripts/setup.

The last line is always `N passed, N failed, N skipped`: GoogleTest cases, corpora, style checks and end-to-end tests
together. A stage that cannot be built counts as one failure. Each stage's full output is in build/test-logs/.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test-logs"
PYTHON = "/usr/bin/python3"  # Debian's: the one that sees the packages of scripts/setup
TAIL_LINES = 60
AGAIN_MAX = 5  # end-to-end tests that are tried a second time


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def logged(name, command, **environment):
    """Runs a command with its output in the log; True when it exited with 0."""
    with open(LOGS / f"{name}.log", "ab") as log:
        log.write(f"$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        run = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             env={**os.environ, **environment})  # fmt: skip
    return run.returncode == 0


def count_junit(path):
    """The counts of a JUnit file (pytest's and ctest's), and the names of what failed."""
    count, failed = Count(), []
    if not path.exists():
        return Count(failed=1), [f"no {path.name}"]
    for case in xml.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
            failed.append("::".join(filter(None, (case.get("classname"), case.get("name")))))
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    return count, failed


def run_style():
    count = Count()
    for check in ("style.py", "include_direction.py", "format.py", "headers.py"):
        good = logged("style", [PYTHON, f"tests/style/{check}"])
        count += Count(passed=1) if good else Count(failed=1)
    junit = LOGS / "style.xml"
    logged("style", [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "tests/style"])
    count += count_junit(junit)[0]
    return count


def run_unit(stage, preset):
    """Builds everything of a preset and runs its ctest. GoogleTest cases are counted one by one; a binary that died
    before it could write its report counts as one failure."""
    if not logged(stage, ["scripts/build", preset]):
        return Count(failed=1)
    reports = LOGS / f"{stage}-gtest"
    shutil.rmtree(reports, ignore_errors=True)
    junit = LOGS / f"{stage}.xml"
    logged(stage, ["ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "-j", str(os.cpu_count()),
                  "--output-junit", str(junit)], GTEST_OUTPUT=f"json:{reports}/")  # fmt: skip
    _, dead = count_junit(junit)
    count = Count()
    reported = 0
    for report in reports.glob("*.json"):
        result = json.loads(report.read_text())
        skipped = sum(case.get("result") == "SKIPPED" for suite in result["testsuites"] for case in suite["testsuite"])
        count += Count(result["tests"] - result["failures"] - skipped, result["failures"], skipped)
        reported += 1
        if result["failures"]:
            dead = [test for test in dead if f"{test.split('::')[-1]}_test" != report.stem]
    total = sum(1 for _ in xml.parse(junit).getroot().iter("testcase")) if junit.exists() else 0
    count += Count(passed=max(0, total - reported - len(dead)), failed=len(dead))
    return count


def run_e2e(stage="e2e", preset="release", tests=("tests/e2e",), **environment):
    """The end-to-end tests against a preset's binary. A sanitizer's report is a failure: see gateway.py."""
    if not logged(stage, ["scripts/build", preset, "gatehouse"]):
        return Count(failed=1)
    environment["GATEHOUSE_BIN"] = str(ROOT / "build" / preset / "gatehouse")
    junit, again = LOGS / f"{stage}-e2e.xml", LOGS / f"{stage}-e2e-again.xml"
    junit.unlink(missing_ok=True)
    pytest = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE"]
    logged(stage, [*pytest, "--durations=15", f"--junitxml={junit}", *tests], **environment)
    count, failed = count_junit(junit)
    if not 0 < len(failed) <= AGAIN_MAX or preset != "release":
        return count
    # A few may have failed for the machine's sake: each must pass alone, and is named.
    nodes = [name.split("::", 1)[0].replace(".", "/") + ".py::" + name.split("::", 1)[1] for name in failed]
    logged(stage, [*pytest, f"--junitxml={again}", *nodes], **environment)
    second, still = count_junit(again)
    print("passed only the second time: " + (", ".join(sorted(set(failed) - set(still))) or "none"))
    return Count(count.passed + second.passed, second.failed, count.skipped + second.skipped)


def run_sanitized(preset, tests, **environment):
    """A sanitizer over the unit tests, then over the whole program."""
    count = run_unit(preset, preset)
    count += run_e2e(preset, preset, tests, **environment)
    return count


def run_oidc(target):
    """The outside suite of the provider. `node` proves the suite; `gatehouse` is what it is for."""
    stage = f"oidc-{target}"
    if target == "gatehouse" and not logged(stage, ["scripts/build", "release", "gatehouse"]):
        return Count(failed=1)
    junit = LOGS / f"{stage}.xml"
    junit.unlink(missing_ok=True)
    logged(stage, [PYTHON, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-rfE", "--tb=short", "--durations=10",
                   f"--junitxml={junit}", "tests/oidc"], OIDC_TARGET=target, OIDC_TABLE=str(LOGS / f"{stage}.json"),
           GATEHOUSE_BIN=str(ROOT / "build" / "release" / "gatehouse"))  # fmt: skip
    count, _ = count_junit(junit)
    table = LOGS / f"{stage}.json"
    if count.skipped and table.exists():
        reasons = [row["why"].removeprefix("Skipped: ") for row in json.loads(table.read_text())["checks"].values() if row["why"]]
        for reason, times in collections.Counter(reasons).most_common():
            print(f"  {times} x {reason}")
    return count


def run_pages():
    """Every login page and the dashboard in Chromium. What is not there is a failure: scripts/setup brings Chromium and npm."""
    if not logged("pages", ["scripts/build", "release", "identity_test", "gatehouse"]):
        return Count(failed=1)
    if not logged("pages", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", "tests/pages"]):
        return Count(failed=1)
    if not logged("pages", ["npm", "run", "--prefix", "ui", "check"]):
        return Count(failed=1)
    junit = LOGS / "pages.xml"
    junit.unlink(missing_ok=True)
    logged("pages", [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", f"--junitxml={junit}", "tests/pages"],
           IDENTITY_TEST_BIN=str(ROOT / "build" / "release" / "src" / "identity_test"),
           GATEHOUSE_BIN=str(ROOT / "build" / "release" / "gatehouse"))  # fmt: skip
    return count_junit(junit)[0]


STAGES = {
    "style": run_style,
    "unit": lambda: run_unit("unit", "release"),
    "asan": lambda: run_sanitized("asan", ["tests/e2e"]),
    "tsan": lambda: run_sanitized("tsan", ["tests/e2e/test_races.py", "tests/e2e/test_operation.py"], GATEHOUSE_LONG="1"),
    "e2e": run_e2e,
    "oidc-node": lambda: run_oidc("node"),
    "oidc-gatehouse": lambda: run_oidc("gatehouse"),
    "pages": run_pages,
}
DEFAULT = ("style", "unit", "e2e", "oidc-node", "oidc-gatehouse", "pages")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", choices=[[], *STAGES], metavar="stage",
                        help=f"of {', '.join(STAGES)}; by default {', '.join(DEFAULT)}")  # fmt: skip
    stages = parser.parse_args().stages or DEFAULT
    LOGS.mkdir(parents=True, exist_ok=True)
    total = Count()
    for stage in stages:
        log = LOGS / f"{stage}.log"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        print(f"{stage:<6} ...", flush=True)
        count = STAGES[stage]()
        total += count
        print(f"{stage:<6} {count}  ({time.monotonic() - began:.0f} s)", flush=True)
        if count.failed:
            lines = log.read_text(errors="replace").splitlines()
            print(f"--- {log.relative_to(ROOT)}, last {min(TAIL_LINES, len(lines))} of {len(lines)} lines")
            print("\n".join(lines[-TAIL_LINES:]))
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
