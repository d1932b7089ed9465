// Any bytes as a DPoP proof and as a client assertion. Behind a first byte of 'S', the rest is signed: header and
// claims with a line feed in between, so that what lies behind the signature is reached too.
#include "crypto/dpop.h"

#include "base/check.h"
#include "codec/base64.h"
#include "crypto/client_assertion.h"
#include "crypto/signing_key.h"

namespace {

using namespace gatehouse;

const WallTime kNow(std::chrono::seconds(1'750'000'000));

std::string signed_token(const crypto::SigningKey& key, std::string_view text) {
  const std::size_t line = std::min(text.find('\n'), text.size());
  std::string header(text.substr(0, line));
  // `$` stands for the key that signs, which is another in each run.
  if (const std::size_t at = header.find('$'); at != std::string::npos) header.replace(at, 1, key.public_jwk());
  const std::string_view claims = line < text.size() ? text.substr(line + 1) : std::string_view();
  const std::string input = codec::base64url_encode(header) + "." + codec::base64url_encode(claims);
  return input + "." + codec::base64url_encode(key.signature_of(input));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const crypto::SigningKey key = crypto::SigningKey::generate();
  static const auto keys = crypto::KeySet::parse(key.public_jwks());
  static const std::vector<std::string> audiences{"https://login.example"};
  std::string text(reinterpret_cast<const char*>(data), size);
  const bool is_signed = text.starts_with('S');
  if (is_signed) text = signed_token(key, std::string_view(text).substr(1));

  crypto::DpopProof proof;
  const crypto::DpopExpectation expected{.method = "POST", .uri = "https://login.example/token"};
  const crypto::DpopStatus status = crypto::verify_dpop(text, expected, kNow, proof);
  GH_CHECK(!name_of(status).empty());
  if (status == crypto::DpopStatus::ok) {
    // Unsigned bytes would have to hold a signature that fits: the key in them is the fuzzer's own choice, but not its
    // private half.
    GH_CHECK(is_signed && proof.thumbprint == key.id() && proof.replay_key.size() == 43);
    GH_CHECK(proof.replay_until >= kNow && proof.replay_until <= kNow + std::chrono::minutes(2));
  }

  crypto::ClientAssertion assertion;
  const crypto::ClientAssertionExpectation client{
      .client_id = "billing", .audiences = audiences, .algorithms = crypto::AlgorithmSet::all()};
  if (crypto::verify_client_assertion(text, *keys, client, kNow, assertion) == crypto::ClientAssertionStatus::ok) {
    GH_CHECK(is_signed && !assertion.id.empty() && crypto::client_of_assertion(text) == "billing");
    GH_CHECK(status != crypto::DpopStatus::ok);  // no token is both
  }
  return 0;
}
