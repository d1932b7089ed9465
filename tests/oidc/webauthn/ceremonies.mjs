// Chromium with a virtual authenticator (DevTools protocol, domain WebAuthn), and hands between a page and
// navigator.credentials: what a page asks for and what it gets can be seen, kept and exchanged for something else.

import https from 'node:https';
import { readFileSync } from 'node:fs';

const usual = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

export class Authenticator {
  static async plug(tab, options = {}) {
    const session = await tab.context().newCDPSession(tab);
    await session.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options: { ...usual, ...options } });
    return Object.assign(new Authenticator(), { session, id: authenticatorId });
  }

  async credentials() {
    return (await this.session.send('WebAuthn.getCredentials', { authenticatorId: this.id })).credentials;
  }

  // Takes keys over from another authenticator, with `changes` to each.
  async adopt(credentials, changes = {}) {
    for (const credential of credentials) {
      await this.session.send('WebAuthn.addCredential', { authenticatorId: this.id, credential: { ...credential, ...changes } });
    }
  }

  async forgetAll() {
    await this.session.send('WebAuthn.clearCredentials', { authenticatorId: this.id });
  }

  verifiesUser(yes) {
    return this.session.send('WebAuthn.setUserVerified', { authenticatorId: this.id, isUserVerified: yes });
  }
}

// Runs in every page of the tab, before its own scripts. `window.hands(kind, options)` decides: null lets the browser do
// it (with the options that `bend` names), anything else is given to the page as the credential.
function betweenPageAndBrowser() {
  const bytes = (value) => (value instanceof ArrayBuffer || ArrayBuffer.isView(value));
  const text = (value) => btoa(String.fromCharCode(...new Uint8Array(value.buffer ?? value))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const buffer = (value) => Uint8Array.from(atob(value.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0)).buffer;
  const plain = (value) => {
    if (bytes(value)) return { bytes: text(value) };
    if (Array.isArray(value)) return value.map(plain);
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    return value;
  };
  const full = (value) => {
    if (value && typeof value === 'object' && 'bytes' in value) return buffer(value.bytes);
    if (Array.isArray(value)) return value.map(full);
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, full(inner)]));
    return value;
  };
  const told = (credential) => {
    const { response } = credential;
    const parts = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
    return {
      id: credential.id, type: credential.type, transports: response.getTransports?.(), attachment: credential.authenticatorAttachment,
      response: Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, text(response[part])])),
    };
  };
  const made = (given) => {
    const response = Object.fromEntries(Object.entries(given.response).map(([key, value]) => [key, buffer(value)]));
    const extras = { getTransports: () => given.transports ?? [], getPublicKeyAlgorithm: () => -7, getPublicKey: () => null,
      getAuthenticatorData: () => response.authenticatorData };
    return {
      id: given.id, rawId: buffer(given.rawId ?? given.id), type: given.type, authenticatorAttachment: given.attachment,
      response: Object.assign(response, extras), getClientExtensionResults: () => ({}),
      toJSON: () => ({ id: given.id, rawId: given.rawId ?? given.id, type: given.type, authenticatorAttachment: given.attachment,
        clientExtensionResults: {}, response: { ...given.response, transports: given.transports ?? [] } }),
    };
  };
  for (const kind of ['create', 'get']) {
    const original = navigator.credentials[kind].bind(navigator.credentials);
    navigator.credentials[kind] = async (options) => {
      if (options.mediation === 'conditional') return new Promise(() => {}); // the browser's autofill: nobody picks one
      const answer = await window.hands(kind, plain(options.publicKey));
      if (answer?.credential) return made(answer.credential);
      const asked = answer?.publicKey ? { ...options, publicKey: full(answer.publicKey) } : options;
      const credential = await original({ publicKey: asked.publicKey });
      await window.seen(kind, told(credential));
      return credential;
    };
  }
  window.ceremony = async (kind, publicKey) => told(await navigator.credentials[kind]({ publicKey: full(publicKey) }));
}

// What stands between: `decide` may be set; `asked` and `given` remember.
export class Hands {
  static async on(tab) {
    const hands = Object.assign(new Hands(), { decide: async () => null, asked: [], given: [] });
    await tab.exposeFunction('hands', async (kind, options) => {
      hands.asked.push({ kind, options });
      return hands.decide(kind, options);
    });
    await tab.exposeFunction('seen', (kind, credential) => {
      hands.given.push({ kind, credential });
    });
    await tab.addInitScript(betweenPageAndBrowser);
    return hands;
  }
}

// Another origin with the same relying party identifier: the same host, another port.
export async function elsewhere(cert, key) {
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Elsewhere</title>');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `https://localhost:${server.address().port}/`, close: () => server.close() };
}
