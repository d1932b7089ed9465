"""People who sign in over the pages, for bench/identity: forms fetched beforehand, so that what is measured is a POST of
name and password to /login, with all that comes of it: an Argon2 computation, a session, its cookie."""

import os
import re
import sqlite3
import subprocess
import tempfile

import load
import provider

PASSWORD = "correct horse battery staple"  # of identity_bench's user1


def login_request(target, browser, name, password):
    """Opens the login page as a browser does, and returns the bytes that its form would send."""
    page = browser.get(target.issuer + "/login")
    for _ in range(3):
        if not page.is_redirect:
            break
        page = browser.get(page.location)
    form = next(form for form in page.forms() if form.has("password"))
    fields = form.filled({"username": name, "password": password})
    place = form.action.removeprefix(target.issuer)
    head = {
        "Origin": target.issuer, "Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
    }  # fmt: skip
    return provider.request("POST", place, provider.host_of(target), head, provider.form(fields))


def prepare(target, folder, name, people, count):
    """`count` forms, filled in for `people` in turn; each is good once, and each is a browser of its own."""
    texts, connections = [], provider.agent.Agent(target.ca)
    for number in range(count):
        connections.cookies = {}
        user, password = people[number % len(people)]
        texts.append(login_request(target, connections, user, password))
    return provider.write_requests(folder, name, texts)


def give_passwords(database, names):
    """The password of user1, for others: the same pepper, so the same text is good for all."""
    with sqlite3.connect(database) as opened:
        found = opened.execute("SELECT password, password_at FROM users WHERE username = 'user1'").fetchone()
        opened.executemany("UPDATE users SET password = ?, password_at = ? WHERE username = ?", [(*found, name) for name in names])
        opened.commit()


def hash_seconds(tool, data=None, users=1000):
    """What one Argon2 computation takes while nothing else runs, by identity_bench; with `data` it also leaves a store with
    `users` people and as many sessions there. The rest of its line, too."""
    environment = {**os.environ, "GATEHOUSE_BENCH_USERS": str(users)}
    if data:
        environment["GATEHOUSE_BENCH_DATA"] = str(data)
    run = subprocess.run([tool, "--benchmark_filter=BM_Logins", "--benchmark_format=csv"], env=environment, check=True,
                         capture_output=True, text=True)  # fmt: skip
    lines = [line for line in run.stdout.splitlines() if line]
    names = next(line for line in lines if line.startswith("name,")).split(",")
    row = dict(zip(names, next(line for line in lines if "BM_Logins" in line).split(",")))
    found = {name.strip('"'): value for name, value in row.items()}
    return float(found["hash_ms"]) / 1000, {name: float(found[name]) for name in ("logins_per_s", "of_cores_by_hash", "hash_of_cpu")}


def session_token(number):
    return "A" * (43 - len(str(number))) + str(number)  # as identity_bench makes them


def steady(port, seconds, per_second, connections=4):
    """Starts a load that never changes, on a route beside: h2load over HTTP/1.1. It has precedence on the processor, as a
    client on a machine of its own would; `latencies` gives microseconds, sorted."""
    log = tempfile.NamedTemporaryFile("r", suffix=".log")
    command = ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", f"--rps={per_second / connections}", "--log-file", log.name,
               f"--connect-to=127.0.0.1:{port}", f"http://{provider.API_HOST}/products/p-1001"]  # fmt: skip
    if os.geteuid() == 0:
        command = ["nice", "-n", "-10", *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, log


def latencies(process, log):
    out = process.communicate()[0]
    if process.returncode != 0 or not re.search(r"succeeded", out):
        raise SystemExit(f"h2load failed: {out}")
    lines = [line.split("\t") for line in log.read().splitlines()]
    bad = [line for line in lines if line[1] != "200"]
    if bad or not lines:
        raise SystemExit(f"traffic beside the logins failed: {bad[:3]}")
    log.close()
    return sorted(int(line[2]) for line in lines)


def percentile(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def run(measured, files, seconds, connections):
    """One load of logins. Each of them is right: refusals are told as a figure, and many are no measurement."""
    sample = load.measure_files(measured, files, None, seconds, connections)
    if sample.errors or sample.refused * 100 > sample.requests:
        raise SystemExit(f"of {sample.requests} logins {sample.refused} were refused, {sample.errors} failed (prepared: {len(files)})")
    if sample.requests > len(files):
        raise SystemExit(f"{sample.requests} logins, and only {len(files)} prepared")
    return sample
