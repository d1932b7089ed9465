// Opens every page that the unit test Views.AreWrittenForTheBrowser wrote, in Chromium, with the fields that the product
// sends: light and dark, on a wide screen and on a phone. Fails on a violation of WCAG 2.2 A and AA (axe-core), on
// anything that the CSP stops, on a console error, on a page that is wider than its window, and on a script that ran.
//
//   node look.mjs FOLDER [SCREENSHOTS [BEGINNING_OF_NAMES]]     SCREENSHOTS may be empty

import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { judge, launch, listen, schemes, shapes } from './browser.mjs';

const [folder, screenshots, only] = process.argv.slice(2);
const fields = JSON.parse(readFileSync(path.join(folder, 'fields.json'), 'utf8'));
const types = { '.css': 'text/css', '.js': 'text/javascript' };

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
  found.push(...(await judge(page)));
  return found;
}

const server = http.createServer(serve).listen(0, '127.0.0.1');
await new Promise((ready) => server.once('listening', ready));
const origin = `http://localhost:${server.address().port}`;
const browser = await launch();
const pages = readdirSync(folder).filter((name) => name.endsWith('.html')).sort();
let failures = 0, checks = 0;
for (const shape of shapes) {
  for (const scheme of schemes) {
    const context = await browser.newContext({ viewport: shape, colorScheme: scheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    listen(page, (problem) => found.push(problem));
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
