"""`gatehouse user`, `group`, `client` and `session`: what an administrator does from a shell, and what is told of it."""

import json
import re

import pytest

import people
import wire
from gateway import Gateway
from people import IDENTITY, admin


@pytest.fixture(scope="module")
def gateway():
    one = Gateway(["http://127.0.0.1:9"], **IDENTITY).start()
    yield one
    one.discard()


@pytest.fixture
def run(gateway):
    def run(*words, code=0, **options):
        done = gateway.command(*words, **options)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    return run


@pytest.fixture
def ask(run):
    return lambda *words, **options: json.loads(run(*words, "--json", **options))


def cells(table):
    """The rows of a table, by its heading."""
    heading, *rows = table.splitlines()
    found = list(re.finditer(r"\S+( \S+)*", heading))
    names, starts = [name[0] for name in found], [name.start() for name in found]
    return [
        {name: row[begin:end].strip() for name, begin, end in zip(names, starts, [*starts[1:], None])} for row in rows
    ]


def events(gateway, target):
    return [(e["action"], e["outcome"]) for e in admin(gateway, "GET", f"/v1/audit-events?target={target}")["events"]]


def test_users_from_their_invitation_to_their_end(gateway, run, ask):
    run("group", "add", "kitchen", "--role", "cook", "--description", "Who cooks")
    told = run("user", "add", "ada", "--email", "ada@shop.example", "--name", "Ada L", "--role", "customer", "--role", "ops", "--group", "kitchen")
    assert re.search(r"ada is invited: .*\n  https://login\.shop\.example/invite\?ticket=[\w-]{43}\n$", told, re.S)
    ada = ask("user", "show", "ada")
    assert ada["roles"] == ["customer", "ops"] and ada["groups"] == ["kitchen"] and "invitation" not in ada
    assert cells(run("user", "list")) == [
        {"USERNAME": "ada", "STATE": "invited", "NAME": "Ada L", "EMAIL": "ada@shop.example", "ROLES": "cook,customer,ops", "GROUPS": "kitchen"}
    ]
    shown = run("user", "show", ada["id"])
    assert "ada@shop.example (not verified)" in shown and "password      none" in shown
    assert "ticket=" in run("user", "invite", "ada")

    edited = ask("user", "edit", "ada", "--username", "ada.l", "--email-verified", "--locale", "de", "--phone", "+41441234567", "--add-role", "chef",
                 "--remove-role", "ops", "--remove-group", "kitchen", "--password-stdin", input="four words that rhyme\n")  # fmt: skip
    assert edited["username"] == "ada.l" and edited["email_verified"] and edited["has_password"]
    assert sorted(edited["roles"]) == ["chef", "customer"] and edited["groups"] == [] and edited["locale"] == "de"
    assert run("user", "enable", "ada.l") == "ada.l is active\n"
    assert run("user", "disable", "ada.l") == "ada.l is disabled, and signed out everywhere\n"
    assert ask("user", "show", "ada.l")["state"] == "disabled"
    assert run("user", "sessions", "ada.l") == run("session", "list", "ada.l") == "not signed in anywhere\n"
    assert ask("user", "revoke", "ada.l") == {"ended": 0}
    assert run("user", "factors", "ada.l") == "no second factor\n"
    assert "no such factor" in run("user", "factors", "ada.l", "--remove", "x", code=1)
    assert run("user", "factors", "ada.l", "--remove-all") == "removed\n"
    assert run("user", "remove", "ada.l") == "ada.l is removed, with all that was theirs\n"
    assert run("user", "show", "ada.l", code=1) == "gatehouse: There is no user ada.l.\n"
    did = [action for action, outcome in events(gateway, f"user:{ada['id']}") if outcome == "ok"]
    assert {"user.invite", "user.change", "user.role.add", "user.role.remove", "session.end_all", "factor.remove_all", "user.remove"} <= {*did}, did
    run("group", "remove", "kitchen")


def test_what_is_wrong_with_a_user_is_told_before_anything_is_made(run, ask):
    assert run("user", "add", "bob", "--group", "nowhere", code=2) == "gatehouse: There is no group nowhere.\n"
    assert "username:" in run("user", "add", "no good", code=2)
    assert "This password will not do" in run("user", "add", "bob", "--password-stdin", code=2, input="password\n")
    assert run("user", "list") == "there is no such user\n"
    assert ask("user", "list") == {"users": []}
    run("user", "add", "bob", "--password-stdin", input="four words that rhyme\n")
    assert "taken" in run("user", "add", "bob", code=1)
    run("user", "remove", "bob")
    # What a path makes of a name is another name.
    assert run("user", "show", "../clients", code=1) == "gatehouse: There is no user ../clients.\n"


def test_a_long_list_comes_in_pages(gateway, run, ask):
    names = [f"person{i}" for i in range(5)]
    for name in names:
        run("user", "add", name)
    page = gateway.command("user", "list", "--limit", "3", "--prefix", "person")
    assert [row["USERNAME"] for row in cells(page.stdout)] == names[:3]
    assert page.stderr == "gatehouse: there may be more: --after person2\n"
    assert [user["username"] for user in ask("user", "list", "--after", "person2")["users"]] == names[3:]
    assert "not in range 1 to 500" in run("user", "list", "--limit", "501", code=64)
    for name in names:
        run("user", "remove", name)


def test_groups_give_roles(gateway, run, ask):
    run("user", "add", "eve")
    assert ask("group", "add", "staff", "--role", "reader")["roles"] == ["reader"]
    assert run("group", "edit", "staff", "--add-role", "writer", "--remove-role", "reader", "--add-member", "eve") == "staff is changed\n"
    assert ask("user", "show", "eve")["effective_roles"] == ["writer"]
    assert cells(run("group", "list")) == [{"NAME": "staff", "MEMBERS": "1", "ROLES": "writer", "DESCRIPTION": "-"}]
    assert "gatehouse user list --group staff" in run("group", "show", "staff")
    assert [row["USERNAME"] for row in cells(run("user", "list", "--group", "staff"))] == ["eve"]
    assert "no user nobody" in run("group", "edit", "staff", "--add-member", "nobody", code=1)
    assert ask("group", "edit", "staff", "--remove-member", "eve")["members"] == 0
    assert run("group", "remove", "staff") == "staff is removed; its members stay\n"
    assert run("group", "list") == "there is no group\n"
    run("user", "remove", "eve")
    did = {action for action, _ in events(gateway, "group:staff")}
    assert did == {"group.create", "group.role.add", "group.role.remove", "group.member.add", "group.member.remove", "group.remove"}


def test_a_clients_secret_is_shown_once(gateway, run, ask):
    told = run("client", "add", "shop", "--name", "The shop", "--redirect-uri", "https://shop.example/callback", "--grant", "authorization_code",
               "--grant", "refresh_token", "--scope", "openid", "--scope", "profile", "--audience", "orders", "--set", "mfa=true",
               "--set", "access_token_seconds=300", "--set", "client_uri=https://shop.example")  # fmt: skip
    secret = re.search(r"shown this once:\n  ([\w-]{43})\n", told)[1]
    client = ask("client", "show", "shop")
    settings = client["settings"]
    assert "client_secret" not in client and secret not in json.dumps(client) and secret not in run("client", "show", "shop")
    assert settings["grant_types"] == ["authorization_code", "refresh_token"] and settings["scope"] == "openid profile"
    assert settings["mfa"] is True and settings["access_token_seconds"] == 300 and settings["client_uri"] == "https://shop.example"
    assert cells(run("client", "list")) == [
        {"CLIENT ID": "shop", "NAME": "The shop", "STATE": "active", "AUTHENTICATION": "client_secret_basic", "GRANTS": "authorization_code,refresh_token"}
    ]
    edited = ask("client", "edit", "shop", "--name", "Shop", "--redirect-uri", "https://shop.example/a", "--set", "mfa=false")
    assert edited["client_name"] == "Shop" and edited["settings"]["mfa"] is False and edited["settings"]["scope"] == "openid profile"
    renewed = ask("client", "rotate-secret", "shop")["client_secret"]
    assert renewed != secret and len(renewed) == 43
    assert run("client", "disable", "shop") == "shop is disabled\n"
    assert ask("client", "list")["clients"][0]["enabled"] is False
    assert run("client", "enable", "shop") == "shop is enabled\n"
    assert run("client", "remove", "shop") == "shop is removed, with all that it was given\n"
    assert "no client shop" in run("client", "show", "shop", code=1)
    did = {action for action, outcome in events(gateway, "client:shop") if outcome == "ok"}
    assert did == {"client.create", "client.change", "client.secret.renew", "client.remove"}


def test_a_client_that_makes_no_sense_is_refused(run, ask):
    assert "--set takes NAME=VALUE" in run("client", "add", "app", "--set", "mfa", code=2)
    assert run("client", "add", "app", "--set", "colour=red", "--redirect-uri", "https://a.example/", code=2)
    assert run("client", "add", "app", "--redirect-uri", "http://a.example/", code=2)
    assert "--public excludes --auth" in run("client", "add", "app", "--public", "--auth", "none", code=64)
    public = ask("client", "add", "app", "--public", "--redirect-uri", "https://a.example/")
    assert "client_secret" not in public and public["settings"]["token_endpoint_auth_method"] == "none"
    assert run("client", "rotate-secret", "app", code=2) == "gatehouse: client app does not use a secret\n"
    run("client", "remove", "app")
    assert run("client", "list") == "there is no client\n"


def test_sessions_are_listed_and_ended(gatehouse, certificates):
    gate = people.with_identity(gatehouse, certificates).start()
    people.make_user(gate, "ada")
    first, second = people.Browser(gate), people.Browser(gate)
    first.sign_in("ada")
    second.sign_in("ada")
    listed = cells(gate.command("session", "list", "ada").stdout)
    assert [row["DEVICE"] for row in listed] == ["Firefox on Linux"] * 2 and {row["ADDRESS"] for row in listed} == {"127.0.0.1"}
    assert {row["BY"] for row in listed} == {"pwd"}
    people.make_user(gate, "bob")
    people.Browser(gate).sign_in("bob")
    everybody = gate.command("session", "list", "--limit", "2")
    after = everybody.stderr.split("--after ")[1].strip()
    rest = gate.command("session", "list", "--after", after)
    whole = cells(everybody.stdout) + cells(rest.stdout)  # those of one second in any order
    assert sorted(row["USERNAME"] for row in whole) == ["ada", "ada", "bob"] and {row["ID"] for row in whole} > {row["ID"] for row in listed}
    assert rest.stderr == "" and len(cells(rest.stdout)) == 1
    assert json.loads(gate.command("session", "list", "--json", "--limit", "1").stdout)["next"]
    assert gate.command("session", "list", "--after", "x").returncode == 2
    assert gate.command("session", "list", "ada", "--limit", "1").returncode == 64
    assert gate.command("session", "revoke", listed[0]["ID"]).stdout == f"session {listed[0]['ID']} is over\n"
    wire.eventually(lambda: people.is_signed_in(first) != people.is_signed_in(second))
    assert gate.command("user", "revoke", "ada").stdout == "ada is signed out of 1 sessions\n"
    wire.eventually(lambda: not people.is_signed_in(first) and not people.is_signed_in(second))
    third = people.Browser(gate)
    third.sign_in("ada")
    people.add_totp(third, "A telephone")
    factor, = cells(gate.command("user", "factors", "ada").stdout)
    assert (factor["KIND"], factor["LABEL"]) == ("totp", "A telephone")
    assert gate.command("user", "factors", "ada", "--remove", factor["ID"]).stdout == "removed\n"
    assert gate.command("user", "disable", "ada").returncode == 0
    wire.eventually(lambda: not people.is_signed_in(third))
    assert [event["outcome"] for event in people.audited(gate, "session.end")] == ["ok"]


def test_without_a_gateway_that_is_said(run, tmp_path):
    for words in (["user", "list"], ["client", "list"], ["group", "list"], ["keys", "status"], ["session", "list", "ada"]):
        told = run(*words, "--address", "127.0.0.1:1", code=1)
        assert "is the gateway running?" in told
    assert run("session", "revoke", "none", code=1) == "gatehouse: There is no such session.\n"
