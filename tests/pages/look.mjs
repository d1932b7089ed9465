// Opens every page that the unit test Views.AreWrittenForTheBrowser wrote, in Chromium, with the fields that the product
// sends: light and dark, on a wide screen and on a phone. Fails on a violation of WCAG 2.2 A and AA (axe-core), on
// anything that the CSP stops, on a console error, on a page that is wider than its window, and on a script that ran.
//
//   node look.mjs FOLDER [SCREENSHOTS [BEGINNING_OF_NAMES]]     SCREENSHOTS may be empty

import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [folder, screenshots, only] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const fields = JSON.parse(readFileSync(path.join(folder, 'fields.json'), 'utf8'));
const types = { '.css': 'text/css', '.js': 'text/javascript' };
const shapes = [
  { name: 'wide', width: 1280, height: 800 },
  { name: 'phone', width: 320, height: 640 },
];

function serve(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const name = path.basename(pathname);
  const headers = pathname.startsWith('/assets/') ? { 'content-type': types[path.extname(name)] } : fields;
  response.writeHead(200, headers).end(readFileSync(path.join(folder, name)));
}

let found = []; // of the page that is open

async function check(page, origin, name, shape, scheme) {
  found = [];
  await page.goto(`${origin}/${name}`);
  if (screenshots && !name.includes('hostile'))
    await page.screenshot({ path: path.join(screenshots, `${name.replace('.html', '')}.${shape.name}.${scheme}.png`), fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) found.push(`${overflow} pixels wider than the window`);
  // Past the CSP: the debugger's own evaluation is not the page's.
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  for (const violation of result.violations)
    found.push(`${violation.id} (${violation.impact}): ${violation.help}: ${violation.nodes.map((node) => node.html).join(' | ')}`);
  const hidden = result.incomplete.filter((rule) => rule.id === 'color-contrast');
  for (const rule of hidden) found.push(`contrast not judged: ${rule.nodes.map((node) => node.html).join(' | ')}`);
  return found;
}

const server = http.createServer(serve).listen(0, '127.0.0.1');
await new Promise((ready) => server.once('listening', ready));
// A name that is a secure context, where passkeys work.
const origin = `http://localhost:${server.address().port}`;
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP localhost 127.0.0.1'] });
const pages = readdirSync(folder).filter((name) => name.endsWith('.html')).sort();
let failures = 0, checks = 0;
for (const shape of shapes) {
  for (const scheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: shape, colorScheme: scheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.on('console', (message) => message.type() === 'error' && found.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => found.push(`script: ${error.message}`));
    page.on('dialog', (dialog) => { found.push(`a script ran: ${dialog.message()}`); dialog.dismiss(); });
    for (const name of pages) {
      if (only && !name.startsWith(only)) continue;
      checks += 1;
      for (const problem of await check(page, origin, name, shape, scheme)) {
        failures += 1;
        console.log(`${name} ${shape.name} ${scheme}: ${problem}`);
      }
    }
    await context.close();
  }
}
await browser.close();
server.close();
console.log(`${checks} looks at ${pages.length} pages, ${failures} problems`);
process.exit(failures === 0 && pages.length > 0 ? 0 : 1);
