// Token exchange (RFC 8693) for the provider that proves the suite, which has none: JWT access tokens of its own for
// others, narrowed to a resource of the client.

import { createPublicKey } from 'node:crypto';

import * as jose from 'jose';
import { errors } from 'oidc-provider';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';

function wellFormed({ subject_token: token, subject_token_type: type, requested_token_type: wanted, actor_token: actor, actor_token_type: actorType }) {
  if (!token || !type) throw new errors.InvalidRequest('subject_token and subject_token_type are required');
  if (type !== accessToken || (wanted && wanted !== accessToken)) throw new errors.InvalidRequest('only access tokens');
  if (actor || actorType) throw new errors.InvalidRequest('no actors');
}

export function addTokenExchange(provider, settings) {
  const keys = new Map(settings.jwks.keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]));

  async function subject(token, client) {
    try {
      const { payload } = await jose.jwtVerify(token, ({ kid }) => keys.get(kid), { issuer: settings.issuer, typ: 'at+jwt', algorithms: ['ES256'] });
      if (payload.cnf || !settings.own_resources[client.clientId]?.includes(payload.aud)) throw new Error('not for this client');
      return payload;
    } catch {
      throw new errors.InvalidRequest('the subject token is not valid');
    }
  }

  provider.registerGrantType(grantType, async (ctx) => {
    const { client, params } = ctx.oidc;
    wellFormed(params);
    const resource = params.resource ?? params.audience;
    if (resource && !settings.client_resources[client.clientId]?.includes(resource)) throw new errors.InvalidTarget();
    const { sub, scope = '', exp } = await subject(params.subject_token, client);
    if (!resource) throw new errors.InvalidTarget();
    const scopes = (params.scope ?? scope).split(' ');
    if (!scopes.every((one) => scope.split(' ').includes(one))) throw new errors.InvalidScope('more than the subject token has', params.scope);
    const made = new provider.AccessToken({ accountId: sub, client, scope: scopes.join(' '), gty: 'token_exchange', expiresIn: exp - Math.floor(Date.now() / 1000) });
    made.resourceServer = new provider.ResourceServer(resource, {
      scope: settings.resources[resource].scope, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
    });
    ctx.body = {
      access_token: await made.save(), issued_token_type: accessToken, token_type: 'Bearer', expires_in: made.expiration, scope: made.scope,
    };
  }, ['subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type', 'resource', 'audience', 'scope']);
}
