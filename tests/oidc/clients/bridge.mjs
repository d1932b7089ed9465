// A line of JSON each way between a client's script and the checks: the first line in is the setup; the script asks
// `visit` (a user goes to this address and comes back to that one) and `device` (a user types this code).

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import readline from 'node:readline';

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);

export const setup = await next();

export async function ask(question) {
  process.stdout.write(`${JSON.stringify(question)}\n`);
  return next();
}

export async function visit(url) {
  return new URL((await ask({ visit: String(url) })).redirect);
}

export async function refused(promise, error) {
  await assert.rejects(promise, (thrown) => {
    const said = thrown.error ?? thrown.cause?.[0]?.parameters?.error ?? thrown.code;
    assert.equal(said, error, String(thrown.stack));
    return true;
  });
}

export function privateKey(client) {
  return webcrypto.subtle.importKey('jwk', client.jwk, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
}

export async function dpopKeys() {
  return webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
}

// Runs the scenario that the setup names; exit code 0 is success.
export async function run(scenarios) {
  await scenarios[setup.scenario]();
  process.exit(0);
}

export { assert };
