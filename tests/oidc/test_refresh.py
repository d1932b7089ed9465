"""The refresh token grant: RFC 6749 §6, OIDC Core §12, RFC 9700 §4.14."""

from concurrent.futures import ThreadPoolExecutor

import proofs
import pytest

OFFLINE = "openid offline_access"


@pytest.mark.parametrize("name", ["web", "spa", "post", "native"])
def test_refresh(rp, name):
    """RFC 6749 §6: a new access token, and OIDC Core §12.2: an ID token for the same user, if any."""
    one = rp(name)
    first = one.tokens(scope=OFFLINE)
    second = one.good(one.refresh(first["refresh_token"]))
    assert second["access_token"] != first["access_token"] and one.is_alive(second["access_token"])
    if "id_token" in second:
        before, after = one.id_token(first["id_token"]), one.id_token(second["id_token"])
        for member in ("iss", "sub", "aud", "azp", "auth_time"):
            assert before.get(member) == after.get(member), member
        assert after["iat"] >= before["iat"] and after.get("nonce", before["nonce"]) == before["nonce"]


def test_not_cached(web):
    """RFC 6749 §5.1: refresh answers are no-store."""
    assert "no-store" in web.refresh(web.tokens(scope=OFFLINE)["refresh_token"]).header("cache-control")


@pytest.mark.bcp("refresh-replay")
@pytest.mark.parametrize("name", ["spa", "web"])
def test_rotation(rp, name):
    """RFC 9700 §4.14.2: every refresh gives another refresh token."""
    one = rp(name)
    tokens = [one.tokens(scope=OFFLINE)["refresh_token"]]
    for _ in range(3):
        tokens.append(one.good(one.refresh(tokens[-1]))["refresh_token"])
    assert len(set(tokens)) == 4


@pytest.mark.bcp("refresh-replay")
@pytest.mark.parametrize("name", ["spa", "web"])
def test_replay_ends_the_family(rp, name):
    """RFC 9700 §4.14.2: an old token used again revokes the active one, and the access tokens."""
    one = rp(name)
    first = one.tokens(scope=OFFLINE)
    second = one.good(one.refresh(first["refresh_token"]))
    third = one.good(one.refresh(second["refresh_token"]))
    assert one.refresh(first["refresh_token"]).refusal() == "invalid_grant"
    assert one.refresh(third["refresh_token"]).refusal() == "invalid_grant"
    assert not one.is_alive(third["access_token"]) and not one.is_alive(first["access_token"])


@pytest.mark.bcp("refresh-replay")
def test_replay_leaves_other_families(web):
    """RFC 9700 §4.14.2: the family, not everything of the user's."""
    other, first = web.tokens(scope=OFFLINE), web.tokens(scope=OFFLINE)
    web.good(web.refresh(first["refresh_token"]))
    assert web.refresh(first["refresh_token"]).refusal() == "invalid_grant"
    assert web.good(web.refresh(other["refresh_token"]))["access_token"]


@pytest.mark.bcp("refresh-replay")
def test_many_at_once(rp):
    """RFC 9700 §4.14.2: of several uses at the same moment at most one gives tokens."""
    spa = rp("spa")
    token = spa.tokens(scope=OFFLINE)["refresh_token"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: spa.refresh(token, http=spa.backend()), range(6)))
    assert sum(answer.status == 200 for answer in answers) <= 1
    assert all(answer.refusal() == "invalid_grant" for answer in answers if answer.status != 200)


@pytest.mark.bcp("refresh-bound")
@pytest.mark.parametrize("thief", ["other", "spa", "post"])
def test_token_of_another_client(rp, thief):
    """RFC 6749 §6, §10.4: another client's refresh token is `invalid_grant`; its owner can go on."""
    web = rp("web")
    token = web.tokens(scope=OFFLINE)["refresh_token"]
    assert rp(thief).refresh(token).refusal() == "invalid_grant"
    assert web.good(web.refresh(token))["access_token"]


@pytest.mark.bcp("refresh-bound")
def test_scope_narrows(web):
    """RFC 6749 §6: less scope is given as asked; the refresh token keeps its own."""
    first = web.tokens(scope="openid email phone offline_access")
    second = web.good(web.refresh(first["refresh_token"], scope="openid email"))
    assert set(second["scope"].split()) == {"openid", "email"}
    assert "phone_number" not in web.userinfo(second["access_token"]).json()
    third = web.good(web.refresh(second["refresh_token"]))
    assert "phone_number" in web.userinfo(third["access_token"]).json()


@pytest.mark.bcp("refresh-bound")
@pytest.mark.parametrize("scope", ["openid email", "openid offline_access phone", "admin", "openid orders:write"])
def test_scope_never_widens(web, scope):
    """RFC 6749 §6: no scope that was not granted: `invalid_scope`."""
    token = web.tokens(scope=OFFLINE)["refresh_token"]
    assert web.refresh(token, scope=scope).refusal() == "invalid_scope"


@pytest.mark.bcp("refresh-bound")
def test_resource_never_widens(rp):
    """RFC 8707 §2.2, RFC 9700 §2.2.2: only resources that were granted."""
    web = rp("web")
    granted, other = web.client.resources
    first = web.tokens(scope="openid offline_access orders:read", resource=granted, redeem={"resource": granted})
    assert web.refresh(first["refresh_token"], resource=other).refusal() == "invalid_target"


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_another_kind_of_token(web, kind):
    """RFC 6749 §6: only refresh tokens."""
    assert web.refresh(web.tokens(scope=OFFLINE)[kind]).refusal() == "invalid_grant"


@pytest.mark.parametrize("value", [None, "", "x", "A" * 43, "x" * 20000, "\x00", "a b"], ids=range(7))
def test_no_such_token(web, value):
    """RFC 6749 §5.2: `invalid_grant`, or `invalid_request` when it is missing."""
    answer = web.refresh(value)
    assert answer.status in (400, 413) and (answer.status == 413 or answer.refusal() in ("invalid_grant", "invalid_request"))


def test_client_must_prove_itself(rp):
    """RFC 6749 §6, §10.4: a stolen token is useless without the confidential client's credentials."""
    web = rp("web")
    token = web.tokens(scope=OFFLINE)["refresh_token"]
    assert web.refresh(token, method="none").refusal() == "invalid_client"
    assert web.good(web.refresh(token))["access_token"]


def test_client_without_the_grant(rp):
    """RFC 6749 §5.2: `unauthorized_client`."""
    one = rp("coderesource")
    token = rp("web").tokens(scope=OFFLINE)["refresh_token"]
    assert one.refresh(token).refusal() == "unauthorized_client"


def test_revoked_code_takes_all(web):
    """RFC 6749 §4.1.2: a reused code also ends what was refreshed meanwhile."""
    journey = web.authorize(scope=OFFLINE)
    first = web.good(web.redeem(journey))
    second = web.good(web.refresh(first["refresh_token"]))
    assert web.redeem(journey).refusal() == "invalid_grant"
    assert not web.is_alive(second["access_token"])
    assert web.refresh(second["refresh_token"]).refusal() == "invalid_grant"


def test_refresh_token_is_random(web):
    """RFC 6749 §10.10: as hard to guess as a code."""
    tokens = {web.tokens(scope=OFFLINE)["refresh_token"] for _ in range(2)}
    assert len(tokens) == 2 and all(len(token) >= 22 for token in tokens)
    assert not any(token.count(".") == 2 and "email" in str(proofs.header_of(token)) for token in tokens)
