#include "secrets/schema.h"

namespace gatehouse::secrets {
namespace {

constexpr std::string_view kKeyring = R"sql(
CREATE TABLE keyring_root (
  id BIGINT PRIMARY KEY,             -- 1, 2, …: there is one root key, but for the time of its rotation
  salt BYTES NOT NULL,               -- for a passphrase, and for the wrapping key
  check_sealed BYTES NOT NULL,       -- opens under the right root key only
  created_at BIGINT NOT NULL
);
CREATE TABLE keyring_keys (
  id BIGINT PRIMARY KEY,             -- 0: names are derived from it; from 1 on: records are sealed with it
  key_wrapped BYTES NOT NULL,
  state TEXT NOT NULL,               -- derivation, current, previous
  created_at BIGINT NOT NULL
);
)sql";

constexpr std::string_view kRotation = R"sql(
ALTER TABLE keyring_root ADD COLUMN kind TEXT NOT NULL DEFAULT '';  -- key, passphrase; empty: of version 1, not known
ALTER TABLE keyring_root ADD COLUMN keyring_key_wrapped BYTES;      -- wraps keyring_keys; NULL: the root's own key does
CREATE TABLE keyring_walk (          -- who is sealing records anew: one gateway at a time is enough
  one BIGINT PRIMARY KEY,
  holder TEXT NOT NULL,
  until_at BIGINT NOT NULL
);
)sql";

constexpr store::Migration kMigrations[] = {{1, kKeyring, 1}, {2, kRotation, 1}};

}  // namespace

std::span<const store::Migration> migrations() { return kMigrations; }

}  // namespace gatehouse::secrets
