// Columns named `…_sealed` hold secrets::Keyring ciphertext, bound to "<table>/<id>/<column>" and to the row's
// `version`, which counts the changes of its sealed columns. Columns named `…_hash` hold SHA-256 of a random token, or
// the keyed hash that their comment names: neither can be turned back. Times end in `_at` and are seconds since 1970.

#include "identity/schema.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kPeople = R"sql(
CREATE TABLE users (
  id TEXT PRIMARY KEY,               -- ULID; the subject that clients see
  username TEXT NOT NULL UNIQUE,     -- lower case, of a set of ASCII characters
  state TEXT NOT NULL,               -- invited, active, disabled
  password TEXT,                     -- Argon2id PHC string over the peppered password
  password_at BIGINT NOT NULL DEFAULT 0,
  profile_sealed BYTES,              -- as a form: name, given_name, email, phone_number, locale, …
  version BIGINT NOT NULL DEFAULT 1,
  email_hash BYTES UNIQUE,           -- keyed hash of the address: finds it, doesn't tell it
  email_verified BIGINT NOT NULL DEFAULT 0,
  sessions_after_at BIGINT NOT NULL DEFAULT 0,  -- what was signed in before it is over
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL
);
CREATE TABLE group_members (
  group_id TEXT NOT NULL REFERENCES groups(id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user ON group_members(user_id);
CREATE TABLE user_roles (
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (user_id, role)
);
CREATE TABLE group_roles (
  group_id TEXT NOT NULL REFERENCES groups(id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (group_id, role)
);
CREATE TABLE factors (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  kind TEXT NOT NULL,                -- totp, webauthn, email, sms, recovery
  label TEXT NOT NULL,               -- what its owner calls it
  data_sealed BYTES NOT NULL,        -- as its kind needs
  version BIGINT NOT NULL DEFAULT 1,
  credential_id BYTES UNIQUE,        -- of webauthn
  counter BIGINT NOT NULL DEFAULT 0, -- webauthn: signature counter; totp: the last step that was used
  created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX factors_user ON factors(user_id);
CREATE TABLE known_devices (
  id TEXT PRIMARY KEY,
  token_hash BYTES NOT NULL,         -- of the cookie: one browser may be known for several users
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  label TEXT NOT NULL,               -- "Firefox on Linux"
  skips_factor_until_at BIGINT NOT NULL DEFAULT 0,  -- "remember this device"
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  UNIQUE (token_hash, user_id)
);
CREATE INDEX known_devices_user ON known_devices(user_id);
CREATE INDEX known_devices_expiry ON known_devices(expires_at);
CREATE TABLE tickets (
  token_hash BYTES PRIMARY KEY,
  kind TEXT NOT NULL,                -- invite, verify_email, reset, first_admin
  user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
  data_sealed BYTES,
  version BIGINT NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX tickets_expiry ON tickets(expires_at);
CREATE INDEX tickets_user ON tickets(user_id);
CREATE TABLE sessions (
  token_hash BYTES PRIMARY KEY,      -- of the cookie
  id TEXT NOT NULL UNIQUE,           -- `sid`
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  auth_at BIGINT NOT NULL,
  factor_at BIGINT NOT NULL DEFAULT 0,  -- of the last second factor; 0: none
  amr TEXT NOT NULL,                 -- RFC 8176, separated by spaces
  device TEXT NOT NULL DEFAULT '',
  client_ip TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL         -- absolute
);
CREATE INDEX sessions_user ON sessions(user_id);
CREATE INDEX sessions_expiry ON sessions(expires_at);
CREATE TABLE federated_identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE TABLE interactions (
  token_hash BYTES PRIMARY KEY,      -- of what the browser carries from page to page
  data_sealed BYTES NOT NULL,        -- as a form: the authorization request, how far the login is
  version BIGINT NOT NULL DEFAULT 1,
  expires_at BIGINT NOT NULL
);
CREATE INDEX interactions_expiry ON interactions(expires_at);
)sql";

constexpr std::string_view kProvider = R"sql(
CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,            -- JSON: ClientSettings
  secret_hash BYTES,                 -- SHA-256 of a secret that we made (256 random bits)
  state TEXT NOT NULL,               -- active, disabled
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE TABLE consents (
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, client_id)
);
CREATE TABLE pushed_requests (
  uri_hash BYTES PRIMARY KEY,
  client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
  parameters TEXT NOT NULL,          -- as a form
  expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_requests_expiry ON pushed_requests(expires_at);
CREATE TABLE grants (
  id TEXT PRIMARY KEY,               -- all that one authorization gave: what is revoked together
  client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
  user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
  session_id TEXT,                   -- `sid` that it began in; ends with it unless offline
  scopes TEXT NOT NULL,
  resources TEXT NOT NULL DEFAULT '',
  offline BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX grants_user ON grants(user_id);
CREATE INDEX grants_session ON grants(session_id);
CREATE INDEX grants_expiry ON grants(expires_at);
CREATE TABLE codes (
  code_hash BYTES PRIMARY KEY,
  grant_id TEXT NOT NULL REFERENCES grants(id) ON DELETE CASCADE,
  request TEXT NOT NULL,             -- as a form: redirect_uri, code_challenge, nonce, auth_time, amr, …
  expires_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX codes_expiry ON codes(expires_at);
CREATE TABLE refresh_tokens (
  token_hash BYTES PRIMARY KEY,
  grant_id TEXT NOT NULL REFERENCES grants(id) ON DELETE CASCADE,
  request TEXT NOT NULL,             -- as a form: what later ID tokens repeat, what it is bound to
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens(grant_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens(expires_at);
CREATE TABLE device_codes (
  device_hash BYTES PRIMARY KEY,
  user_code_hash BYTES NOT NULL UNIQUE,  -- keyed: eight letters would be guessed
  client_id TEXT NOT NULL REFERENCES clients(id) ON DELETE CASCADE,
  scopes TEXT NOT NULL,
  resources TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,               -- pending, allowed, denied, used
  grant_id TEXT,
  request TEXT NOT NULL DEFAULT '',
  interval_s BIGINT NOT NULL,
  polled_at BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL
);
CREATE INDEX device_codes_expiry ON device_codes(expires_at);
CREATE TABLE used_once (
  id_hash BYTES PRIMARY KEY,         -- of an assertion's or a proof's issuer and jti
  expires_at BIGINT NOT NULL
);
CREATE INDEX used_once_expiry ON used_once(expires_at);
CREATE TABLE revocation_numbers (
  one BIGINT PRIMARY KEY,            -- there is one row: whoever takes a number holds it until its commit, so that
  last BIGINT NOT NULL               -- numbers become visible in their order
);
CREATE TABLE revocations (
  number BIGINT PRIMARY KEY,         -- grows; other gateways ask for what came after the last that they saw
  kind TEXT NOT NULL,                -- token, grant, session, user
  id TEXT NOT NULL,
  at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_expiry ON revocations(expires_at);
CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY,               -- kid, the thumbprint
  algorithm TEXT NOT NULL,
  key_sealed BYTES NOT NULL,         -- PKCS #8
  version BIGINT NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL,
  signs_from_at BIGINT NOT NULL,     -- published before, so that caches have it
  signs_until_at BIGINT NOT NULL,
  published_until_at BIGINT NOT NULL
);
CREATE TABLE audit_events (
  id TEXT PRIMARY KEY,               -- ULID: in the order of time
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,               -- "user:01J…", "admin:uid=0", "client:shop", "system"
  action TEXT NOT NULL,              -- "user.create", "login.failed"
  target TEXT NOT NULL DEFAULT '',
  outcome TEXT NOT NULL,             -- ok, refused
  request_id TEXT NOT NULL DEFAULT '',
  details_sealed BYTES,
  version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX audit_events_target ON audit_events(target);
)sql";

// A user's linked logins are listed on the account's page.
constexpr std::string_view kFederation = R"sql(
CREATE INDEX federated_identities_user ON federated_identities(user_id);
)sql";

// Requests may name whom the client expects: `parameters` is empty from here on.
constexpr std::string_view kSealedRequests = R"sql(
ALTER TABLE pushed_requests ADD COLUMN parameters_sealed BYTES;
ALTER TABLE pushed_requests ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
)sql";

// Some providers use an address as the subject. What `federated_identities` has is moved here by LinkedLogins, because
// a step knows no keys; programs of before still start, and see the links that they made themselves.
constexpr std::string_view kLinkedLogins = R"sql(
CREATE TABLE linked_logins (
  login_hash BYTES PRIMARY KEY,      -- keyed hash of issuer and subject: finds them, doesn't tell them
  issuer TEXT NOT NULL,
  subject_sealed BYTES NOT NULL,
  version BIGINT NOT NULL DEFAULT 1,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL
);
CREATE INDEX linked_logins_user ON linked_logins(user_id);
)sql";

// All sessions are listed by pages, the newest first.
constexpr std::string_view kNewestSessions = R"sql(
CREATE INDEX sessions_creation ON sessions(created_at, id);
)sql";

constexpr store::Migration kMigrations[] = {
    {1, kPeople, 1},         {2, kProvider, 1},     {3, kFederation, 1},
    {4, kSealedRequests, 1}, {5, kLinkedLogins, 1}, {6, kNewestSessions, 1},
};

}  // namespace

std::span<const store::Migration> migrations() { return kMigrations; }

}  // namespace gatehouse::identity
