// express-openid-connect in an application of its own; prints `ready`. /who tells who is signed in.

import { readFileSync } from 'node:fs';
import https from 'node:https';

import express from 'express';
import openid from 'express-openid-connect';

const settings = JSON.parse(process.argv[2]);
const app = express();
app.use(openid.auth({
  issuerBaseURL: settings.issuer, baseURL: settings.base, clientID: settings.id, clientSecret: settings.secret, secret: settings.cookie,
  idpLogout: true, authRequired: false, idTokenSigningAlg: 'ES256', clientAuthMethod: 'client_secret_basic',
  authorizationParams: { response_type: 'code', scope: 'openid email offline_access', prompt: 'consent' },
}));
app.get('/who', async (request, response) => {
  if (!request.oidc.isAuthenticated()) return response.json(null);
  const about = await request.oidc.fetchUserInfo();
  return response.json({ sub: request.oidc.user.sub, email: about.email, refreshes: Boolean(request.oidc.refreshToken) });
});
app.get('/refresh', async (request, response) => {
  const before = request.oidc.refreshToken;
  const { access_token: token } = await request.oidc.accessToken.refresh();
  response.json({ token, rotated: before !== request.oidc.refreshToken });
});
app.get('/', (request, response) => response.send('home'));
https.createServer({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, app)
  .listen(settings.port, '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
