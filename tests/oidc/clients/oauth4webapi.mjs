// oauth4webapi 3: every answer goes through its strict processing.

import * as oauth from 'oauth4webapi';

import { assert, ask, dpopKeys, privateKey, refused, run, setup, visit } from './bridge.mjs';

const issuer = new URL(setup.issuer);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));

function known(name, authentication) {
  const { id, auth, secret, redirect } = setup.clients[name];
  const prove = authentication
    ?? { client_secret_basic: () => oauth.ClientSecretBasic(secret), client_secret_post: () => oauth.ClientSecretPost(secret), none: () => oauth.None() }[auth]();
  return { client: { client_id: id }, prove, redirect };
}

async function pushedUrl({ client, prove }, parameters, dpop) {
  const answer = await oauth.pushedAuthorizationRequest(server, client, prove, parameters, { DPoP: dpop });
  const { request_uri: uri } = await oauth.processPushedAuthorizationResponse(server, client, answer);
  return { client_id: client.client_id, request_uri: uri };
}

// A request once more, where the answer was that its proof needs a nonce (RFC 9449 §8): the library has it by then.
async function again(request) {
  try {
    return await request();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return request();
  }
}

async function codeFlow(one, { scope = 'openid email', par = false, dpop } = {}) {
  const { client, prove, redirect } = one;
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const parameters = {
    client_id: client.client_id, redirect_uri: redirect, response_type: 'code', scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
  };
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams(par ? await pushedUrl(one, parameters, dpop) : parameters);
  const callback = oauth.validateAuthResponse(server, client, await visit(url), state);
  let answer;
  const tokens = await again(async () => {
    answer = await oauth.authorizationCodeGrantRequest(server, client, prove, callback, redirect, verifier, { DPoP: dpop });
    return oauth.processAuthorizationCodeResponse(server, client, answer, { expectedNonce: nonce, requireIdToken: true });
  });
  await oauth.validateApplicationLevelSignature(server, answer);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const about = await again(async () => oauth.processUserInfoResponse(
    server, client, sub, await oauth.userInfoRequest(server, client, tokens.access_token, { DPoP: dpop })));
  assert.equal(about.sub, sub);
  return tokens;
}

async function refresh({ client, prove }, token, dpop) {
  return again(async () => oauth.processRefreshTokenResponse(
    server, client, await oauth.refreshTokenGrantRequest(server, client, prove, token, { DPoP: dpop })));
}

async function machine({ client, prove }) {
  const fields = { scope: 'orders:read', resource: setup.resource };
  return oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(server, client, prove, fields));
}

await run({
  async code() {
    for (const name of ['web', 'post', 'spa']) await codeFlow(known(name));
  },
  async refresh() {
    const spa = known('spa');
    const first = await codeFlow(spa, { scope: 'openid offline_access' });
    const second = await refresh(spa, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    await refused(refresh(spa, first.refresh_token), 'invalid_grant');
    await refused(refresh(spa, second.refresh_token), 'invalid_grant');
  },
  async device() {
    const { client, prove } = known('tv');
    const begun = await oauth.processDeviceAuthorizationResponse(server, client,
      await oauth.deviceAuthorizationRequest(server, client, prove, { scope: 'openid' }));
    await ask({ device: begun.verification_uri, user_code: begun.user_code });
    const answer = await oauth.deviceCodeGrantRequest(server, client, prove, begun.device_code);
    const tokens = await oauth.processDeviceCodeResponse(server, client, answer);
    assert.ok(oauth.getValidatedIdTokenClaims(tokens).sub);
  },
  async par() {
    for (const name of ['web', 'post', 'spa']) await codeFlow(known(name), { par: true });
  },
  async dpop() {
    const one = known('dpop');
    const dpop = oauth.DPoP(one.client, await dpopKeys());
    const tokens = await codeFlow(one, { dpop, scope: 'openid offline_access' });
    assert.equal(tokens.token_type, 'dpop');
    assert.equal((await refresh(one, tokens.refresh_token, dpop)).token_type, 'dpop');
  },
  async private_key_jwt() {
    const one = known('jwt', oauth.PrivateKeyJwt({ key: await privateKey(setup.clients.jwt), kid: setup.clients.jwt.jwk.kid }));
    await codeFlow(one, { par: true });
    await machine(one);
  },
  async client_credentials() {
    await machine(known('service'));
  },
  async jwt_access_token() {
    const tokens = await machine(known('service'));
    const request = new Request(setup.resource, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request, setup.resource);
    assert.equal(claims.client_id, 'service');
  },
  async introspection() {
    const { client, prove } = known('web');
    const tokens = await codeFlow(known('web'));
    const told = async (token) => oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, prove, token));
    assert.equal((await told(tokens.access_token)).active, true);
    assert.equal((await told('unknown')).active, false);
  },
  async revocation() {
    const { client, prove } = known('web');
    const tokens = await codeFlow(known('web'), { scope: 'openid offline_access' });
    for (const token of [tokens.refresh_token, 'unknown']) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, prove, token));
    }
    await refused(refresh(known('web'), tokens.refresh_token), 'invalid_grant');
  },
});
