"""Links that people are sent, and what they are told: the first administrator, an address to prove, a forgotten password,
a sign-in from a new browser. Over the pages, with the mail server and the store that are really used."""

import sqlite3

import people
import pytest
import wire

NEW_PASSWORD = "a wholly different phrase, 7 words"


@pytest.fixture
def gate(gatehouse, certificates, mailbox):
    return people.with_identity(gatehouse, certificates, identity={"mail": mailbox.config}).start()


def in_the_store(gate, statement):
    """Changes the store behind a gateway that is not running."""
    with sqlite3.connect(gate.dir / "data" / "gatehouse.db") as store:
        changed = store.execute(statement).rowcount
    store.close()
    return changed


# The first administrator


def first_admin_link(gate):
    """What the newest start has printed, after it was ready."""
    output = wire.eventually(lambda: gate.output() if "24 hours" in gate.output() and gate.output().endswith("\n\n") else None)
    return people.link_in(output)


def become_admin(gate, link, name="root"):
    browser = people.Browser(gate)
    page = browser.open(link)
    values = {"username": name, "email": f"{name}@shop.example", "password": people.PASSWORD}
    return browser, browser.fill(page, "password", values)


def test_the_first_administrator(gatehouse, certificates):
    """The link makes one administrator, who is signed in then; it is good once, and no other is printed afterwards."""
    gate = people.with_identity(gatehouse, certificates).start()
    link = first_admin_link(gate)
    browser, page = become_admin(gate, link)
    assert page.status == 200 and people.is_signed_in(browser), page
    made = people.admin(gate, "GET", "/v1/users")["users"]
    assert [(user["username"], user["state"], user["roles"]) for user in made] == [("root", "active", ["gatehouse-admin"])], made
    # nobody becomes the second, by the same link, with the same or another name
    again = people.Browser(gate)
    assert again.open(link).status == 400
    assert len(people.admin(gate, "GET", "/v1/users")["users"]) == 1
    gate.stop()
    (gate.dir / "output.log").write_text("")
    gate.start()
    gate.stop()
    assert "first-admin" not in gate.output(), "there is one, and no link for another"


def test_two_who_open_the_first_link(gatehouse, certificates):
    """Both have the form; the second to send it is refused."""
    gate = people.with_identity(gatehouse, certificates).start()
    link = first_admin_link(gate)
    slow = people.Browser(gate)
    form = slow.open(link)
    become_admin(gate, link)
    late = slow.fill(form, "password", {"username": "mallory", "email": "m@shop.example", "password": people.PASSWORD})
    assert late.status == 400 and not people.is_signed_in(slow), late
    assert [user["username"] for user in people.admin(gate, "GET", "/v1/users")["users"]] == ["root"]


def test_the_first_link_ends(gatehouse, certificates):
    """After its day it opens nothing; the next start prints another."""
    gate = people.with_identity(gatehouse, certificates).start()
    old = first_admin_link(gate)
    gate.stop()
    assert in_the_store(gate, "UPDATE tickets SET expires_at = 1 WHERE kind = 'first_admin'") == 1
    (gate.dir / "output.log").write_text("")
    gate.start()
    new = first_admin_link(gate)
    assert new != old
    assert people.Browser(gate).open(old).status == 400
    browser, _ = become_admin(gate, new)
    assert people.is_signed_in(browser)


@pytest.mark.parametrize("ticket", ["", "A" * 43, "x", "A" * 5000, "%00", "..%2f"])
def test_made_up_links(gate, ticket):
    """A page that says so, for each kind of link; nothing about which tickets there are."""
    browser = people.Browser(gate)
    for path in ("/first-admin", "/invite", "/verify-email"):
        answer = browser.open(f"{path}?ticket={ticket}")
        assert answer.status in (400, 414) and answer.is_page, answer
    if ticket:
        assert browser.open(f"/reset?ticket={ticket}").status == 400


# An address to prove


def ask_to_change_address(browser, address):
    return browser.fill(browser.open("/account/profile"), "email", {"email": address}, ("save", "email"))


def test_a_new_address_counts_when_it_is_proved(gate, mailbox):
    people.make_user(gate, "ada")
    browser = people.Browser(gate)
    browser.sign_in("ada")
    assert ask_to_change_address(browser, "ada@new.example").status == 200
    link = mailbox.link("Confirm your address", "ada@new.example")
    assert people.admin(gate, "GET", "/v1/users/ada")["email"] == "ada@shop.example", "not before it is proved"
    elsewhere = people.Browser(gate)  # the mail may be read on another machine
    page = elsewhere.open(link)
    assert page.status == 200 and "ada@new.example" in page.text
    assert people.admin(gate, "GET", "/v1/users/ada")["email"] == "ada@shop.example", "a link that is looked at changes nothing"
    assert elsewhere.fill(page, "ticket").status == 200
    user = people.admin(gate, "GET", "/v1/users/ada")
    assert (user["email"], user["email_verified"]) == ("ada@new.example", True)
    assert elsewhere.open(link).status == 400, "good once"


def test_the_address_of_somebody_else(gate, mailbox):
    """It is answered as any other, and nothing comes of it: nobody learns here whose address it is."""
    people.make_user(gate, "ada")
    people.make_user(gate, "bob")
    browser = people.Browser(gate)
    browser.sign_in("ada")
    free = ask_to_change_address(browser, "free@shop.example")
    mailbox.link("Confirm your address", "free@shop.example")
    taken = ask_to_change_address(browser, "bob@shop.example")
    assert (taken.status, people.text_of(taken)) == (free.status, people.text_of(free))
    assert people.admin(gate, "GET", "/v1/users/ada")["email"] == "ada@shop.example"
    assert people.admin(gate, "GET", "/v1/users/bob")["email"] == "bob@shop.example"


def test_a_link_that_was_overtaken(gate, mailbox):
    """Somebody else has proved the address meanwhile: the older link is void, and takes nothing away."""
    people.make_user(gate, "ada")
    people.make_user(gate, "bob")
    links = []
    for name in ("ada", "bob"):
        browser = people.Browser(gate)
        browser.sign_in(name)
        ask_to_change_address(browser, "both@shop.example")
        links.append(mailbox.link("Confirm your address", "both@shop.example"))
    browser = people.Browser(gate)
    assert browser.fill(browser.open(links[1]), "ticket").status == 200
    page = browser.open(links[0])
    late = page if page.status == 400 else browser.fill(page, "ticket")
    assert late.status == 400, late
    assert people.admin(gate, "GET", "/v1/users/bob")["email"] == "both@shop.example"
    assert people.admin(gate, "GET", "/v1/users/ada")["email"] == "ada@shop.example"


# A forgotten password


def ask_for_reset(gate, name):
    browser = people.Browser(gate)
    return browser.fill(browser.open("/reset"), "username", {"username": name})


def test_a_forgotten_password(gate, mailbox):
    """A link by mail, good once; the new password is in force, the old one is not, and every session has ended."""
    people.make_user(gate, "ada")
    before = people.Browser(gate)
    before.sign_in("ada")
    assert people.is_signed_in(before)
    assert ask_for_reset(gate, "ada").status == 200
    link = mailbox.link("Choose a new password", "ada@shop.example")
    browser = people.Browser(gate)
    assert browser.fill(browser.open(link), "password", {"password": NEW_PASSWORD}).status == 200
    assert people.is_signed_in(browser), "who has the mailbox is signed in"
    assert not people.is_signed_in(before), "sessions of before are over"
    mailbox.about("was changed", "ada@shop.example")
    assert people.Browser(gate).open(link).status == 400, "good once"
    stranger = people.Browser(gate)
    assert people.place_of(stranger.sign_in("ada")) == "/login" and not people.is_signed_in(stranger)
    stranger.sign_in("ada", NEW_PASSWORD)
    assert people.is_signed_in(stranger)


def test_a_link_does_not_replace_the_second_factor(gate, mailbox):
    """The design: a reset by mail leaves the second factor in place: the mailbox alone is not enough."""
    people.make_user(gate, "ada")
    owner = people.Browser(gate)
    owner.sign_in("ada")
    page = owner.fill(owner.open("/account/factors"), "begin")
    page = owner.fill(page, "kind", button=("kind", "email"))
    page = owner.fill(page, "address", {"address": "ada@phone.example"})
    owner.fill(page, "code", {"code": people.code_in(mailbox.about("is your code", "ada@phone.example"))})
    assert len(people.admin(gate, "GET", "/v1/users/ada/factors")["factors"]) == 1
    ask_for_reset(gate, "ada")
    link = mailbox.link("Choose a new password", "ada@shop.example")
    thief = people.Browser(gate)
    page = thief.fill(thief.open(link), "password", {"password": NEW_PASSWORD})
    assert people.place_of(page) == "/login/factor" and not people.is_signed_in(thief), page


def test_a_used_link_voids_the_others(gate, mailbox):
    """Nobody can void an owner's link by asking for another; the first that is used ends them all."""
    people.make_user(gate, "ada")
    links = []
    for _ in range(2):
        ask_for_reset(gate, "ada")
        links.append(mailbox.link("Choose a new password", "ada@shop.example"))
    browser = people.Browser(gate)
    waiting = browser.open(links[1])
    assert waiting.status == 200
    other = people.Browser(gate)
    other.fill(other.open(links[0]), "password", {"password": NEW_PASSWORD})
    assert people.is_signed_in(other)
    late = browser.fill(waiting, "password", {"password": "yet another long phrase, 9 words"})
    assert late.status == 400 and not people.is_signed_in(browser)


@pytest.mark.parametrize("name", ["nobody", "nobody@shop.example", "disabled"])
def test_a_reset_tells_nothing(gate, mailbox, name):
    """The same page for who is there and who is not, and no mail for the latter."""
    people.make_user(gate, "ada")
    people.make_user(gate, "disabled")
    people.admin(gate, "PATCH", "/v1/users/disabled", {"state": "disabled"})
    known, unknown = ask_for_reset(gate, "ada"), ask_for_reset(gate, name)
    assert (known.status, people.text_of(known)) == (unknown.status, people.text_of(unknown))
    mailbox.link("Choose a new password", "ada@shop.example")
    ask_for_reset(gate, "ada")
    mailbox.link("Choose a new password", "ada@shop.example")  # what was queued before it has arrived
    assert mailbox.is_empty()


@pytest.mark.parametrize("password", ["short", "password1234", "ada@shop.example", "x" * 2000, "tab\there is long enough"])
def test_a_bad_new_password(gate, mailbox, password):
    """It is refused with its reason, and the link stays good for another."""
    people.make_user(gate, "ada")
    ask_for_reset(gate, "ada")
    link = mailbox.link("Choose a new password", "ada@shop.example")
    browser = people.Browser(gate)
    page = browser.fill(browser.open(link), "password", {"password": password})
    assert page.status == 400 and not people.is_signed_in(browser), page
    assert browser.fill(page, "password", {"password": NEW_PASSWORD}).status == 200
    assert people.is_signed_in(browser)


def test_no_mail_no_reset(gatehouse, certificates):
    gate = people.with_identity(gatehouse, certificates).start()
    people.make_user(gate, "ada")
    page = people.Browser(gate).open("/reset")
    assert page.status == 200 and not page.forms(), "who runs it is named as the way; there is nothing to fill in"


# A new browser


def test_a_new_browser_is_told(gate, mailbox):
    """Once for each browser: not for the first one of an account, not for one that was there before."""
    people.make_user(gate, "ada")
    first = people.Browser(gate)
    first.sign_in("ada")
    second = people.Browser(gate, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36")
    second.sign_in("ada")
    text = mailbox.about("New sign-in", "ada@shop.example")
    assert "Chrome" in text and "Windows" in text and "127.0.0.1" in text, text
    for browser in (second, first):
        browser.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("device")}
        assert not people.is_signed_in(browser)
        browser.sign_in("ada")
        assert people.is_signed_in(browser)
    third = people.Browser(gate, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1")
    third.sign_in("ada")
    text = mailbox.about("New sign-in", "ada@shop.example")  # and none before it from the two that were known
    assert "Safari" in text, text


def test_mail_that_cannot_be_sent_holds_nobody_up(gatehouse, certificates, mailbox):
    """The mail server is gone: people sign in all the same."""
    gate = people.with_identity(gatehouse, certificates, identity={"mail": mailbox.config}).start()
    mailbox.stop()
    people.make_user(gate, "ada")
    for _ in range(2):
        browser = people.Browser(gate)
        browser.sign_in("ada")
        assert people.is_signed_in(browser)
    assert wire.ask(gate.parse(gate.ready["admin"]), wire.request("GET", "/healthz", host="localhost")).status == 200
