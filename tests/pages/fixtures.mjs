// The admin API's answers for a shop that is always the same, so that pictures of its dashboard can be compared; and for
// one where every text is an attack.

export const NOW = Date.parse('2026-03-02T10:15:00Z');

const seconds = (n) => new Date(NOW - n * 1000).toISOString();
// A small generator with a fixed seed: the same numbers every time.
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function traffic() {
  const next = numbers(7);
  return Array.from({ length: 900 }, (_, i) => {
    const wave = 1 + 0.3 * Math.sin(i / 70);
    const scan = i > 640 && i < 760 ? 60 : 0;
    const passed = Math.round(wave * 180 + 20 * next());
    const layers = {
      http: { deny: Math.round(2 * next() + scan / 8) },
      bans: { deny: Math.round(i > 760 ? 18 * next() : 0) },
      rate: { deny: Math.round(6 * next() + scan / 3) },
      authentication: { deny: Math.round(4 * next()) },
      authorization: { deny: next() > 0.8 ? 1 : 0 },
      waf: { deny: Math.round(scan * next()) },
      cors: { answer: Math.round(3 * next()) },
      penalties: { delay: next() > 0.9 ? 1 : 0 },
    };
    const denied = Object.values(layers).reduce((sum, one) => sum + (one.deny ?? 0), 0);
    const failed = next() > 0.97 ? 1 : 0;
    return {
      time: seconds(900 - i),
      requests: passed + denied + layers.cors.answer,
      verdicts: { pass: passed, deny: denied, answer: layers.cors.answer },
      status: { '2xx': passed - failed, '4xx': denied, '5xx': failed },
      layers,
      remarked: layers.waf.deny,
      missed: 0,
    };
  });
}

const ID = '01jnaw4tq8vr3k9w2m4d8c6f5z';
const id = (i) => (i === 0 ? ID : `01jnaw4tq8vr3k9w2m4d8c${String(i).padStart(4, '0')}`);
const clients = ['203.0.113.9', '198.51.100.23', '2001:db8::4f', '192.0.2.77', '10.1.4.12'];
const kinds = [
  { method: 'GET', path: '/search', route: 'search', service: 'catalogue', status: 403, verdict: 'deny', layer: 'waf', reason: 'waf.score' },
  { method: 'GET', path: '/products/7', route: 'products', service: 'catalogue', status: 200, verdict: 'pass', layer: 'upstream', reason: '' },
  { method: 'GET', path: '/orders', route: 'orders-read', service: 'orders', status: 401, verdict: 'deny', layer: 'authentication', reason: 'auth.missing' },
  { method: 'POST', path: '/payments/charges', route: 'pay', service: 'payments', status: 201, verdict: 'pass', layer: 'upstream', reason: '', user: 'alice' },
  { method: 'GET', path: '/search', route: 'search', service: 'catalogue', status: 429, verdict: 'deny', layer: 'rate', reason: 'rate.exceeded' },
  { method: 'GET', path: '/products/..%2f..%2fetc/passwd', route: '', service: '', status: 400, verdict: 'deny', layer: 'http', reason: 'http.encoded_slash' },
  { method: 'OPTIONS', path: '/orders', route: 'orders-read', service: 'orders', status: 204, verdict: 'answer', layer: 'cors', reason: 'cors.preflight' },
  { method: 'GET', path: '/products', route: 'products', service: 'catalogue', status: 200, verdict: 'pass', layer: 'upstream', reason: '' },
];

function layersOf(kind, next) {
  const all = ['bans', 'zone', 'limits', 'rate', 'penalties', 'authentication', 'authorization', 'waf', 'upstream', 'header_policy'];
  const upTo = all.indexOf(kind.layer);
  return all.slice(0, kind.verdict === 'pass' ? all.length : Math.max(0, upTo) + 1).map((layer) => ({
    layer,
    verdict: layer === kind.layer ? kind.verdict : 'pass',
    mode: 'enforce',
    reason: layer === kind.layer ? kind.reason : '',
    ns: Math.round((layer === 'waf' ? 42000 : layer === 'authentication' ? 8000 : 300) * (0.6 + next())),
    evidence: layer === 'rate' ? 'client_ip 203.0.113.9: 3 of 10 in the burst' : '',
  }));
}

function record(i) {
  const next = numbers(i + 11);
  const kind = kinds[i % kinds.length];
  const upstream = kind.verdict === 'pass' ? Math.round(900 + 4000 * next()) : 0;
  const own = Math.round(60 + 90 * next());
  return {
    time: seconds(i * 0.4),
    request_id: id(i),
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    client_ip: clients[(i * 3) % clients.length],
    zone: 'external',
    listener: 'public',
    host: 'shop.example',
    protocol: 'HTTP/2',
    bytes_in: Math.round(400 * next()),
    bytes_out: Math.round(9000 * next()),
    duration_us: own + upstream + 20,
    upstream_us: upstream,
    gatehouse_us: own,
    auth: kind.user ? 'session' : 'none',
    tls: 'TLSv1.3',
    endpoint: kind.verdict === 'pass' ? '10.0.0.4:9001' : '',
    user: '',
    ...kind,
    layers: layersOf(kind, next),
    ...(kind.layer === 'waf' && { waf: inspection }),
  };
}

const inspection = {
  direction: 'inbound',
  score: 15,
  threshold: 5,
  levels: [15, 0, 0, 0],
  omitted: 0,
  rules: [
    { rule: 942100, score: 5, paranoia: 1, phase: 2, times: 1, severity: 'CRITICAL', message: 'SQL Injection Attack Detected via libinjection', variable: 'ARGS:q', matched: "s&1c: 1' OR '1'='1", tags: ['attack-sqli'] },
    { rule: 942190, score: 5, paranoia: 1, phase: 2, times: 2, severity: 'CRITICAL', message: 'Detects MSSQL code execution and information gathering attempts', variable: 'ARGS:q', matched: "' OR '1'='1' UNION SELECT", also: ['ARGS:sort'], elsewhere: 0, tags: ['attack-sqli'] },
    { rule: 942270, score: 5, paranoia: 1, phase: 2, times: 1, severity: 'CRITICAL', message: 'Looking for basic sql injection', variable: 'ARGS:q', matched: 'UNION SELECT password FROM', tags: ['attack-sqli'] },
  ],
};

const routes = [
  { name: 'search', match: { path: '/search', methods: ['GET'] }, service: 'catalogue', public: true },
  { name: 'products', match: { path: '/products/**', methods: ['GET'] }, service: 'catalogue', public: true },
  { name: 'orders-read', match: { hosts: ['shop.example'], path: '/orders/**', methods: ['GET'] }, service: 'orders', access: { roles: ['customer'], scopes: ['orders:read'] } },
  { name: 'pay', match: { hosts: ['shop.example'], path: '/payments/**', methods: ['POST'] }, service: 'payments', access: { roles: ['customer'], mfa: true } },
];

const config = {
  version: 1,
  trust_domain: 'shop.example',
  listeners: [{ name: 'public', address: '0.0.0.0:8443', zone: 'external' }],
  services: { catalogue: { sensitivity: 'normal' }, orders: { sensitivity: 'normal' }, payments: { sensitivity: 'high', tls: { client_cert: 'gw.pem' } } },
  routes,
  waf: { mode: 'enforce', paranoia: 1, inbound_threshold: 5 },
  telemetry: { events: { keep: true } },
  identity: { issuer: 'https://login.shop.example' },
  admin: { address: '127.0.0.1:9900', token: '***' },
};

const rules = [
  [942100, 'SQL Injection Attack Detected via libinjection', 412, 9100],
  [920350, 'Host header is a numeric IP address', 260, 310],
  [930120, 'OS File Access Attempt', 121, 2100],
  [941100, 'XSS Attack Detected via libinjection', 84, 7400],
  [932160, 'Remote Command Execution: Unix Shell Code Found', 17, 3900],
].map(([rule, message, hits, mean]) => ({ rule, message, since: seconds(86400), in_force: true, file: '/usr/share/modsecurity-crs/rules/REQUEST-942.conf', line: 40, phase: 2, paranoia: 1, logs: true, hits, evaluations: hits * 3, mean_ns: mean, worst_ns: mean * 9, share: mean / 40000 }));

const user = (name, state, roles, n) => ({ id: `01jnaw4tq8vr3k9w2m4d8c6u0${n}`, username: name, state, roles, effective_roles: roles, groups: n === 2 ? ['office'] : [], has_password: true, email: `${name}@shop.example`, created: seconds(86400 * 20 * n), updated: seconds(86400) });
const users = [user('alice', 'active', ['customer'], 1), user('olga', 'active', ['operator'], 2), user('mallory', 'disabled', ['customer'], 3), user('nadia', 'invited', ['customer'], 4)];

const answers = {
  '/v1/session': { signed_in: true, name: 'token', role: 'administrator', expires_at: seconds(-1800) },
  '/v1/status': {
    version: '0.1.0', pid: 4711, started: seconds(93000), uptime_seconds: 93000, state: 'serving', config_file: '/etc/gatehouse/gatehouse.yaml', generation: 12, needs_restart: [], shards: 4, services: 3, routes: 4,
    requests: 18_204_331, requests_active: 37, denied: 412_004, endpoints: 5, endpoints_healthy: 4, bans: 3, log_lines_dropped: 0, listeners: [],
    last_reload: { time: seconds(7300), applied: true, message: '' },
  },
  '/v1/traffic': { seconds: traffic() },
  '/v1/requests': { requests: Array.from({ length: 24 }, (_, i) => record(i)) },
  [`/v1/requests/${ID}`]: record(0),
  '/v1/reasons': { reasons: [{ code: 'waf.score', meaning: 'the rules that matched add up to a score that denies', hint: 'See which rules matched, and on what. Where it was no attack, exclude that rule for that field: `waf.exclude` of the route.' }] },
  '/v1/events': {
    events: [
      ...Array.from({ length: 8 }, (_, i) => ({ kind: 'request', event: record(8 * i) })),
      { kind: 'act', event: { id: 'e1', time: seconds(200), actor: 'admin:token', action: 'user.disable', target: 'user:mallory', outcome: 'ok', details: {} } },
    ],
    next: 'A', searched_to: null, unreadable_blocks: 0,
  },
  '/v1/bans': {
    bans: [
      { network: '203.0.113.0/24', source: 'configuration', reason: 'bans.deny' },
      { network: '198.51.100.23/32', source: 'attacks', reason: '14 attacks within a minute', until: seconds(-3400) },
      { network: '2001:db8:7::/48', source: 'operator', reason: 'scanner, see ticket 8812', until: seconds(-86000) },
    ],
  },
  '/v1/services': {
    services: [
      { name: 'catalogue', balance: 'least_requests', circuit_open: false, endpoints: [{ url: 'http://catalogue.internal:9001', address: '10.0.0.4:9001', health: 'healthy', requests_active: 12, requests: 9_310_221, failures: 41 }, { url: 'http://catalogue.internal:9001', address: '10.0.0.5:9001', health: 'ejected', requests_active: 0, requests: 310_090, failures: 5120 }] },
      { name: 'orders', balance: 'round_robin', circuit_open: false, endpoints: [{ url: 'https://orders.internal', address: '10.0.1.7:443', health: 'healthy', requests_active: 21, requests: 6_100_333, failures: 0 }] },
      { name: 'payments', balance: 'least_requests', circuit_open: true, endpoints: [{ url: 'https://payments.internal', address: '10.0.2.3:443', health: 'healthy', requests_active: 4, requests: 822_140, failures: 3 }, { url: 'https://payments-b.internal', address: '', health: 'unresolved', requests_active: 0, requests: 0, failures: 0 }] },
    ],
  },
  '/v1/waf/stats': {
    since: seconds(93000), requests: 17_001_020, timed: 265_641, one_in: 64, interrupted: 12, mean_ns: 38_200, in_force: 214, log: 168, never_matched: 141, rules,
    parts: [{ part: 'scanning', mean_ns: 19_800, worst_ns: 900_000, share: 0.52 }, { part: 'rules', mean_ns: 11_000, share: 0.29 }, { part: 'reading', mean_ns: 5_100, worst_ns: 400_000, share: 0.13 }, { part: 'rest', mean_ns: 2_300, worst_ns: 90_000, share: 0.06 }],
  },
  '/v1/users': { users },
  [`/v1/users/${users[0].id}`]: users[0],
  [`/v1/users/${users[0].id}/sessions`]: { sessions: [{ id: 's1', user_id: users[0].id, amr: 'pwd otp mfa', device: 'Firefox on Linux', client_ip: '203.0.113.9', authenticated: seconds(4000), second_factor: seconds(3990), created: seconds(4000), seen: seconds(20), expires: seconds(-80000) }] },
  [`/v1/users/${users[0].id}/factors`]: { factors: [{ id: 'f1', kind: 'totp', label: 'phone', created: seconds(900000), used: seconds(3990) }] },
  '/v1/audit-events': {
    events: [
      { id: 'e1', time: seconds(200), actor: 'admin:token', action: 'user.disable', target: `user:${users[2].id}`, outcome: 'ok', details: {} },
      { id: 'e2', time: seconds(3600), actor: `user:${users[0].id}`, action: 'session.begin', target: `user:${users[0].id}`, outcome: 'ok', details: {} },
      { id: 'e3', time: seconds(3700), actor: 'system', action: 'session.begin', target: `user:${users[2].id}`, outcome: 'refused', details: {} },
    ],
  },
  '/v1/posture': {
    file: '/etc/gatehouse/gatehouse.yaml', valid: true,
    diagnostics: [
      { severity: 'error', id: 'tls.key_permissions', file: '/etc/gatehouse/gatehouse.yaml', line: 21, column: 9, message: 'everybody on this machine can read the key of site.pem', why: 'whoever has the key is the site', hint: 'chmod 640 site.key; chown root:gatehouse site.key' },
      { severity: 'warning', id: 'upstream.plain', file: '/etc/gatehouse/gatehouse.yaml', line: 38, column: 5, message: 'the service "catalogue" is reached without TLS in another network', why: 'anybody on the way reads and changes what is sent', hint: 'endpoints: [https://catalogue.internal:9443]' },
      { severity: 'info', id: 'upstream.no_health', file: '/etc/gatehouse/gatehouse.yaml', line: 44, column: 5, message: 'the service "orders" has no health checks', why: "a dead endpoint is found out by your users' requests", hint: 'health: { path: /healthz }' },
    ],
  },
  '/v1/config': config,
};

export const places = [
  ['overview', '#/'],
  ['live', '#/live'],
  ['event', `#/requests/${ID}`],
  ['search', '#/search'],
  ['bans', '#/bans'],
  ['routes', '#/routes'],
  ['services', '#/services'],
  ['rules', '#/rules'],
  ['people', '#/people'],
  ['person', `#/people/${users[0].id}`],
  ['posture', '#/posture'],
  ['configuration', '#/configuration'],
];

// What changes the page if it ever becomes markup, code, a link, or the end of something.
const attacks = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(2)</script>',
  "javascript:alert(3)//'\"`${alert(4)}",
  '\u202egnp.exe \u2066\u0000\u001b[31m\u0085',
  '</title></style><svg onload=alert(5)>',
  '{{constructor.constructor("alert(6)")()}} \ud800',
  'a'.repeat(3000),
];
const words = new Set(['verdict', 'mode', 'layer', 'health', 'severity', 'state', 'time', 'role', 'until', 'since', 'started', 'created', 'updated', 'seen', 'expires', 'authenticated', 'second_factor', 'expires_at', 'used', 'kind', 'outcome', 'direction', 'part', 'source', 'request_id']);

// Every text but those that the gateway takes from its own lists; names of members, too, where they are anybody's.
function hostile(value, name = '', next = { n: 0 }) {
  if (typeof value === 'string') return words.has(name) ? value : attacks[next.n++ % attacks.length];
  if (Array.isArray(value)) return value.map((one) => hostile(one, name, next));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hostile(one, key, next)]));
}

const hostileAnswers = Object.fromEntries(Object.entries(answers).map(([path, answer]) => [path, path === '/v1/traffic' ? answer : hostile(answer)]));

// Answers every call of the page from here. A connection for events stays open, and brings one batch.
export async function serve(page, { attack = false } = {}) {
  await page.addInitScript((batch) => {
    window.EventSource = class extends EventTarget {
      readyState = 1;
      constructor() {
        super();
        setTimeout(() => {
          this.onopen?.();
          this.dispatchEvent(new MessageEvent('records', { data: batch }));
        });
      }
      close() {}
    };
  }, JSON.stringify({ records: attack ? hostile([record(1)]) : [], skipped: 0 }));
  await page.route('**/v1/**', (route) => {
    const url = new URL(route.request().url());
    let answer = (attack ? hostileAnswers : answers)[url.pathname];
    if (url.pathname === '/v1/requests' && url.searchParams.get('verdict') === 'deny')
      answer = { requests: answer.requests.filter((one) => one.verdict === 'deny').slice(0, Number(url.searchParams.get('limit'))) };
    return answer === undefined ? route.fulfill({ status: 404, json: {} }) : route.fulfill({ json: answer });
  });
}
