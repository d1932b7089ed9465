#pragma once
// Client authentication by `private_key_jwt` (RFC 7523 §3, OpenID Connect Core §9): a JWT that the client signed,
// naming itself as issuer and subject and this provider as audience.
//
// Thread safety: pure functions. Not decided here: that `id` was never seen before (RFC 7523 §3, item 7). The caller
// remembers `id` with the client until `expires`, in one statement that fails when it is there already.

#include <string>

#include "crypto/jwt.h"

namespace gatehouse::crypto {

enum class ClientAssertionStatus : std::uint8_t {
  ok,
  malformed,
  algorithm,
  key_unknown,
  signature,
  client,    // issuer or subject is not this client
  audience,  // meant for somebody else
  not_yet_valid,
  expired,
  lifetime,    // good for longer than its use can be remembered
  identifier,  // no `jti`, or one that is too long
};

// Whose assertion it claims to be, so that the client's keys can be looked up. Nothing is believed: empty when the
// assertion is malformed, or issuer and subject differ.
std::string client_of_assertion(std::string_view assertion);

struct ClientAssertionExpectation {
  std::string_view client_id;
  std::span<const std::string> audiences;  // the issuer, and the token endpoint for clients that still name it
  AlgorithmSet algorithms;                 // what the client is registered for
  Duration leeway = std::chrono::seconds(30);
  Duration lifetime_max = std::chrono::hours(1);
};

struct ClientAssertion {
  std::string id;      // `jti`, at most 256 bytes
  WallTime expires{};  // leeway included: until then it must be remembered
};

ClientAssertionStatus verify_client_assertion(std::string_view assertion, const KeySet& keys,
                                              const ClientAssertionExpectation& expected, WallTime now,
                                              ClientAssertion& out);

}  // namespace gatehouse::crypto
