// openid-client 6, as its documentation uses it.

import * as oidc from 'openid-client';

import { assert, ask, dpopKeys, privateKey, refused, run, setup, visit } from './bridge.mjs';

const clients = setup.clients;

async function configure(name, authentication) {
  const client = clients[name];
  const method = authentication
    ?? { client_secret_basic: () => oidc.ClientSecretBasic(client.secret), client_secret_post: () => oidc.ClientSecretPost(client.secret), none: () => oidc.None() }[client.auth]();
  return oidc.discovery(new URL(setup.issuer), client.id, { id_token_signed_response_alg: client.id_token_alg || 'ES256' }, method);
}

async function codeFlow(config, name, { scope = 'openid email', par = false, dpop, ...more } = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const parameters = {
    redirect_uri: clients[name].redirect, scope, state, nonce, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}), ...more,
  };
  const url = par
    ? await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP: dpop })
    : oidc.buildAuthorizationUrl(config, parameters);
  if (par) assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
  const tokens = await oidc.authorizationCodeGrant(config, await visit(url), {
    pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true, maxAge: more.max_age,
  }, undefined, { DPoP: dpop });
  return tokens;
}

async function signedIn(config, name, options) {
  const tokens = await codeFlow(config, name, options);
  const user = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP: options?.dpop });
  assert.equal(user.sub, tokens.claims().sub);
  return tokens;
}

await run({
  async code() {
    for (const name of ['web', 'post', 'spa', 'rs256']) await signedIn(await configure(name), name);
  },
  async max_age() {
    await signedIn(await configure('web'), 'web', { max_age: 300 });
  },
  async refresh() {
    const config = await configure('spa');
    const first = await signedIn(config, 'spa', { scope: 'openid offline_access' });
    const second = await oidc.refreshTokenGrant(config, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    await refused(oidc.refreshTokenGrant(config, first.refresh_token), 'invalid_grant');
    await refused(oidc.refreshTokenGrant(config, second.refresh_token), 'invalid_grant');
  },
  async device() {
    const config = await configure('tv');
    const begun = await oidc.initiateDeviceAuthorization(config, { scope: 'openid offline_access' });
    await ask({ device: begun.verification_uri, user_code: begun.user_code });
    const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...begun, interval: 1 });
    assert.ok(tokens.claims().sub && tokens.refresh_token);
  },
  async par() {
    for (const name of ['web', 'spa']) await signedIn(await configure(name), name, { par: true });
  },
  async dpop() {
    const config = await configure('dpop');
    const dpop = oidc.getDPoPHandle(config, await dpopKeys());
    const tokens = await signedIn(config, 'dpop', { dpop, scope: 'openid offline_access' });
    assert.equal(tokens.token_type, 'dpop');
    const again = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: dpop });
    assert.equal(again.token_type, 'dpop');
    const thief = oidc.getDPoPHandle(config, await dpopKeys());
    await assert.rejects(oidc.refreshTokenGrant(config, again.refresh_token, undefined, { DPoP: thief }));
  },
  async dpop_nonce() {
    const config = await configure('nonce');
    const tokens = await signedIn(config, 'nonce', { dpop: oidc.getDPoPHandle(config, await dpopKeys()) });
    assert.equal(tokens.token_type, 'dpop');
  },
  async dpop_par() {
    const config = await configure('dpop');
    await signedIn(config, 'dpop', { par: true, dpop: oidc.getDPoPHandle(config, await dpopKeys()) });
  },
  async private_key_jwt() {
    const config = await configure('jwt', oidc.PrivateKeyJwt({ key: await privateKey(clients.jwt), kid: clients.jwt.jwk.kid }));
    await signedIn(config, 'jwt', { par: true });
    const machine = await oidc.clientCredentialsGrant(config, { scope: 'orders:read', resource: setup.resource });
    assert.ok(machine.access_token);
  },
  async client_credentials() {
    const tokens = await oidc.clientCredentialsGrant(await configure('service'), { scope: 'orders:read', resource: setup.resource });
    assert.equal(tokens.token_type, 'bearer');
  },
  async introspection() {
    const config = await configure('web');
    const tokens = await signedIn(config, 'web');
    assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, true);
    assert.equal((await oidc.tokenIntrospection(config, 'unknown')).active, false);
  },
  async revocation() {
    const config = await configure('web');
    const tokens = await signedIn(config, 'web', { scope: 'openid offline_access' });
    await oidc.tokenRevocation(config, tokens.refresh_token);
    await oidc.tokenRevocation(config, 'unknown');
    await refused(oidc.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant');
    assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, false);
  },
  async login_required() {
    const config = await configure('web');
    const verifier = oidc.randomPKCECodeVerifier();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: clients.web.redirect, scope: 'openid', prompt: 'none', code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    });
    const back = new URL((await ask({ visit: String(url), fresh: true })).redirect);
    await refused(oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier }), 'login_required');
  },
  async logout() {
    const config = await configure('logout');
    const tokens = await signedIn(config, 'logout');
    const url = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: setup.bye, state: 'over' });
    const back = await visit(url);
    assert.equal(back.origin + back.pathname, setup.bye);
    assert.equal(back.searchParams.get('state'), 'over');
  },
});
