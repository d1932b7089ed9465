"""`gatehouse waf stats`: which rules match, what they cost, which never match; over shards and reloads."""

import json
import threading

import gateway
import pytest
import waf_rules
import wire

ATTACK, ODD, GOOD = "/?q=attack", "/?q=odd", "/?q=lamp"
# A pattern that no scan can rule out, on a value that takes it long: negated, so that it is evaluated each time.
SLOW = waf_rules.SMALL + r"""
SecRule REQUEST_HEADERS:X-Long "!@rx ^(?:(?:a|b|ab)+c|.*never)$" "id:900,phase:1,pass,nolog"
SecRule ARGS "@rx nowhere" "id:901,phase:2,pass,log,msg:'Nowhere to be seen'"
"""


def ask_all(gate, targets, fields=None):
    """Over one connection."""
    with gate.connect() as connection:
        for target in targets:
            connection.send(wire.request("GET", target, fields=fields or {}))
            assert connection.answer().status in (200, 403)


def stats(gate, *arguments):
    """What the API answers; the shards' last request may just be under way to the counters."""
    ran = gate.command("waf", "stats", "--json", *arguments)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def hits(answer):
    return {rule["rule"]: rule["hits"] for rule in answer["rules"]}


@pytest.fixture
def armed(gatehouse, backend):
    def start(rules=waf_rules.SMALL, **keys):
        gate = gatehouse.prepare(backend(), waf={"mode": "enforce"}, **keys)
        gate.config["waf"]["rules"] = [waf_rules.small(gate, text=rules)]
        return gate.start()

    return start


def test_hits_are_exact_over_all_shards(armed):
    gate = armed(SLOW, process={"shards": 3})
    nothing = stats(gate)
    assert (nothing["requests"], nothing["rules"]) == (0, [])
    assert nothing["never_matched"] == nothing["log"] > 5
    threads = [threading.Thread(target=ask_all, args=(gate, [ATTACK] * 3 + [ODD] * 5 + [GOOD] * 20)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer = stats(gate)
    assert list(hits(answer).items()) == [(101, 50), (100, 30), (949110, 30)], "the most frequent first, then by id"
    assert answer["requests"] == 280 and 0 < answer["timed"] < 280
    assert answer["never_matched"] == nothing["never_matched"] - 3
    first = answer["rules"][0]
    assert (first["message"], first["phase"], first["paranoia"], first["logs"], first["in_force"]) == ("Something odd", 2, 1, True, True)
    assert first["file"].endswith("rules.conf") and first["line"] == waf_rules.SMALL[: waf_rules.SMALL.index('"@rx odd"')].count("\n") + 1
    assert hits(stats(gate, "--all"))[901140] == 280, "set-up matches in each"
    assert hits(stats(gate, "--limit", "1")) == {101: 50}
    never = hits(stats(gate, "--never"))
    assert 901 in never and not set(never) & {101, 100, 949110, 900} and set(never.values()) == {0}


def test_the_costly_rule_is_found(armed):
    gate = armed(SLOW)
    ask_all(gate, [GOOD, ATTACK] * 250, fields={"X-Long": "ab" * 500})
    answer = stats(gate, "--by", "cost")
    assert answer["requests"] == 500 and 10 < answer["timed"] < 300
    rules = answer["rules"]
    assert rules[0]["rule"] == 900 and rules[0]["hits"] == 500
    assert 0 < rules[0]["mean_ns"] <= rules[0]["worst_ns"]
    assert rules[0]["mean_ns"] > 3 * rules[len(rules) // 2]["mean_ns"], "the list is in order, and it stands out"
    assert 901 not in hits(answer), "the scan rules it out: it is never evaluated"
    for rule in rules:
        assert 0 < rule["evaluations"] <= answer["timed"]
    # The shares are of one whole, and the means make up the mean.
    parts = {part["part"]: part for part in answer["parts"]}
    assert sum(part["share"] for part in parts.values()) == pytest.approx(1, abs=0.001)
    assert sum(rule["share"] for rule in rules) == pytest.approx(parts["rules"]["share"], abs=0.01)
    assert sum(part["mean_ns"] for part in parts.values()) == pytest.approx(answer["mean_ns"], rel=0.01)
    assert parts["reading"]["mean_ns"] > 0 and parts["scanning"]["mean_ns"] > 0


def test_the_table(armed):
    gate = armed(SLOW)
    ask_all(gate, [ATTACK] * 3 + [ODD] * 2)
    ran = gate.command("waf", "stats")
    assert ran.returncode == 0 and not ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("5 requests inspected since 20") and lines[0].endswith("rules in force")
    assert lines[2].split() == ["rule", "hits", "evaluated", "mean", "worst", "share", "message"]
    assert [line.split()[:2] for line in lines[3:6]] == [["100", "3"], ["949110", "3"], ["101", "2"]]
    assert lines[5].endswith("Something odd")
    assert len({line.rindex(text) for line, text in zip(lines[2:], ("message", "An attack", "Inbound Anomaly", "Something"), strict=False)}) == 1
    assert "rules that log have never matched: gatehouse waf stats --never" in ran.stdout
    assert "about one request in 64 at random" in ran.stdout
    cost = gate.command("waf", "stats", "--by", "cost").stdout
    assert "No request has been timed yet." in cost or "scanning for the patterns of all rules" in cost
    assert "Nowhere to be seen" in gate.command("waf", "stats", "--never").stdout


def test_counters_go_on_over_a_reload_with_other_rules(armed):
    gate = armed()
    ask_all(gate, [ATTACK] * 4 + [ODD] * 2)
    without_odd = "\n".join(block for block in waf_rules.SMALL.replace("\\\n", "").splitlines() if "id:101," not in block)
    waf_rules.small(gate, text=without_odd + "\nSecRule ARGS \"@contains odd\" \"id:777,phase:2,pass,log,msg:'Odd anew'\"\n")
    assert gate.reload().returncode == 0
    ask_all(gate, [ATTACK] * 3 + [ODD])
    rules = {rule["rule"]: rule for rule in stats(gate)["rules"]}
    assert {rule: one["hits"] for rule, one in rules.items()} == {100: 7, 949110: 7, 101: 2, 777: 1}
    assert not rules[101]["in_force"] and "file" not in rules[101] and rules[777]["in_force"]
    assert rules[777]["since"] > rules[100]["since"]
    assert "(no longer in force) Something odd" in gate.command("waf", "stats").stdout
    gate.config["waf"]["mode"] = "off"
    assert gate.reload().returncode == 0
    answer = stats(gate)
    assert answer["in_force"] == 0 and hits(answer)[100] == 7
    assert "No route is inspected" in gate.command("waf", "stats").stdout


def test_reading_while_rules_are_reloaded_under_load(armed):
    gate = armed(process={"shards": 2})
    stop, failed = threading.Event(), []

    def load():
        try:
            while not stop.is_set():
                ask_all(gate, [ATTACK, ODD, GOOD] * 10)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    last = {}
    try:
        for turn in range(12):
            waf_rules.small(gate, text=waf_rules.SMALL + f"SecAction \"id:{2000 + turn},phase:1,pass,log,msg:'Turn {turn}'\"\n")
            assert gate.reload().returncode == 0
            for _ in range(3):
                now = hits(stats(gate))
                assert all(now[rule] >= count for rule, count in last.items()), "no count falls"
                last = now
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    answer = stats(gate, "--all")
    counted = hits(answer)
    assert counted[100] == counted[949110] == counted[101] == counted[901140] // 3 == answer["requests"] // 3
    assert sum(counted.get(2000 + turn, 0) for turn in range(12)) <= answer["requests"]


def test_mistakes(armed, tmp_path):
    gate = armed()
    for words, code in (
        (("--by", "price"), 64), (("--limit", "0"), 64), (("--limit", "many"), 64), (("--limit", "-1"), 64),
        (("--hits",), 64), (("100",), 64), (("--address", "127.0.0.1:1", "--token", "x"), 1),
    ):  # fmt: skip
        ran = gate.command("waf", "stats", *words)
        assert ran.returncode == code and ran.stderr and not ran.stdout, (words, ran)
    assert gateway.run("waf", "stats", "-c", str(tmp_path / "none.yaml")).returncode == 2


def test_the_metrics_series_are_bounded(armed):
    """Each rule matches in a request of its own, as nothing but the rules' authors could bring about."""
    rules = "".join(f"SecRule ARGS:n \"@streq {i}\" \"id:{10_000 + i},phase:2,pass,log,msg:'{i}'\"\n" for i in range(1200))
    gate = armed(rules)
    ask_all(gate, [f"/?n={i}" for i in range(1200)])
    series = [line for line in gate.metrics().splitlines() if line.startswith("gatehouse_waf_rule_hits_total{")]
    assert len(series) <= 1001
    assert gate.metric("gatehouse_waf_rule_hits_total", rule="other") >= 200
    assert gate.metric("gatehouse_waf_rule_hits_total") == 1200
    assert len(hits(stats(gate, "--limit", "5000"))) == 1200, "the statistics have all of them"
