// Passkeys for the provider that proves the suite, by @simplewebauthn/server: a page to enrol keys at, and ceremonies
// for the login and the second factor. Everything in memory, by user.

import { generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';

const keys = new Map(); // credential id -> { user, publicKey, counter }
const challenges = new Map(); // challenge -> what it was made for; each is for once

const script = `
const out = (v) => btoa(String.fromCharCode(...new Uint8Array(v))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
const into = (v) => Uint8Array.from(atob(v.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const told = ({ id, rawId, type, response, authenticatorAttachment }) => ({ id, rawId: out(rawId), type, authenticatorAttachment,
  clientExtensionResults: {}, response: Object.fromEntries(['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']
    .filter((name) => response[name]).map((name) => [name, out(response[name])])) });
document.querySelector('button[data-webauthn]').addEventListener('click', async ({ target }) => {
  const given = JSON.parse(target.dataset.options);
  const publicKey = { ...given, challenge: into(given.challenge), ...(given.user ? { user: { ...given.user, id: into(given.user.id) } } : {}) };
  for (const name of ['excludeCredentials', 'allowCredentials']) publicKey[name] = (given[name] ?? []).map((one) => ({ ...one, id: into(one.id) }));
  const form = document.querySelector('form[data-webauthn]');
  try {
    form.elements.credential.value = JSON.stringify(told(await navigator.credentials[target.dataset.webauthn]({ publicKey })));
  } catch (error) {
    form.elements.credential.value = JSON.stringify({ error: error.name });
  }
  form.submit();
});`;

export const passkeyScript = script;

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function button(kind, options, action, hidden) {
  return `<form method="post" data-webauthn action="${action}">${hidden}<input type="hidden" name="credential"></form>
    <button type="button" data-webauthn="${kind}" data-options="${escape(JSON.stringify(options))}">Use a passkey</button>
    <script src="/passkeys.js"></script>`;
}

export const keysOf = (sub) => [...keys].filter(([, key]) => key.user === sub).map(([id]) => id);

export async function enrolmentForm(user, hidden) {
  const options = await generateRegistrationOptions({
    rpName: 'Tests', rpID: 'localhost', userName: user.username, userID: Buffer.from(user.sub),
    excludeCredentials: keysOf(user.sub).map((id) => ({ id })), supportedAlgorithmIDs: [-7, -257],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
  challenges.set(options.challenge, `enrol ${user.sub}`);
  const list = keysOf(user.sub).map((id) => `<li data-credential="${id}">a key</li>`).join('');
  return `<ul>${list}</ul>${button('create', options, '/account/passkeys', hidden)}`;
}

export async function loginButton(uid, sub, hidden) {
  const options = await generateAuthenticationOptions({
    rpID: 'localhost', userVerification: 'required', allowCredentials: sub ? keysOf(sub).map((id) => ({ id })) : [],
  });
  challenges.set(options.challenge, `login ${uid}`);
  return button('get', options, `/interaction/${uid}/passkey`, hidden);
}

// For a challenge of ours and this purpose, once.
const expected = (purpose) => (challenge) => {
  const good = challenges.get(challenge) === purpose;
  challenges.delete(challenge);
  return good;
};

export async function enrol(origin, user, text) {
  try {
    const response = JSON.parse(text);
    const { verified, registrationInfo: info } = await verifyRegistrationResponse({
      response, expectedChallenge: expected(`enrol ${user.sub}`), expectedOrigin: origin, expectedRPID: 'localhost', requireUserVerification: true,
    });
    if (!verified || keys.has(info.credential.id)) return false;
    keys.set(info.credential.id, { user: user.sub, publicKey: info.credential.publicKey, counter: info.credential.counter });
    return true;
  } catch {
    return false;
  }
}

// The user whose key it is; undefined when anything is wrong.
export async function authenticate(origin, uid, text) {
  try {
    const response = JSON.parse(text);
    const key = keys.get(response.id);
    const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
      response, expectedChallenge: expected(`login ${uid}`), expectedOrigin: origin, expectedRPID: 'localhost', requireUserVerification: true,
      credential: { id: response.id, publicKey: key.publicKey, counter: key.counter },
    });
    const owner = response.response.userHandle ? Buffer.from(response.response.userHandle, 'base64url').toString() : key.user;
    if (!verified || owner !== key.user) return undefined;
    key.counter = info.newCounter;
    return key.user;
  } catch {
    return undefined;
  }
}
