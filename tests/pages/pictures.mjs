// Pictures of every page of the dashboard, with answers that are always the same (fixtures.mjs): compares them with those
// in docs/dashboard, or writes those anew. And the same pages with an attack in every text: nothing of it may act.
//
//   node pictures.mjs ORIGIN FOLDER [write]

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { judge, launch, listen, schemes, shapes } from './browser.mjs';
import { NOW, places, serve } from './fixtures.mjs';
import { indexed } from './png.mjs';

const SHARE_MAX = 0.002; // of pixels that may differ: a font's hinting, not a word
const [origin, folder, mode] = process.argv.slice(2);
const problems = [];
let where = '';
const add = (problem) => problems.push(`${where}: ${problem}`);
const browser = await launch();
mkdirSync(folder, { recursive: true });

async function open(shape, scheme, options) {
  const context = await browser.newContext({ viewport: shape, colorScheme: scheme, reducedMotion: 'reduce', timezoneId: 'UTC', locale: 'en' });
  const page = await context.newPage();
  listen(page, add);
  await page.clock.setFixedTime(NOW);
  await serve(page, options);
  return page;
}

const differ = await (await browser.newContext()).newPage();

// The pixels of a picture: width, height and four bytes each.
const pixels = async (png) => {
  const [width, height, base64] = await differ.evaluate(async (text) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext('2d').drawImage(image, 0, 0);
    const { data } = canvas.getContext('2d').getImageData(0, 0, image.width, image.height);
    let binary = '';
    for (let i = 0; i < data.length; i += 32768) binary += String.fromCharCode(...data.subarray(i, i + 32768));
    return [image.width, image.height, btoa(binary)];
  }, png.toString('base64'));
  return { width, height, data: Buffer.from(base64, 'base64') };
};

// The share of pixels that are not alike; 1 when the sizes differ.
async function difference(a, b) {
  const [x, y] = [await pixels(a), await pixels(b)];
  if (x.width !== y.width || x.height !== y.height) return 1;
  let unlike = 0;
  for (let i = 0; i < x.data.length; i += 4) {
    const distance = Math.abs(x.data[i] - y.data[i]) + Math.abs(x.data[i + 1] - y.data[i + 1]) + Math.abs(x.data[i + 2] - y.data[i + 2]);
    if (distance > 96) unlike += 1;
  }
  return unlike / (x.data.length / 4);
}

async function picture(page, name) {
  const file = path.join(folder, `${name}.png`);
  const now = await page.screenshot({ fullPage: true, animations: 'disabled' });
  if (mode === 'write') return writeFileSync(file, indexed(await pixels(now)));
  let before;
  try {
    before = readFileSync(file);
  } catch {
    return add(`there is no ${name}.png`);
  }
  const share = await difference(before, now);
  if (share > SHARE_MAX) add(`${(share * 100).toFixed(2)} % of it differ from ${name}.png; see whether it is better, and write them anew`);
}

async function visit(page, hash) {
  await page.goto('about:blank');
  await page.goto(`${origin}/${hash}`);
  await page.locator('main h1').waitFor({ timeout: 5000 });
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(100);
}

let looks = 0;
for (const shape of shapes) {
  for (const scheme of schemes) {
    const page = await open(shape, scheme);
    for (const [name, hash] of places) {
      where = `${name} ${shape.name} ${scheme}`;
      looks += 1;
      await visit(page, hash);
      await picture(page, `${name}.${shape.name}.${scheme}`);
      for (const problem of await judge(page, { excuse: true })) add(problem);
    }
    await page.context().close();
  }
}
for (const shape of shapes) {
  const page = await open(shape, 'light', { attack: true });
  for (const [name, hash] of places) {
    where = `${name} ${shape.name} with attacks`;
    looks += 1;
    await visit(page, hash);
    const foreign = await page.evaluate(() => [...document.querySelectorAll('img, iframe, object, embed, script:not([src^="/assets/"]), a[href^="javascript"], #app svg[onload], [onerror], [onload]')].map((element) => element.outerHTML));
    for (const element of foreign) add(`it became an element: ${element}`);
    const raw = await page.evaluate(() => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText));
    if (raw) add('a control byte or a change of direction is in the text');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (overflow > 0) add(`${overflow} pixels wider than the window`);
  }
  await page.context().close();
}
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${looks} looks, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
