// A context of its own in the running Chromium (chromium.py), and a user's hands: what the provider's pages ask is filled
// in and sent.

import { chromium } from 'playwright-core';

const stepsMax = 10;

export async function open(devtools) {
  const connected = await chromium.connectOverCDP(devtools);
  const browser = await connected.newContext();
  browser.setDefaultTimeout(15000);
  return { browser, tab: await browser.newPage() };
}

// What there is to fill in, read from one document at one moment; nothing while the browser is on its way.
function shown(tab) {
  return tab.evaluate(() => {
    const visible = (selector) => [...document.querySelectorAll(selector)].some((one) => one.offsetParent !== null);
    return document.readyState === 'complete' && {
      username: visible('input[name=username]'), password: visible('input[name=password]'),
      decision: visible('button[name=decision][value=allow]'), button: visible('form button'),
    };
  }).catch(() => null);
}

// Goes on until the browser is at an address that begins with `until`.
export async function fillIn(tab, user, until) {
  for (let step = 0; step < stepsMax; step += 1) {
    await tab.waitForLoadState('load');
    if (tab.url().startsWith(until)) return;
    const before = tab.url();
    const has = await shown(tab);
    if (has?.password) {
      if (has.username) await tab.fill('input[name=username]', user.name);
      await tab.fill('input[name=password]', user.password);
      await Promise.all([tab.waitForEvent('framenavigated'), tab.press('input[name=password]', 'Enter')]);
    } else if (has?.username) {
      await tab.fill('input[name=username]', user.name);
      await Promise.all([tab.waitForEvent('framenavigated'), tab.press('input[name=username]', 'Enter')]);
    } else if (has?.decision) {
      await Promise.all([tab.waitForEvent('framenavigated'), tab.click('button[name=decision][value=allow]')]);
    } else if (has?.button) {
      await Promise.all([tab.waitForEvent('framenavigated'), tab.locator('form button:visible').first().click()]);
    } else {
      await tab.waitForURL((url) => String(url) !== before).catch(async () => {
        throw new Error(`nothing to fill in at ${before}: ${await tab.content()}`);
      });
    }
  }
  throw new Error(`still at ${tab.url()}: ${await tab.content()}`);
}
