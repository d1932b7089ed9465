// passport-openidconnect in an application of its own; prints `ready`. It does no discovery: the endpoints are told.

import { readFileSync } from 'node:fs';
import https from 'node:https';

import express from 'express';
import session from 'express-session';
import passport from 'passport';
import Strategy from 'passport-openidconnect';

const settings = JSON.parse(process.argv[2]);
const { metadata } = settings;
passport.use(new Strategy({
  issuer: metadata.issuer, authorizationURL: metadata.authorization_endpoint, tokenURL: metadata.token_endpoint, userInfoURL: metadata.userinfo_endpoint,
  clientID: settings.id, clientSecret: settings.secret, callbackURL: `${settings.base}/callback`, scope: ['email'], nonce: true, skipUserProfile: false,
}, (issuer, profile, done) => done(null, { sub: profile.id, email: profile.emails?.[0]?.value })));
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: settings.cookie, resave: false, saveUninitialized: false, name: 'passport', cookie: { secure: true } }));
app.use(passport.session());
app.get('/login', passport.authenticate('openidconnect'));
app.get('/callback', passport.authenticate('openidconnect', { failureMessage: true }), (request, response) => response.redirect('/who'));
app.get('/who', (request, response) => response.json(request.user ?? null));
https.createServer({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, app)
  .listen(settings.port, '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
