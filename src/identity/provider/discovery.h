#pragma once
// Who we are and what we can do, for clients that configure themselves (RFC 8414, OIDC Discovery §3).

#include <string>
#include <vector>

namespace gatehouse::identity {

struct DiscoveryFacts {
  std::string issuer;
  std::vector<std::string> signing_algorithms;  // of ID tokens
  bool registration = false;
  bool certificates = false;  // clients may authenticate with certificates
};
std::string discovery_document(const DiscoveryFacts& facts);

}  // namespace gatehouse::identity
