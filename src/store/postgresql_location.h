#pragma once
// Where a PostgreSQL is and how it is spoken to: libpq's connection parameters, with what it leaves open decided here.
//
// A host that is not this machine is spoken to over TLS whose certificate is verified (`sslmode=verify-full`, by the
// system's authorities unless `sslrootcert` names others), unless the location itself says otherwise; libpq alone would
// fall back to plain text.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::store {

struct PostgresqlLocation {
  std::vector<std::pair<std::string, std::string>> parameters;  // libpq's, without the password
  SecretBytes password;                                         // empty: none was given
  bool local = false;                                           // every host is this machine
  bool verified = false;                                        // TLS with a verified name, or local
  std::string printable;                                        // for messages: user, hosts and name alone
};

// `location` begins with postgresql:// or postgres://. Fails with `invalid`; the message has nothing of the location.
Result<PostgresqlLocation> read_postgresql_location(std::string_view location);

}  // namespace gatehouse::store
