// oidc-client-ts in a real browser: the scenario's steps in a page of ours, the user's in the provider's pages.

import { readFileSync } from 'node:fs';
import https from 'node:https';
import { fileURLToPath } from 'node:url';

import { assert, run, setup } from './bridge.mjs';
import { fillIn, open } from './chromium.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const page = readFileSync(here('page.html'));
const script = readFileSync(here('../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js'));
const client = setup.clients.page;
const base = new URL(client.redirect).origin;

const server = https.createServer({ cert: readFileSync(setup.cert), key: readFileSync(setup.key) }, (request, response) => {
  const isScript = request.url === '/oidc-client-ts.js';
  response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' }).end(isScript ? script : page);
});
await new Promise((resolve) => { server.listen(new URL(base).port, '127.0.0.1', resolve); });
const { browser, tab } = await open(setup.devtools);
const options = {
  authority: setup.issuer, client_id: client.id, redirect_uri: client.redirect, post_logout_redirect_uri: `${base}/bye`,
  silent_redirect_uri: client.redirect, scope: 'openid email offline_access', loadUserInfo: true, automaticSilentRenew: false,
};

// Within the page: `call` is a method of UserManager; what it gives back comes as plain values.
function within(call, argument, more = {}) {
  return tab.evaluate(async ([settings, method, given]) => {
    const manager = new window.oidc.UserManager({ ...settings, userStore: new window.oidc.WebStorageStateStore({ store: window.localStorage }) });
    const result = await manager[method](given);
    return result && JSON.parse(JSON.stringify({ ...result, expired: undefined }));
  }, [{ ...options, ...more }, call, argument]);
}

async function signIn(more) {
  await tab.goto(base);
  await within('signinRedirect', { prompt: 'consent' }, more).catch((error) => {
    if (!/context was destroyed|navigat/.test(error.message)) throw error;
  });
  await fillIn(tab, setup.user, client.redirect);
  assert.ok(tab.url().startsWith(`${client.redirect}?`), tab.url());
  return within('signinCallback', undefined, more);
}

await run({
  async code() {
    const user = await signIn();
    assert.equal(user.profile.email, setup.user.email);
    assert.ok(user.access_token && user.refresh_token);
    await browser.close();
  },
  async refresh() {
    const first = await signIn();
    const second = await within('signinSilent');
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.notEqual(second.access_token, first.access_token);
    await browser.close();
  },
  async revocation() {
    await signIn();
    await within('revokeTokens');
    await browser.close();
  },
  async logout() {
    await signIn();
    await within('signoutRedirect').catch(() => {});
    await fillIn(tab, setup.user, `${base}/bye`);
    assert.equal(new URL(tab.url()).pathname, '/bye');
    await browser.close();
  },
});
