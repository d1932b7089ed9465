"""One provider for the whole run: OIDC_TARGET says which (`node`, the default, or `gatehouse`).

A check that the target's `differences` name must fail, and is shown with the reason. At the end one table says how every
check went, with the section it stands for; OIDC_TABLE names a file that gets it as JSON.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import agent as browsers  # noqa: E402
import differences  # noqa: E402
import relying  # noqa: E402
import targets  # noqa: E402

NAME = os.environ.get("OIDC_TARGET", "node")
TARGET = targets.TARGETS[NAME]

# RFC 9700's lines of the design's list; each must have a check that tries the attack.
BCP = {
    "redirect-exact": "exact redirect match",
    "redirect-loopback": "the loopback's port is the exception",
    "pkce-demanded": "a verifier is demanded when a challenge was sent",
    "pkce-downgrade": "a verifier is refused when no challenge was sent",
    "refresh-replay": "refresh tokens of public clients are rotated, and replay revokes the family",
    "refresh-bound": "refresh tokens are bound to scope, resource and client",
    "sender-constrained": "sender-constrained tokens are useless to others",
    "code-once": "codes are for once; reuse revokes what they gave",
    "login-before-redirect": "the user authenticates before any redirect",
    "no-frames": "frames are refused",
    "see-other": "303 after credentials, never 307",
    "no-cors-at-authorize": "no CORS at the authorization endpoint",
    "no-token-in-query": "no tokens in queries",
    "no-postmessage": "no wildcard postMessage",
    "no-implicit": "no implicit grant, no password grant",
    "mix-up": "the issuer is named in the response",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "bcp(line): the line of RFC 9700 that this check attacks")
    config.oidc_rows, config.oidc_collected = {}, set()


def pytest_collection_modifyitems(config, items):
    named = set()
    for item in items:
        for mark in item.iter_markers("bcp"):
            assert mark.args[0] in BCP, f"{item.nodeid}: no line {mark.args[0]}"
            config.oidc_collected.add(mark.args[0])
        why, entry = differences.reason(TARGET.differences, f"{item.path.stem}::{item.name}")
        if why is None:
            why, entry = differences.reason(TARGET.differences, f"{item.path.stem}::{item.originalname or item.name}")
        if why:
            item.add_marker(pytest.mark.xfail(strict=True, reason=why))
            named.add(entry)
    modules = {item.path.stem for item in items}
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    lost = {entry for entry in set(TARGET.differences) - named if entry.split("::")[0] in modules}
    if lost and not chosen:
        raise pytest.UsageError(f"differences.py names what is no check: {', '.join(sorted(lost))}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    about = ((item.function.__doc__ or "").strip().split("\n")[0]).strip()
    if report.when == "call" or report.outcome != "passed":
        outcome = "difference" if hasattr(report, "wasxfail") and report.outcome == "skipped" else report.outcome
        why = getattr(report, "wasxfail", "") or (str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else "")
        item.config.oidc_rows[item.nodeid] = {"check": item.name, "about": about, "result": outcome, "why": why}


def pytest_terminal_summary(terminalreporter, config):
    rows = config.oidc_rows
    if not rows:
        return
    terminalreporter.section(f"checks against {NAME}")
    shown = config.option.verbose > 0
    for node, row in rows.items():
        if shown or row["result"] not in ("passed",):
            why = f" -- {row['why']}" if row["why"] else ""
            terminalreporter.write_line(f"{row['result']:<10} {row['check']:<70} {row['about']}{why}")
    counted = {}
    for row in rows.values():
        counted[row["result"]] = counted.get(row["result"], 0) + 1
    terminalreporter.write_line(", ".join(f"{number} {result}" for result, number in sorted(counted.items())))
    if path := os.environ.get("OIDC_TABLE"):
        pathlib.Path(path).write_text(json.dumps({"target": NAME, "checks": rows}, indent=1))


@pytest.fixture(scope="session", autouse=True)
def node_packages():
    """What package-lock.json pins, installed when it isn't there."""
    installed, wanted = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(HERE)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stdout + run.stderr
        os.utime(installed)


@pytest.fixture(scope="session")
def bell(tmp_path_factory):
    """Receives back-channel logout messages: a server of HTTPS with the tests' own certificate."""
    import receiver

    ears = receiver.Receiver()
    yield ears
    ears.stop()


def started(**options):
    reason = getattr(TARGET, "missing", lambda: None)()
    if reason:
        pytest.skip(reason)
    target = TARGET(**options)
    try:
        target.start()
        yield target
    finally:
        target.stop()


@pytest.fixture(scope="session")
def target(node_packages, bell):
    for one in started(logout_receiver=bell.url, prepare=bell.serve):
        yield one


@pytest.fixture(scope="session")
def hasty(node_packages):
    """A second provider, where what expires does so within seconds."""
    yield from started(hasty=True)


def discovered(target):
    http = browsers.Agent(target.ca)
    answer = http.get(target.issuer + "/.well-known/openid-configuration")
    assert answer.status == 200, answer
    metadata = answer.json()
    target.issuer_claim = metadata["issuer"]
    return metadata


@pytest.fixture(scope="session")
def metadata(target):
    return discovered(target)


@pytest.fixture
def http(target):
    return browsers.Agent(target.ca, accept="application/json")


@pytest.fixture
def rp(target, metadata):
    """rp("web"): the registered client of that name."""
    return lambda name: relying.Relying(target, metadata, target.clients[name])


@pytest.fixture
def hasty_rp(hasty):
    found = discovered(hasty)
    return lambda name: relying.Relying(hasty, found, hasty.clients[name])


@pytest.fixture(scope="session")
def careful(node_packages):
    """A provider that demands nonces of DPoP proofs."""
    yield from started(nonces=True)


@pytest.fixture
def careful_rp(careful):
    found = discovered(careful)
    return lambda name: relying.Relying(careful, found, careful.clients[name])


@pytest.fixture
def web(rp):
    return rp("web")


@pytest.fixture(scope="session")
def chromium(target):
    """The DevTools address of a Chromium whose certificate store holds the tests' authority."""
    import chromium as browser

    started = browser.Chromium(target.folder / "chromium", target.ca)
    yield started.url
    started.stop()


@pytest.fixture
def person(target):
    """person(): a new user."""
    return target.person


def pytest_sessionfinish(session):
    if getattr(session.config, "oidc_collected", None) and len(session.items) > 100:
        missing = set(BCP) - session.config.oidc_collected
        if missing:
            session.exitstatus = 1
            print(f"\nno check attacks these lines of RFC 9700: {', '.join(sorted(missing))}")
