// The provider that proves the suite: node-oidc-provider behind TLS, everything in memory, with login and consent forms
// whose fields are named as Gatehouse's. One argument: a JSON file made by targets.py. Prints `ready` and ends on SIGTERM.

import { X509Certificate, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';

import Provider, { errors } from 'oidc-provider';

import { addTokenExchange } from './node_exchange.mjs';
import * as passkeys from './node_passkeys.mjs';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const users = new Map(settings.users.map((user) => [user.username, user]));
const bySubject = new Map(settings.users.map((user) => [user.sub, user]));

class Memory {
  static rows = new Map();

  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    Memory.rows.set(this.key(id), structuredClone(payload));
  }

  async find(id) {
    const row = Memory.rows.get(this.key(id));
    return row && structuredClone(row);
  }

  async findBy(field, value) {
    for (const [key, row] of Memory.rows) {
      if (key.startsWith(`${this.model}:`) && row[field] === value) return structuredClone(row);
    }
    return undefined;
  }

  findByUid(uid) {
    return this.findBy('uid', uid);
  }

  findByUserCode(code) {
    return this.findBy('userCode', code);
  }

  async consume(id) {
    Memory.rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Memory.rows.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, row] of Memory.rows) if (row.grantId === grantId) Memory.rows.delete(key);
  }
}

function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function page(title, body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body>${body}</body></html>`;
}

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin', // with no-referrer Chromium posts forms with `Origin: null`
};

// what another site can't know: bound to the interaction, in every form
const formKey = randomBytes(32);
const formToken = (uid) => createHmac('sha256', formKey).update(uid).digest('base64url');
const hidden = (uid) => `<input type="hidden" name="token" value="${formToken(uid)}">`;

const alert = (message) => (message ? `<p role="alert">${escape(message)}</p>` : '');
const proved = new Map(); // interaction -> whose password was given, where a passkey is asked as well

async function loginPage(uid, message = '', username = '') {
  const button = await passkeys.loginButton(uid, undefined, hidden(uid));
  return page('Sign in', `${alert(message)}<form method="post" action="/interaction/${uid}/login">${hidden(uid)}
    <input name="username" value="${escape(username)}"><input type="password" name="password"><button>Sign in</button></form>${button}`);
}

async function secondPage(uid, message = '') {
  return page('Second factor', `${alert(message)}${await passkeys.loginButton(uid, proved.get(uid), hidden(uid))}`);
}

function consentPage(uid, client, scopes) {
  return page('Consent', `<p>${escape(client.clientName ?? client.clientId)} asks for: ${escape(scopes)}</p>
    <form method="post" action="/interaction/${uid}/consent">${hidden(uid)}<button name="decision" value="allow">Allow</button>
    <button name="decision" value="deny">Deny</button></form>`);
}

const provider = new Provider(settings.issuer, {
  adapter: Memory,
  clockTolerance: 0,
  clients: settings.clients,
  jwks: settings.jwks,
  cookies: { keys: [randomBytes(32).toString('hex')], long: { secure: true, httpOnly: true, sameSite: 'none' } },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'address', 'phone', 'orders:read', 'orders:write'],
  claims: {
    openid: ['sub', 'amr'],
    profile: ['name', 'family_name', 'given_name', 'preferred_username', 'locale', 'zoneinfo'],
    email: ['email', 'email_verified'],
    phone: ['phone_number', 'phone_number_verified'],
    address: ['address'],
  },
  acrValues: ['urn:gatehouse:mfa'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA'], requestObjectSigningAlgValues: ['ES256', 'RS256'] },
  responseTypes: ['code'],
  pkce: { required: (ctx, client) => !client.pkce_optional },
  extraClientMetadata: { properties: ['pkce_optional'] },
  enableHttpPostMethods: true,
  rotateRefreshToken: true,
  issueRefreshToken: (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  expiresWithSession: () => false,
  clientBasedCORS: (ctx, origin, client) => settings.script_origins.includes(origin) && client.clientAuthMethod === 'none',
  ttl: { ...settings.ttl },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form, out, error) => {
        const message = error ? 'That code is not known.' : '';
        ctx.set('content-security-policy', pageHeaders['content-security-policy']);
        ctx.body = page('Device', `<p>${message}</p>${form.replace('</form>', '<button>Go on</button></form>')}`);
      },
      userCodeConfirmSource: (ctx, form, client) => {
        ctx.set('content-security-policy', pageHeaders['content-security-policy']);
        ctx.body = page('Device', `<p>${escape(client.clientId)}</p>${form.replace('</form>', '<button>Go on</button></form>')}`);
      },
      successSource: (ctx) => {
        ctx.body = page('Device', '<p>Done.</p>');
      },
    },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: (ctx) => settings.dpop_nonce_clients.includes(ctx.oidc.client?.clientId) },
    introspection: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => {
        const peer = ctx.socket.getPeerCertificate();
        return peer?.raw ? new X509Certificate(peer.raw) : undefined;
      },
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_subject_dn' && `CN=${ctx.socket.getPeerCertificate().subject.CN}` === expected,
    },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => false,
      getResourceServerInfo: (ctx, resource, client) => {
        const known = settings.resources[resource];
        if (!known || !settings.client_resources[client.clientId].includes(resource)) throw new errors.InvalidTarget();
        return { scope: known.scope, audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } } };
      },
    },
    revocation: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        ctx.body = page('Sign out', form.replace('</form>', '<button name="logout" value="yes">Sign out</button></form>'));
      },
      postLogoutSuccessSource: (ctx) => {
        ctx.body = page('Signed out', '<p>You are signed out.</p>');
      },
    },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.set('content-security-policy', pageHeaders['content-security-policy']);
    ctx.body = page('Error', `<p>${escape(out.error)}</p>`);
  },
  // its own dispatcher refuses loopback addresses, where the tests' receiver of logout tokens is
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  findAccount: (ctx, sub) => {
    const user = bySubject.get(sub);
    return user && { accountId: sub, claims: () => ({ sub, ...user.claims }) };
  },
});
addTokenExchange(provider, settings);
for (const event of ['server_error', 'backchannel.error']) provider.on(event, (ctx, error) => console.error(event, error));

async function readForm(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

async function saveGrant(details) {
  const { session, params, grantId, prompt: { details: wanted } } = details;
  const grant = (grantId && await provider.Grant.find(grantId))
    ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (wanted.missingOIDCScope) grant.addOIDCScope(wanted.missingOIDCScope.join(' '));
  if (wanted.missingOIDCClaims) grant.addOIDCClaims(wanted.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(wanted.missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return grant.save();
}

const denied = { error: 'access_denied', error_description: 'the user said no' };

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const { uid, prompt, params } = details;
  const show = (body) => response.writeHead(200, pageHeaders).end(body);
  const finish = (accountId, amr) => {
    proved.delete(uid);
    return provider.interactionFinished(request, response, { login: { accountId, amr } }, { mergeWithLastSubmission: false });
  };
  if (request.method === 'GET') {
    if (prompt.name === 'login') return show(proved.has(uid) ? await secondPage(uid) : await loginPage(uid, '', params.login_hint));
    return show(consentPage(uid, await provider.Client.find(params.client_id), params.scope ?? ''));
  }
  if (request.headers.origin !== settings.issuer) return response.writeHead(403, pageHeaders).end(page('Error', '<p>From elsewhere.</p>'));
  const form = await readForm(request);
  if (form.get('token') !== formToken(uid)) return response.writeHead(403, pageHeaders).end(page('Error', '<p>Not from our page.</p>'));
  if (request.url.endsWith('/login')) {
    const user = users.get(form.get('username'));
    if (user?.password !== form.get('password')) return show(await loginPage(uid, 'The name or the password is wrong.', form.get('username')));
    if (!passkeys.keysOf(user.sub).length) return finish(user.sub, ['pwd']);
    proved.set(uid, user.sub);
    return show(await secondPage(uid));
  }
  if (request.url.endsWith('/passkey')) {
    const sub = await passkeys.authenticate(settings.issuer, uid, form.get('credential'));
    const first = proved.get(uid);
    if (!sub || (first && first !== sub)) return show(first ? await secondPage(uid, 'That did not work.') : await loginPage(uid, 'That did not work.'));
    return finish(sub, first ? ['pwd', 'hwk', 'mfa'] : ['hwk', 'mfa']);
  }
  const result = form.get('decision') === 'allow' ? { consent: { grantId: await saveGrant(details) } } : denied;
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

// The page to enrol passkeys at, for whoever is signed in.
async function account(request, response) {
  const session = await provider.Session.get(provider.createContext(request, response));
  const user = bySubject.get(session?.accountId);
  if (!user) return response.writeHead(403, pageHeaders).end(page('Error', '<p>Not signed in.</p>'));
  let message = '';
  if (request.method === 'POST') {
    const form = await readForm(request);
    const good = form.get('token') === formToken(user.sub) && await passkeys.enrol(settings.issuer, user, form.get('credential'));
    message = good ? '' : 'That did not work.';
  }
  return response.writeHead(200, pageHeaders).end(page('Passkeys', alert(message) + await passkeys.enrolmentForm(user, hidden(user.sub))));
}

const answerOthers = provider.callback();
const server = https.createServer(
  { cert: readFileSync(settings.cert), key: readFileSync(settings.key), ca: readFileSync(settings.ca), requestCert: true, rejectUnauthorized: false },
  (request, response) => {
    if (request.url === '/passkeys.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(passkeys.passkeyScript);
    const own = { interaction: interact, account }[request.url.split('/')[1]];
    if (!own) return answerOthers(request, response);
    return own(request, response).catch((error) => {
      response.writeHead(error.statusCode ?? 500, pageHeaders).end(page('Error', `<p>${escape(error.message)}</p>`));
    });
  },
);
server.listen(settings.port, '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
