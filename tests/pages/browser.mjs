// What every look at a page has in common: Chromium, the accessibility rules, and what counts as a problem.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export const shapes = [
  { name: 'wide', width: 1280, height: 800 },
  { name: 'phone', width: 320, height: 640 },
];
export const schemes = ['light', 'dark'];

// `localhost` is a secure context, where passkeys work.
export const launch = () =>
  chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP localhost 127.0.0.1'] });

// Tells `add` of whatever must not happen while the page is open: what the CSP stops is on the console, too.
export function listen(page, add) {
  page.on('console', (message) => message.type() === 'error' && add(`console: ${message.text()}`));
  page.on('pageerror', (error) => add(`script: ${error.message}`));
  page.on('dialog', (dialog) => { add(`a script ran: ${dialog.message()}`); dialog.dismiss(); });
}

// What axe-core cannot judge although nothing is wrong: a sign of one letter, which has a word beside it in the same
// colour, and what is scrolled out of sight.
const excusable = new Set(['shortTextContent', 'elmPartiallyObscured', 'outsideViewport', 'nonBmp']);
const key = (node) => [...node.any, ...node.all].map((check) => check.data?.messageKey).find(Boolean);

// What is wrong with the page as it is now.
export async function judge(page, { excuse = false } = {}) {
  const found = [];
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) found.push(`${overflow} pixels wider than the window`);
  // Past the CSP: the debugger's own evaluation is not the page's.
  await page.evaluate(axe);
  const result = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), rules);
  for (const violation of result.violations)
    found.push(`${violation.id} (${violation.impact}): ${violation.help}: ${violation.nodes.map((node) => node.html).join(' | ')}`);
  const hidden = result.incomplete.filter((rule) => rule.id === 'color-contrast');
  for (const rule of hidden) {
    const nodes = rule.nodes.filter((node) => !excuse || !excusable.has(key(node)));
    if (nodes.length > 0) found.push(`contrast not judged: ${nodes.map((node) => `${node.html} (${key(node)})`).join(' | ')}`);
  }
  return found;
}
