"""What a target does not do as the suite asks, each with the reason. Such a check must fail: one that passes is taken
off the list. Names are `module::test`, `module::test[parameters]`, or a beginning of those that ends in `*`.
"""

NO_JWT = "keeps no JWT access tokens, so it introspects and revokes none: `unsupported_token_type`"
UNAUTHORIZED = "says `invalid_request` where RFC 6749 §5.2 has `unauthorized_client`"
ANY_METHOD = "takes a secret in the body and in the header alike"

NODE = {
    "test_authorize_parameters::test_other_response_types[code code]": "compares response_type as a set of words: `code code` is `code`",
    "test_authorize_parameters::test_head_gives_no_code": "answers HEAD as GET, with a code in the redirect",
    "test_client_authentication::test_another_method_than_registered[web-client_secret_post]": ANY_METHOD,
    "test_client_authentication::test_another_method_than_registered[post-client_secret_basic]": ANY_METHOD,
    "test_client_authentication::test_public_client_gets_no_machine_token": UNAUTHORIZED,
    "test_client_authentication::test_grant_that_is_not_the_clients": UNAUTHORIZED,
    "test_clients::test_oidc_client_ts[revocation]": "answers revocation with text/plain, which oidc-client-ts refuses",
    "test_device::test_too_fast": "never says `slow_down`",
    "test_device::test_only_post[GET]": "answers GET at the device authorization endpoint with 500",
    "test_dpop::test_nonce_where_the_token_is_used": "is told to demand nonces by client, whom it does not know yet at userinfo",
    "test_exchange::test_client_without_the_grant": UNAUTHORIZED,
    "test_exchange::test_revoked_subject": NO_JWT,
    "test_introspection_and_revocation::test_jwt_is_active": NO_JWT,
    "test_introspection_and_revocation::test_unknown_is_inactive[6]": NO_JWT,
    "test_introspection_and_revocation::test_forged_is_inactive[alg none]": NO_JWT,
    "test_introspection_and_revocation::test_forged_is_inactive[another key]": NO_JWT,
    "test_introspection_and_revocation::test_forged_is_inactive[tampered]": NO_JWT,
    "test_introspection_and_revocation::test_forged_is_inactive[id_token]": NO_JWT,
    "test_introspection_and_revocation::test_revoke_unknown[5]": NO_JWT,
    "test_pages::test_cookie_names_and_sites": "names its cookies otherwise, and POST at authorize needs SameSite=None there",
    "test_pages::test_cross_site_post_keeps_the_session": "with SameSite=None its cookies come along, so it stores nothing",
    "test_refresh::test_client_without_the_grant": UNAUTHORIZED,
}

GATEHOUSE = {
    "test_login::test_planted_cookie_is_not_adopted": "the browser's cookie stays: it names no session, only which browser began a sign-in, and `__Host-` keeps other hosts from planting it",
}


def reason(differences, name):
    """Why the check of that name may fail, and the entry that says so; (None, None) when it may not."""
    for entry, why in differences.items():
        if name == entry or (entry.endswith("*") and name.startswith(entry[:-1])):
            return why, entry
    return None, None
