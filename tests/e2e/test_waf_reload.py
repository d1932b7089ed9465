"""New inspection rules are compiled while the gateway goes on: under the old rules, and with the admin API at hand."""

import signal
import threading
import time

import pytest
import waf_rules

CHAINS = ("t:none", "t:lowercase", "t:urlDecode", "t:urlDecodeUni,t:lowercase", "t:htmlEntityDecode", "t:removeNulls")


def slow_rules(name, count=90):
    """Patterns whose compilation takes seconds, in several databases, other ones for each name."""
    rule = 'SecRule ARGS "@rx {name}{i}[^a]{{20,{most}}}(?:{name}[0-9]{{5,90}}e|b[^c]{{9,80}}d)" "id:{id},phase:2,deny,{chain}"\n'
    return "".join(rule.format(name=name, i=i, most=150 + i, id=2000 + i, chain=CHAINS[i % len(CHAINS)]) for i in range(count))


@pytest.fixture
def armed(gatehouse, backend):
    gate = gatehouse.prepare(backend(), waf={"mode": "enforce"})
    waf_rules.small(gate)
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    return gate.start()


def change_rules(gate, text):
    waf_rules.small(gate, text=waf_rules.SMALL + text)


def begin_reload(gate):
    """A reload on its way: (the thread, what becomes of it)."""
    done = []
    thread = threading.Thread(target=lambda: done.append((gate.command("reload"), time.monotonic())))
    thread.start()
    time.sleep(0.3)
    return thread, done


def test_the_gateway_goes_on_meanwhile(armed):
    change_rules(armed, slow_rules("one") + 'SecRule ARGS "@streq newly" "id:1,phase:2,deny,status:403"')
    began = time.monotonic()
    thread, done = begin_reload(armed)
    asked = 0
    while not done and asked < 10:
        before = time.monotonic()
        assert armed.command("status").returncode == 0
        assert armed.ask(target="/?a=newly").status == 200 and armed.ask(target="/?a=attack").status == 403
        if not done:
            assert time.monotonic() - before < 1
            asked += 1
    thread.join()
    report, ended = done[0]
    print(f"compiled in {ended - began:.1f} s")
    assert asked >= 3, "it is too fast to see anything"
    assert report.returncode == 0, report.stdout + report.stderr
    assert armed.ask(target="/?a=newly").status == 403


def test_reloads_wait_for_each_other(armed):
    """Each is answered with its own outcome, in order; a mistake in the rules is told, and the last good ones stay."""
    change_rules(armed, slow_rules("two") + 'SecRule ARGS "@streq newly" "id:1,phase:2,deny,status:403"')
    first, first_done = begin_reload(armed)
    change_rules(armed, 'SecRule ARGS "@streq newly" "id:1,phase:2,denny"')
    armed.signal(signal.SIGHUP)
    refused = armed.command("reload", "--dry-run")
    first.join()
    assert first_done[0][0].returncode == 0
    assert refused.returncode == 2 and "denny" in refused.stdout + refused.stderr
    assert armed.ask(target="/?a=newly").status == 403
    assert "reload refused" in armed.output()
    armed.config["waf"]["mode"] = "off"
    assert armed.reload().returncode == 0 and armed.ask(target="/?a=newly").status == 200
    assert armed.command("rollback").returncode == 2, "the rules that it goes back to are still wrong"
    change_rules(armed, "")
    assert armed.command("rollback").returncode == 0 and armed.ask(target="/?a=attack").status == 403


def test_it_ends_while_rules_are_compiled(armed):
    change_rules(armed, slow_rules("three", count=400))
    thread, done = begin_reload(armed)
    began = time.monotonic()
    assert armed.ask(target="/?a=attack").status == 403 and not done
    assert armed.stop(within=30) == 0
    took = time.monotonic() - began
    thread.join()
    print(f"ended in {took:.1f} s")
    assert done[0][0].returncode != 0 and "Traceback" not in done[0][0].stderr
    assert "configuration reloaded" not in armed.output()
