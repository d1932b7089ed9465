#pragma once
// The command line's side of the admin API: one blocking HTTP call at a time, over a Unix socket or TCP with a token.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::app {

struct AdminTarget {
  std::string address;           // "127.0.0.1:9900", "[::1]:9900" or "unix:/path"
  SecretBytes token;             // for TCP
  std::string config_file = {};  // that the address was found in; empty: it was given

  bool is_local() const noexcept { return address.starts_with("unix:"); }
};

struct AdminReply {
  int status = 0;
  std::string body;
};

// `path` with its query, as it goes on the wire; a body is sent as JSON. An error means that no answer came: the
// program is not running, or not at this address. Proxies of the environment are not used. Bounds: 2 s to connect, 60 s
// in all (a reload validates a whole configuration), 64 MiB of answer.
Result<AdminReply> admin_call(const AdminTarget& target, std::string_view method, std::string_view path,
                              std::string_view body = {});

}  // namespace gatehouse::app
