// Uses the dashboard of a running gateway as people do: signs in, looks at every page on a wide screen and on a phone,
// light and dark, pauses, filters, bans, lifts, signs out. Fails on what browser.mjs counts as a problem, and on a step
// that does not do what it should.
//
//   node dashboard.mjs ORIGIN TOKEN [SCREENSHOTS]       prints one line of JSON with what it measured

import assert from 'node:assert/strict';
import path from 'node:path';
import { judge, launch, listen, schemes, shapes } from './browser.mjs';

const [origin, token, screenshots] = process.argv.slice(2);
const problems = [];
const measured = {};
let where = '';
const add = (problem) => problems.push(`${where}: ${problem}`);

async function step(name, work) {
  where = name;
  try {
    await work();
  } catch (error) {
    add(error.message.split('\n').slice(0, 4).join(' '));
  }
}

async function code() {
  const answer = await fetch(`${origin}/v1/session/code`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).code;
}

const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor({ timeout: 5000 });

const pages = [
  ['overview', '#/', 'Overview', 'Denied last'],
  ['live', '#/live', 'Live feed', '● Live.'],
  ['search', '#/search', 'Search', ' events'],
  ['bans', '#/bans', 'Clients and bans', 'Last seen'],
  ['routes', '#/routes', 'Routes', 'What each layer costs'],
  ['services', '#/services', 'Services', 'Endpoint'],
  ['rules', '#/rules', 'Inspection rules', 'Rules in force'],
  ['people', '#/people', 'Users and sessions', ''],
  ['posture', '#/posture', 'Posture', 'File'],
  ['configuration', '#/configuration', 'Configuration', 'Generation'],
];

async function look(page, name, shape, scheme) {
  for (const problem of await judge(page, { excuse: true })) add(problem);
  if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name}.${shape.name}.${scheme}.png`), fullPage: true });
}

async function lookAtAll(page, shape, scheme) {
  for (const [name, hash, title, text] of pages) {
    await step(`${name} ${shape.name} ${scheme}`, async () => {
      await page.goto(`${origin}/${hash}`);
      await heading(page, title);
      if (text) await page.getByText(text).filter({ visible: true }).first().waitFor({ timeout: 5000 });
      await look(page, name, shape, scheme);
    });
  }
  await step(`event ${shape.name} ${scheme}`, async () => {
    await page.goto(`${origin}/#/live?verdict=deny`);
    await page.locator('tbody a').first().click();
    await page.getByText('Layers').filter({ visible: true }).last().waitFor();
    await page.getByRole('heading', { level: 2 }).first().waitFor();
    await look(page, 'event', shape, scheme);
  });
}

// Pause keeps the rows as they are; what came meanwhile is there afterwards.
async function feed(page) {
  await page.goto(`${origin}/#/live`);
  await page.getByText('● Live.').waitFor();
  const first = () => page.locator('tbody a').first().getAttribute('href');
  const before = await first();
  await page.waitForFunction((old) => document.querySelector('tbody a')?.getAttribute('href') !== old, before);
  await page.keyboard.press('p');
  await page.getByText('Paused').waitFor();
  const paused = await first();
  await page.getByRole('button', { name: /^Go on \(\d+ new\)$/ }).waitFor();
  assert.equal(await first(), paused, 'a row came while it was paused');
  await page.getByRole('button', { name: /^Go on/ }).click();
  await page.waitForFunction((old) => document.querySelector('tbody a')?.getAttribute('href') !== old, paused);
  await page.getByLabel('Verdict').selectOption('deny');
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].length > 0 && [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('denied')));
  await page.getByLabel('Contains').fill('passwd');
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('passwd')));
}

async function ban(page) {
  await page.goto(`${origin}/#/bans`);
  await page.getByRole('button', { name: 'Ban', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Address or network').fill('198.51.100.300');
  const refused = page.waitForResponse((answer) => answer.url().endsWith('/v1/bans') && answer.request().method() === 'POST');
  expected = /status of 400/;
  await dialog.getByRole('button', { name: 'Ban' }).click();
  assert.equal((await refused).status(), 400);
  await dialog.getByText('This is no address').waitFor();
  await dialog.getByLabel('Address or network').fill('198.51.100.7');
  await dialog.getByLabel('Why').fill('<img src=x onerror=alert(1)>');
  await dialog.getByRole('button', { name: 'Ban' }).click();
  await page.getByRole('cell', { name: '<img src=x onerror=alert(1)>' }).waitFor();
  await page.getByRole('button', { name: 'Lift the ban of 198.51.100.7' }).click();
  await page.getByText('is lifted').waitFor();
}

// How long a press takes until the page has been painted anew: nine of ten, since the machine has other work, too.
async function responsiveness(page) {
  await page.goto(`${origin}/#/live`);
  await page.getByText('● Live.').waitFor();
  measured.interaction_ms = await page.evaluate(async () => {
    const times = [];
    for (let i = 0; i < 20; i += 1) {
      const began = performance.now();
      document.querySelector('.tools button').click();
      await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
      times.push(performance.now() - began);
      await new Promise((later) => setTimeout(later, 50));
    }
    return Math.round(times.sort((a, b) => a - b)[17]);
  });
  assert.ok(measured.interaction_ms < 100, `an interaction took ${measured.interaction_ms} ms`);
}

let expected = null; // what the console may say, once
const browser = await launch();
const open = async (shape, scheme) => {
  const context = await browser.newContext({ viewport: shape, colorScheme: scheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  listen(page, (problem) => {
    if (expected?.test(problem)) expected = null;
    else add(problem);
  });
  return page;
};

for (const shape of shapes) {
  for (const scheme of schemes) {
    const page = await open(shape, scheme);
    await step(`sign-in ${shape.name} ${scheme}`, async () => {
      await page.goto(origin);
      await heading(page, 'Gatehouse');
      await look(page, 'sign-in', shape, scheme);
      await page.goto(`${origin}/#code=${await code()}`);
      await heading(page, 'Overview');
      assert.ok(!page.url().includes('code='), 'the code is in the address bar');
    });
    await lookAtAll(page, shape, scheme);
    await page.context().close();
  }
}

const page = await open(shapes[0], 'light');
await step('a wrong token', async () => {
  await page.goto(origin);
  expected = /status of 401/;
  await page.getByLabel('Admin token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This is not the token.').waitFor();
});
await step('the token', async () => {
  await page.getByLabel('Admin token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading(page, 'Overview');
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.name, 'gatehouse-admin');
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict');
  assert.equal(await page.evaluate(() => document.cookie), '');
});
await step('paint', async () => {
  await page.reload();
  await heading(page, 'Overview');
  // What is in the document may not be on the screen yet.
  const paint = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  measured.first_contentful_paint_ms = Math.round(await paint.jsonValue());
  assert.ok(measured.first_contentful_paint_ms < 1000);
});
await step('the feed', () => feed(page));
await step('a ban', () => ban(page));
await step('responsiveness', () => responsiveness(page));
await step('signing out', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'Gatehouse');
  await page.reload();
  await page.getByLabel('Admin token').waitFor();
});
await browser.close();
for (const problem of problems) console.error(problem);
console.log(JSON.stringify(measured));
process.exitCode = problems.length === 0 ? 0 : 1;
