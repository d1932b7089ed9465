#pragma once
// Where a Redis is and how it is spoken to.
//
//   redis://[USER@]HOST[:PORT][/DATABASE]         plain text
//   rediss://[USER@]HOST[:PORT][/DATABASE][?ca=FILE]   TLS whose certificate is verified, by the system's authorities
//                                                 unless `ca` names others
//   redis+unix:///PATH/OF/SOCKET[?db=DATABASE]
//
// The forms are those of redis-cli and of most clients; `+unix` says what a path means.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::store {

struct RedisLocation {
  std::string host;  // a name or an address; empty: a Unix socket
  std::uint16_t port = 6379;
  std::string unix_path;
  bool tls = false;
  std::string ca_file;   // empty: the system's
  std::string username;  // empty: "default", as a password alone means
  std::uint32_t database = 0;
  bool local = false;     // on this machine: nobody else hears what is said
  std::string printable;  // for messages; a location holds no secret
};

// Fails with `invalid`; the message has nothing of the location, which may hold a password that does not belong there.
Result<RedisLocation> read_redis_location(std::string_view location);

}  // namespace gatehouse::store
