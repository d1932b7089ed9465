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

// Goes on until the browser is at an address that begins with `until`.
export async function fillIn(tab, user, until) {
  for (let step = 0; step < stepsMax; step += 1) {
    await tab.waitForLoadState('load');
    if (tab.url().startsWith(until)) return;
    const before = tab.url();
    if (await tab.locator('input[name=password]').count()) {
      if (await tab.locator('input[name=username]:visible').count()) await tab.fill('input[name=username]', user.name);
      await tab.fill('input[name=password]', user.password);
      await Promise.all([tab.waitForEvent('framenavigated'), tab.press('input[name=password]', 'Enter')]);
    } else if (await tab.locator('input[name=username]:visible').count()) {
      await tab.fill('input[name=username]', user.name);
      await Promise.all([tab.waitForEvent('framenavigated'), tab.press('input[name=username]', 'Enter')]);
    } else if (await tab.locator('button[name=decision][value=allow]').count()) {
      await Promise.all([tab.waitForEvent('framenavigated'), tab.click('button[name=decision][value=allow]')]);
    } else if (await tab.locator('form button').count()) {
      await Promise.all([tab.waitForEvent('framenavigated'), tab.locator('form button').first().click()]);
    } else {
      await tab.waitForURL((url) => String(url) !== before).catch(async () => {
        throw new Error(`nothing to fill in at ${before}: ${await tab.content()}`);
      });
    }
  }
  throw new Error(`still at ${tab.url()}: ${await tab.content()}`);
}
