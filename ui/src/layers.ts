// The layers from outside to inside, and what each of them is for.

export const LAYERS: { name: string; title: string; does: string }[] = [
  { name: 'http', title: 'HTTP', does: 'refuses what is malformed, ambiguous, or for no route' },
  { name: 'bans', title: 'Bans', does: 'refuses addresses that are banned' },
  { name: 'zone', title: 'Zone', does: 'lets each network reach only the routes that are meant for it' },
  { name: 'limits', title: 'Limits', does: 'bounds the size of what comes in' },
  { name: 'rate', title: 'Rate', does: 'bounds how often a client, a user or a key may ask' },
  { name: 'penalties', title: 'Penalties', does: 'slows down who fails to sign in, bans who attacks' },
  { name: 'cors', title: 'CORS', does: 'answers browsers that ask for pages of other origins' },
  { name: 'authentication', title: 'Authentication', does: 'knows who calls: tokens, keys, certificates, sessions' },
  { name: 'authorization', title: 'Authorization', does: 'demands roles, scopes and second factors' },
  { name: 'schema', title: 'Schema', does: 'lets through only what the API document describes' },
  { name: 'waf', title: 'Inspection', does: 'looks for attacks in what is left' },
  { name: 'cache', title: 'Cache', does: 'answers from what is kept' },
  { name: 'upstream', title: 'Upstream', does: 'asks the service: health, circuit, time' },
  { name: 'header_policy', title: 'Header policy', does: 'hardens the answer' },
];

export const titleOf = (name: string) => LAYERS.find((layer) => layer.name === name)?.title ?? name;
