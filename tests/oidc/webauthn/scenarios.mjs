// Each scenario is one ceremony gone right, or bent in one place. The bridge gives the user and the address to log in at.

import { assert, ask, run, setup } from '../clients/bridge.mjs';
import { fillIn, open } from '../clients/chromium.mjs';
import { Authenticator, elsewhere, Hands } from './ceremonies.mjs';
import { paths, selectors } from './selectors.mjs';

const callback = setup.clients.web.redirect;

async function start(options) {
  const { browser, tab } = await open(setup.devtools);
  await tab.route(`${callback}*`, (route) => route.fulfill({ status: 200, body: 'back at the client' }));
  const hands = await Hands.on(tab);
  const key = await Authenticator.plug(tab, options);
  return { browser, tab, hands, key };
}

const request = async (more = {}) => (await ask({ request: more })).url;
const verdict = async (tab) => (await ask({ redeem: tab.url() })).claims;

// Until the client is reached, or the page says no. A consent that is asked for on the way is given.
async function settled(tab) {
  const end = Date.now() + 15000;
  while (Date.now() < end) {
    if (tab.url().startsWith(callback)) return true;
    if (await tab.locator(selectors.failed).count().catch(() => 0)) return false;
    const allow = tab.locator('button[name=decision][value=allow]');
    if (await allow.count().catch(() => 0)) await allow.click().catch(() => {});
    await tab.waitForLoadState('load');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`neither in nor refused: ${tab.url()} ${await tab.content()}`);
}

async function password(tab, user = setup.user, more = {}) {
  await tab.goto(await request({ prompt: 'login', ...more }));
  await tab.fill('input[name=username]', user.name);
  if (!await tab.locator('input[name=password]').count()) await tab.press('input[name=username]', 'Enter');
  await tab.fill('input[name=password]', user.password);
  await Promise.all([tab.waitForEvent('framenavigated'), tab.press('input[name=password]', 'Enter')]);
}

async function enrol({ tab, hands }, user = setup.user, isSignedIn = false) {
  if (!isSignedIn) {
    await password(tab, user);
    if (!tab.url().startsWith(callback)) await fillIn(tab, user, callback);
  }
  const before = await enrolled(tab);
  await tab.goto(setup.issuer + paths.enrol);
  if (!await tab.locator(selectors.create).count() && await tab.locator(selectors.get).count()) {
    await Promise.all([tab.waitForEvent('framenavigated'), tab.click(selectors.get)]); // who has a key shows it before adding another
    await tab.waitForLoadState('load');
    await tab.goto(setup.issuer + paths.enrol);
  }
  if (await tab.locator(selectors.label).count()) await tab.fill(selectors.label, 'test key');
  const told = Promise.any([tab.waitForEvent('framenavigated'), tab.locator(selectors.failed).first().waitFor()]);
  await tab.click(selectors.create);
  await told;
  await tab.waitForLoadState('load');
  assert.equal(hands.asked.at(-1).kind, 'create');
  return await enrolled(tab) > before;
}

async function enrolled(tab) {
  await tab.goto(setup.issuer + paths.enrolled);
  return tab.locator(selectors.enrolled).count();
}

async function signOut(tab) {
  await tab.context().clearCookies();
}

// With the second factor, after the password.
async function second(tab, more) {
  await password(tab, setup.user, more);
  await tab.click(selectors.get);
  return settled(tab);
}

async function passwordless(tab) {
  await tab.goto(await request({ prompt: 'login' }));
  await tab.click(selectors.get);
  return settled(tab);
}

// The same ceremony as the page asks for, but at another origin; its credential as plain values.
async function ceremonyElsewhere(browser, key, kind, options) {
  const place = await elsewhere(setup.cert, setup.key);
  const tab = await browser.newPage();
  await Hands.on(tab);
  const twin = await Authenticator.plug(tab);
  await twin.adopt(await key.credentials());
  await tab.goto(place.url);
  const credential = await tab.evaluate(([what, publicKey]) => window.ceremony(what, publicKey), [kind, options]);
  place.close();
  return credential;
}

async function refusedSignIn(bend) {
  const one = await start();
  assert.ok(await enrol(one), 'the key was not enrolled');
  await signOut(one.tab);
  await bend(one);
  assert.equal(await passwordless(one.tab), false, `let in: ${one.tab.url()}`);
  await one.browser.close();
}

await run({
  async registration() {
    const one = await start();
    assert.ok(await enrol(one));
    const [credential, ...more] = await one.key.credentials();
    assert.equal(more.length, 0);
    assert.equal(credential.rpId, 'localhost');
    const { options } = one.hands.asked.at(-1);
    assert.ok(options.challenge.bytes.length >= 22 && options.pubKeyCredParams.some(({ alg }) => alg === -7));
    assert.ok(options.user.id.bytes.length <= 86 && !Buffer.from(options.user.id.bytes, 'base64url').includes(setup.user.email));
    await one.browser.close();
  },
  async registered_key_is_excluded() {
    const one = await start();
    assert.ok(await enrol(one));
    await enrol(one, setup.user, true).catch(() => false);
    assert.equal(one.hands.asked.at(-1).options.excludeCredentials.length, 1);
    assert.equal((await one.key.credentials()).length, 1);
    await one.browser.close();
  },
  async second_factor() {
    const one = await start();
    assert.ok(await enrol(one));
    await signOut(one.tab);
    assert.ok(await second(one.tab));
    const { amr } = await verdict(one.tab);
    assert.ok(amr.includes('pwd') && amr.some((word) => ['hwk', 'swk', 'pop', 'user', 'mfa'].includes(word)), String(amr));
    await one.browser.close();
  },
  async without_passkey_no_entry() {
    const one = await start();
    assert.ok(await enrol(one));
    await signOut(one.tab);
    await password(one.tab);
    assert.ok(!one.tab.url().startsWith(callback), 'the password alone was enough');
    await one.browser.close();
  },
  async signs_in_passwordless() {
    const one = await start();
    assert.ok(await enrol(one));
    await signOut(one.tab);
    assert.ok(await passwordless(one.tab));
    const claims = await verdict(one.tab);
    assert.ok(!claims.amr.includes('pwd') && claims.sub);
    await one.browser.close();
  },
  async registration_at_another_origin() {
    const one = await start();
    one.hands.decide = async (kind, options) => ({ credential: await ceremonyElsewhere(one.browser, one.key, kind, options) });
    assert.equal(await enrol(one), false);
    await one.browser.close();
  },
  async another_origin() {
    await refusedSignIn((one) => {
      one.hands.decide = async (kind, options) => ({ credential: await ceremonyElsewhere(one.browser, one.key, kind, options) });
    });
  },
  async replayed_challenge() {
    const one = await start();
    assert.ok(await enrol(one));
    await signOut(one.tab);
    assert.ok(await passwordless(one.tab));
    const { credential } = one.hands.given.at(-1);
    await signOut(one.tab);
    one.hands.decide = async () => ({ credential });
    assert.equal(await passwordless(one.tab), false);
    await one.browser.close();
  },
  async replayed_registration() {
    const one = await start();
    assert.ok(await enrol(one));
    const { credential } = one.hands.given.at(-1);
    one.hands.decide = async (kind) => (kind === 'create' ? { credential } : null);
    assert.equal(await enrol(one, setup.user, true), false);
    await one.browser.close();
  },
  async another_users_key() {
    const one = await start();
    assert.ok(await enrol(one, setup.other), 'the other user has no key');
    await signOut(one.tab);
    const theirs = await one.key.credentials();
    await one.key.forgetAll();
    assert.ok(await enrol(one), 'the user has no key');
    await signOut(one.tab);
    await one.key.forgetAll();
    await one.key.adopt(theirs);
    one.hands.decide = async (kind, options) => ({ publicKey: { ...options, allowCredentials: theirs.map(({ credentialId }) => ({
      type: 'public-key', id: { bytes: Buffer.from(credentialId, 'base64').toString('base64url') } })) } });
    assert.equal(await second(one.tab), false, 'a key of another user was a second factor');
    await one.browser.close();
  },
  async user_handle_of_another() {
    await refusedSignIn((one) => {
      one.hands.decide = async (kind, options) => {
        const credential = await ceremonyHere(one, kind, options);
        credential.response.userHandle = Buffer.from('somebody else').toString('base64url');
        return { credential };
      };
    });
  },
  async user_not_verified() {
    await refusedSignIn(async (one) => {
      await one.key.verifiesUser(false);
      one.hands.decide = async (kind, options) => ({ publicKey: { ...options, userVerification: 'discouraged' } });
    });
  },
  async tampered_signature() {
    await refusedSignIn((one) => {
      one.hands.decide = async (kind, options) => {
        const credential = await ceremonyHere(one, kind, options);
        const signature = Buffer.from(credential.response.signature, 'base64url');
        signature[signature.length - 1] ^= 1;
        credential.response.signature = signature.toString('base64url');
        return { credential };
      };
    });
  },
  async identifier_disagrees() {
    await refusedSignIn((one) => {
      one.hands.decide = async (kind, options) => {
        const credential = await ceremonyHere(one, kind, options);
        return { credential: { ...credential, rawId: Buffer.from('another').toString('base64url') } };
      };
    });
  },
  async trailing_bytes() {
    await refusedSignIn((one) => {
      one.hands.decide = async (kind, options) => {
        const credential = await ceremonyHere(one, kind, options);
        credential.response.authenticatorData = Buffer.concat([Buffer.from(credential.response.authenticatorData, 'base64url'), Buffer.alloc(4)]).toString('base64url');
        return { credential };
      };
    });
  },
  async counter_going_back() {
    const one = await start({ isUserVerified: true });
    assert.ok(await enrol(one));
    const [fresh] = await one.key.credentials();
    for (let round = 0; round < 3; round += 1) {
      await signOut(one.tab);
      assert.ok(await passwordless(one.tab));
    }
    const [used] = await one.key.credentials();
    assert.ok(used.signCount > fresh.signCount, 'this authenticator does not count');
    await one.key.forgetAll();
    await one.key.adopt([used], { signCount: 0 });
    await signOut(one.tab);
    assert.equal(await passwordless(one.tab), false, 'a copy of the key was let in');
    await one.browser.close();
  },
});

// As the page asks, in a tab of its own at the same origin; so that the credential can be bent before the page has it.
async function ceremonyHere(one, kind, options) {
  const tab = await one.browser.newPage();
  await Hands.on(tab);
  const twin = await Authenticator.plug(tab);
  await twin.adopt(await one.key.credentials());
  await tab.goto(`${new URL(setup.issuer).origin}/.well-known/openid-configuration`);
  const credential = await tab.evaluate(([what, publicKey]) => window.ceremony(what, publicKey), [kind, options]);
  await tab.close();
  return credential;
}
