#include "secrets/schema.h"

namespace gatehouse::secrets {
namespace {

constexpr std::string_view kKeyring = R"sql(
CREATE TABLE keyring_root (
  id BIGINT PRIMARY KEY,             -- 1: there is one root key at a time
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

constexpr store::Migration kMigrations[] = {{1, kKeyring, 1}};

}  // namespace

std::span<const store::Migration> migrations() { return kMigrations; }

}  // namespace gatehouse::secrets
