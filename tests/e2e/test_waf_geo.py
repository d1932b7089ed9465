"""Where a client is: @geoLookup in the gateway, databases that are none, and rules that have nothing to look into."""

import json

import mmdb
import waf_rules
import wire

RULES = r"""
SecGeoLookupDb places.mmdb
SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,deny,status:451,log,msg:'From %{geo.country_code}',chain"
  SecRule GEO:COUNTRY_CODE "@within XL XM"
"""


def armed(gatehouse, backend, rules=RULES, places=mmdb.PLACES):
    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"})
    gate.file("places.mmdb", mmdb.database(places) if isinstance(places, dict) else places)
    gate.config["waf"]["rules"] = [waf_rules.small(gate, "own.conf", rules)]
    return gate


def test_a_country_is_refused(gatehouse, backend):
    gate = armed(gatehouse, backend).start()
    answer = gate.ask()
    assert answer.status == 451
    assert gate.record_of(answer)["waf"]["rules"][0]["message"] == "From XL"
    # Another database in its place, and a reload.
    gate.file("next.mmdb", mmdb.database({"127.0.0.0/8": {"country": {"iso_code": "DE"}}}))
    (gate.dir / "next.mmdb").rename(gate.dir / "places.mmdb")
    assert gate.reload().returncode == 0
    wire.eventually(lambda: gate.ask().status == 200, 5)
    # What is none is refused, and the last good one stays.
    gate.file("next.mmdb", b"\xab\xcd\xefMaxMind.com")
    (gate.dir / "next.mmdb").rename(gate.dir / "places.mmdb")
    refused = gate.reload()
    assert refused.returncode == 2 and "not a MaxMind database" in refused.stdout + refused.stderr
    assert gate.ask().status == 200


def test_the_last_phase_counts_by_country(gatehouse, backend):
    """Whether the look-up stands in the first phase or in the last itself."""
    for phase in (1, 5):
        rules = rf"""
SecGeoLookupDb places.mmdb
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{{REMOTE_ADDR}}"
SecRule IP:from "@streq XL" "id:2,phase:1,deny,status:451,log,msg:'seen before'"
SecRule REMOTE_ADDR "@geoLookup" "id:3,phase:{phase},pass,nolog"
SecRule GEO:COUNTRY_CODE "@rx ^XL$" "id:4,phase:5,pass,nolog,setvar:ip.from=%{{MATCHED_VAR}}"
"""
        gate = armed(gatehouse, backend, rules).start()
        assert [gate.ask().status for _ in range(3)] == [200, 451, 451], phase


def check(gate):
    gate.write()
    result = gate.command("check", "--format", "json")
    return result.returncode, result.stdout


def test_check_names_what_is_wrong(gatehouse, backend):
    code, out = check(armed(gatehouse, backend))
    assert code == 0 and "operator_without_data" not in out and "own.conf" not in out
    code, out = check(armed(gatehouse, backend, places=b"GeoIP"))
    assert code == 2
    assert "own.conf:2:16: " in out and "not a MaxMind database" in out
    code, out = check(armed(gatehouse, backend, RULES.replace("SecGeoLookupDb", "#")))
    assert code == 0 and "waf.operator_without_data" in out and "own.conf:3:1: rule 1: @geoLookup finds nothing" in out
    code, out = check(armed(gatehouse, backend, 'SecRule REMOTE_ADDR "@rbl list.example" "id:7,phase:1,deny"\n'))
    assert code == 0 and "own.conf:1:1: rule 7: @rbl finds nothing" in out
    json.loads(out)


def test_the_start_says_so_and_nobody_is_stopped(gatehouse, backend):
    gate = armed(gatehouse, backend, 'SecRule REMOTE_ADDR "@rbl list.example" "id:7,phase:1,deny"\n').start()
    assert gate.ask().status == 200
    assert "rule 7: @rbl finds nothing" in (gate.dir / "output.log").read_text()


def test_the_database_of_the_unit_tests():
    path = mmdb.pathlib.Path(__file__).parents[1] / "data" / "geo" / "places.mmdb"
    assert path.read_bytes() == mmdb.database(), "tests/e2e/mmdb.py writes it"
