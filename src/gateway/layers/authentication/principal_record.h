#pragma once
// A principal that outlives requests: packed into one block, so that giving it to a request is one copy into its arena.
//
// Thread safety: immutable.

#include <string>
#include <vector>

#include "gateway/request.h"

namespace gatehouse::gateway {

// What a credential says about its holder.
struct PrincipalFacts {
  AuthMethod method = AuthMethod::none;
  std::string user, issuer, key_id;
  std::vector<std::string> roles, scopes, audiences;
  bool mfa = false;
  WallTime authenticated_at{}, expires{};
};

class PrincipalRecord {
 public:
  explicit PrincipalRecord(const PrincipalFacts& facts);
  void unpack(Arena& arena, Principal& out) const;

 private:
  std::string text_;                 // the fingerprint, then every string, one after another
  std::vector<std::uint32_t> ends_;  // of each string in text_: user, issuer, key_id, roles, scopes, audiences
  std::size_t roles_, scopes_;
  WallTime authenticated_at_, expires_;
  AuthMethod method_;
  bool mfa_;
};

}  // namespace gatehouse::gateway
