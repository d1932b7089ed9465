// Any bytes as a token and as a key set. A token that is read must be the canonical text of what was read.
#include "crypto/jwt.h"

#include "base/check.h"
#include "codec/base64.h"
#include "crypto/signing_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  static const crypto::SigningKey signer = crypto::SigningKey::generate();
  static const auto keys = crypto::KeySet::parse(signer.public_jwks());
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  crypto::UnverifiedJwt token;
  if (crypto::parse_jwt(text, token) == crypto::JwtStatus::ok) {
    const std::string again = std::string(token.signed_part) + "." + codec::base64url_encode(token.signature);
    GH_CHECK(again == text);
    crypto::JwtValidity validity;
    const crypto::JwtExpectation expected{.issuer = token.issuer(),
                                          .audiences = {},
                                          .algorithms = crypto::AlgorithmSet::all(),
                                          .leeway = std::chrono::seconds(30)};
    token.key_id.reset();
    GH_CHECK(crypto::verify_jwt(token, *keys, expected, WallTime{}, validity) != crypto::JwtStatus::ok);
  }
  if (const auto parsed = crypto::KeySet::parse(text)) {
    GH_CHECK(parsed->size() > 0 && parsed->keeps_all_of(*parsed));
  }
  return 0;
}
