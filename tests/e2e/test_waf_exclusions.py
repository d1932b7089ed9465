"""A false alarm from its denial to its end: explained, an exclusion suggested and pasted, and what that does not let through."""

import datetime
import json

import pytest
import waf_rules
import yaml

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def day(offset):
    return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=offset)).isoformat()


def findings(gate, which):
    """What `check` says of that kind, by the place in the configuration."""
    gate.write()
    ran = gate.command("check", "--format", "json")
    assert ran.returncode in (0, 1), ran.stderr
    return [one for one in json.loads(ran.stdout)["diagnostics"] if one["id"] == which]


@pytest.fixture
def gate(gatehouse, backend):
    behind = backend()
    gate = gatehouse.prepare(behind, waf={"mode": "enforce"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.behind = behind
    return gate.start()


def comment(gate, text, path="/articles/7/comments", name="comment"):
    return gate.ask(method="POST", target=path, fields=FORM, body=f"{name}={text}".encode())


def test_a_false_alarm_is_excluded(gate):
    assert comment(gate, "no attack").status == 403
    gate.config["waf"]["exclude"] = [
        {"rule": 100, "parameter": "comment", "path": "/articles/*/comments", "until": day(60), "because": "readers write so"}
    ]
    assert gate.reload().returncode == 0
    seen = len(gate.behind.bodies)
    passed = comment(gate, "no attack")
    assert passed.status == 200 and gate.behind.bodies[seen:] == [b"comment=no attack"]
    assert "waf" not in gate.record_of(passed), "the rule has not matched"
    # No further than it says.
    assert comment(gate, "attack", name="title").status == 403
    assert comment(gate, "attack", path="/articles/7").status == 403
    assert comment(gate, "x", path="/articles/7/comments?q=attack").status == 403
    assert comment(gate, "odd and odd").status == 200 and comment(gate, "1&b=attack").status == 403
    # The exclusion is gone with the next reload.
    gate.config["waf"]["exclude"] = []
    assert gate.reload().returncode == 0
    assert comment(gate, "no attack").status == 403


def test_one_that_ended_has_no_effect_and_check_says_so(gate):
    exclusion = {"rule": 100, "parameter": "comment", "until": day(-1), "because": "ticket 4711"}
    gate.config["routes"][0]["waf"] = {"exclude": [exclusion]}
    assert gate.reload().returncode == 0
    assert comment(gate, "no attack").status == 403
    ended = findings(gate, "waf.exclusion_expired")
    assert len(ended) == 1 and ended[0]["severity"] == "warning" and ended[0]["line"] > 0, ended
    strict = gate.command("check", "--fail-on", "warning")
    assert strict.returncode == 1 and "waf.exclusion_expired" in strict.stdout
    # The last day counts.
    exclusion["until"] = day(0)
    assert not findings(gate, "waf.exclusion_expired") and findings(gate, "waf.exclusion_ends_soon")
    assert gate.reload().returncode == 0
    assert comment(gate, "no attack").status == 200


@pytest.mark.parametrize("exclusion, finding", [
    ({"rule": 4711, "parameter": "comment"}, "waf.exclusion_no_rule"),
    ({"tag": "attack-nothing"}, "waf.exclusion_no_rule"),
    ({"rule": 103, "parameter": "comment"}, "waf.exclusion_no_target"),
    ({"rule": 949110}, "waf.exclusion_disarms"),
    ({"rule": 100}, "waf.exclusion_wide"),
])  # fmt: skip
def test_check_judges_exclusions(gate, exclusion, finding):
    gate.config["waf"]["exclude"] = [{**exclusion, "until": day(60), "because": "a test"}]
    assert findings(gate, finding)
    gate.config["waf"]["exclude"] = [{"rule": 100, "parameter": "comment", "until": day(60), "because": "a test"}]
    assert not findings(gate, finding)


def test_what_is_suggested_lets_the_request_pass_when_it_is_pasted(gate):
    other = comment(gate, "another attack", path="/articles/12/comments")
    elsewhere = comment(gate, "an attack", path="/articles/12/comments", name="title")
    refused = comment(gate, "no attack")
    assert [one.status for one in (other, elsewhere, refused)] == [403] * 3
    request_id = gate.record_of(refused)["request_id"]
    ran = gate.command("waf", "suggest", request_id)
    assert ran.returncode == 0, ran.stderr
    suggested = yaml.safe_load(ran.stdout)["waf"]["exclude"]
    assert len(suggested) == 1
    assert {key: suggested[0][key] for key in ("rule", "parameter", "path")} == {"rule": 100, "parameter": "comment", "path": "/articles/*/comments"}
    assert request_id in suggested[0]["because"] and str(suggested[0]["until"]) == day(90)
    assert "Of 2 other refused requests that are still recorded it would have let pass 1." in ran.stdout
    assert gate.record_of(other)["request_id"] in ran.stdout and gate.record_of(elsewhere)["request_id"] not in ran.stdout
    by_program = json.loads(gate.command("waf", "suggest", request_id, "--json").stdout)
    assert by_program["exclude"][0]["rule"] == 100 and by_program["route"] == gate.config["routes"][0]["name"]
    assert [one["request_id"] for one in by_program["others"]["would_pass"]] == [gate.record_of(other)["request_id"]]

    gate.config["routes"][0]["waf"] = {"exclude": by_program["exclude"]}
    assert gate.reload().returncode == 0
    assert comment(gate, "no attack").status == 200
    assert comment(gate, "another attack", path="/articles/12/comments").status == 200
    assert comment(gate, "an attack", path="/articles/12/comments", name="title").status == 403
    assert not findings(gate, "waf.exclusion_wide") and not findings(gate, "waf.exclusion_no_target")


def test_every_place_in_the_way_is_suggested(gate):
    """A rule that matched at two places; what only adds up to less than the threshold stays. With it the request passes."""
    request = {"method": "POST", "target": "/form?q=odd", "fields": {**FORM, "Referer": "https://attack.example/"}, "body": b"a=attack"}
    refused = gate.ask(**request)
    assert refused.status == 403
    record = gate.record_of(refused)
    ran = gate.command("waf", "suggest", record["request_id"], "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert [one["rule"] for one in answer["exclude"]] == [100, 100], "an odd one alone is below it"
    assert not answer["notes"]
    assert "also in" in gate.command("explain", record["request_id"]).stdout
    for exclude, status in ((answer["exclude"][:1], 403), (answer["exclude"], 200)):
        gate.config["waf"]["exclude"] = exclude
        assert gate.reload().returncode == 0
        assert gate.ask(**request).status == status


def test_what_cannot_be_suggested(gate):
    passed = gate.ask(target="/?q=lamp")
    not_found = gate.ask(target="/?q=odd")
    for words, told in (
        ((gate.record_of(passed)["request_id"],), "did not refuse"),
        ((gate.record_of(not_found)["request_id"],), "did not refuse"),
        (("nonsense",), "no request id"),
        (("01jd6y4t9v0m3k8c2q5r7w1xza",), "no longer has a record"),
    ):
        ran = gate.command("waf", "suggest", *words)
        assert ran.returncode == 2 and told in ran.stderr and not ran.stdout, (words, ran)
    assert gate.command("waf", "suggest").returncode == 64
