#include "crypto/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "crypto/jwk_form.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {
namespace {

using codec::Json;
using ParamBuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, OpensslFree<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, OpensslFree<OSSL_PARAM_free>>;

constexpr int kRsaBitsMin = 2048, kRsaBitsMax = 8192;
constexpr std::array<std::string_view, 9> kNames = {"ES256", "ES384", "EdDSA", "RS256", "RS384",
                                                    "RS512", "PS256", "PS384", "PS512"};

bool is_rsa(JoseAlgorithm a) { return a >= JoseAlgorithm::rs256; }

std::string_view curve_of(JoseAlgorithm a) {
  switch (a) {
    case JoseAlgorithm::es256: return "P-256";
    case JoseAlgorithm::es384: return "P-384";
    case JoseAlgorithm::eddsa: return "Ed25519";
    default: return {};
  }
}

KeyHandle from_parameters(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr parameters(OSSL_PARAM_BLD_to_param(builder));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return KeyHandle(key);
}

KeyHandle make_rsa(const std::string& modulus, const std::string& exponent) {
  const auto number = [](const std::string& bytes) {
    return BignumPtr(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr));
  };
  const BignumPtr n = number(modulus), e = number(exponent);
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  GH_CHECK(n && e && builder);
  const int bits = BN_num_bits(n.get());
  if (bits < kRsaBitsMin || bits > kRsaBitsMax || !BN_is_odd(n.get())) return nullptr;
  // Small exponents have a history of forgeries; large ones make each verification slow (NIST SP 800-56B §6.4.1).
  if (BN_num_bits(e.get()) < 17 || BN_num_bits(e.get()) > 64 || !BN_is_odd(e.get())) return nullptr;
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return from_parameters("RSA", builder.get());
}

KeyHandle make_ec(std::string_view curve, const std::string& x, const std::string& y) {
  const std::size_t size = curve == "P-256" ? 32 : 48;
  if (x.size() != size || y.size() != size) return nullptr;  // full length (RFC 7518 §6.2.1.2)
  const std::string point = "\x04" + x + y;
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  GH_CHECK(builder);
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), curve.size()) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  KeyHandle key = from_parameters("EC", builder.get());
  if (!key) return nullptr;
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  // On the curve and not at infinity: with a cofactor of one that is all (SP 800-56A §5.6.2.3.4), and spares a
  // multiplication where each DPoP proof brings a key.
  if (!context || EVP_PKEY_public_check_quick(context.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return key;
}

KeyHandle make_ed25519(const std::string& x) {
  if (x.size() != 32) return nullptr;
  return KeyHandle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                               reinterpret_cast<const unsigned char*>(x.data()), x.size()));
}

std::optional<std::string> bytes_of(const Json& jwk, std::string_view member) {
  const auto text = jwk.find_string(member);
  return text ? codec::base64url_decode(*text) : std::nullopt;
}

// What became of one member of `keys`.
struct Candidate {
  KeyHandle key;
  JoseAlgorithm algorithm = JoseAlgorithm::es256;
  std::string skipped;  // why not
};

Candidate skip(std::string why) { return {.key = nullptr, .skipped = std::move(why)}; }

// The one algorithm that this key verifies. An RSA key that names none gets the first allowed one.
std::optional<JoseAlgorithm> algorithm_for(const Json& jwk, std::string_view kty, std::string_view curve,
                                           AlgorithmSet allowed) {
  const Json* named = jwk.find("alg");
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const auto algorithm = static_cast<JoseAlgorithm>(i);
    const bool fits = kty == "RSA" ? is_rsa(algorithm) : !is_rsa(algorithm) && curve_of(algorithm) == curve;
    if (!fits || !allowed.has(algorithm)) continue;
    if (!named || named->string() == kNames[i]) return algorithm;
  }
  return std::nullopt;
}

bool is_for_signatures(const Json& jwk) {
  if (const Json* use = jwk.find("use"); use && use->string() != "sig") return false;
  const Json* operations = jwk.find("key_ops");
  return !operations || std::any_of(operations->items().begin(), operations->items().end(),
                                    [](const Json& operation) { return operation.string() == "verify"; });
}

Candidate make_candidate(const Json& jwk, AlgorithmSet allowed) {
  const std::string_view kty = jwk.find_string("kty").value_or("");
  const std::string_view curve = jwk.find_string("crv").value_or("");
  if (kty != "RSA" && kty != "EC" && kty != "OKP") return skip(fmt::format("kty \"{}\" is not known", kty));
  if (!is_for_signatures(jwk)) return skip("it is not for signatures");
  const auto algorithm = algorithm_for(jwk, kty, curve, allowed);
  if (!algorithm) return skip("its algorithm is not allowed, or does not fit its kind");
  Candidate candidate{.key = nullptr, .algorithm = *algorithm, .skipped = {}};
  const auto n = bytes_of(jwk, "n"), e = bytes_of(jwk, "e"), x = bytes_of(jwk, "x"), y = bytes_of(jwk, "y");
  if (kty == "RSA" && n && e) candidate.key = make_rsa(*n, *e);
  if (kty == "EC" && x && y) candidate.key = make_ec(curve, *x, *y);
  if (kty == "OKP" && x) candidate.key = make_ed25519(*x);
  if (!candidate.key) candidate.skipped = "its numbers are missing, malformed or too weak";
  return candidate;
}

bool holds_secret(const Json& jwk) {
  for (const std::string_view member : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk.find(member)) return true;
  }
  return false;
}

const EVP_MD* digest_of(JoseAlgorithm a) {
  const Algorithms& algorithms = Algorithms::get();
  switch (a) {
    case JoseAlgorithm::es256:
    case JoseAlgorithm::rs256:
    case JoseAlgorithm::ps256: return algorithms.sha256;
    case JoseAlgorithm::es384:
    case JoseAlgorithm::rs384:
    case JoseAlgorithm::ps384: return algorithms.sha384;
    case JoseAlgorithm::rs512:
    case JoseAlgorithm::ps512: return algorithms.sha512;
    case JoseAlgorithm::eddsa: return nullptr;
  }
  return nullptr;
}

}  // namespace

void KeyRelease::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

std::string_view name_of(JoseAlgorithm algorithm) noexcept { return kNames[static_cast<std::size_t>(algorithm)]; }

std::optional<JoseAlgorithm> parse_jose_algorithm(std::string_view name) noexcept {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<JoseAlgorithm>(at - kNames.begin());
}

Signature VerificationKey::verify(std::string_view input, std::string_view signature) const noexcept {
  std::string der;
  if (algorithm_ == JoseAlgorithm::es256 || algorithm_ == JoseAlgorithm::es384) {
    der = ecdsa_der(signature, algorithm_ == JoseAlgorithm::es256 ? 32 : 48);
    if (der.empty()) return Signature::invalid;
    signature = der;
  }
  return verify_der(input, signature);
}

Signature VerificationKey::verify_der(std::string_view input, std::string_view signature) const noexcept {
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;  // owned by `context`
  GH_CHECK(context);
  const EVP_MD* digest = digest_of(algorithm_);
  bool ready = EVP_DigestVerifyInit_ex(context.get(), &parameters, digest ? EVP_MD_get0_name(digest) : nullptr, nullptr,
                                       nullptr, key_.get(), nullptr) == 1;
  if (algorithm_ >= JoseAlgorithm::ps256) {  // the salt as long as the digest (RFC 7518 §3.5)
    ready = ready && EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  const bool valid = ready && EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                                               signature.size(), reinterpret_cast<const unsigned char*>(input.data()),
                                               input.size()) == 1;
  if (!valid) ERR_clear_error();
  return valid ? Signature::valid : Signature::invalid;
}

std::string VerificationKey::public_bytes() const {
  if (is_rsa(algorithm_)) {
    return number_octets(*key_, OSSL_PKEY_PARAM_RSA_N, 0) + number_octets(*key_, OSSL_PKEY_PARAM_RSA_E, 0);
  }
  return octets(*key_, OSSL_PKEY_PARAM_PUB_KEY);
}

std::string VerificationKey::thumbprint() const { return jwk_thumbprint(*key_); }

Result<VerificationKey> VerificationKey::parse(const Json& jwk, AlgorithmSet allowed) {
  if (!jwk.is_object()) return fail(ErrorCode::invalid, "a key is not an object");
  if (holds_secret(jwk)) return fail(ErrorCode::invalid, "a key publishes a secret");
  Candidate candidate = make_candidate(jwk, allowed);
  if (!candidate.key) return fail(ErrorCode::invalid, "a key cannot be used: " + candidate.skipped);
  return VerificationKey(std::move(candidate.key), std::string(jwk.find_string("kid").value_or("")),
                         candidate.algorithm);
}

Result<KeySet> KeySet::parse(std::string_view jwks, AlgorithmSet allowed) {
  const auto invalid = [](std::string what) { return fail(ErrorCode::invalid, std::move(what)); };
  const auto document = Json::parse(jwks, {.bytes_max = kBytesMax, .depth_max = 8, .values_max = 8192});
  if (!document) return invalid("the key set is not one JSON document within its limits");
  const Json* keys = document->find("keys");
  if (!keys || !keys->is_array()) return invalid("the key set has no list \"keys\"");
  if (keys->size() > kKeysMax) return invalid(fmt::format("the key set has more than {} keys", kKeysMax));

  KeySet set;
  for (const Json& jwk : keys->items()) {
    if (!jwk.is_object()) return invalid("a key of the set is not an object");
    const std::string id(jwk.find_string("kid").value_or(""));
    if (holds_secret(jwk)) return invalid(fmt::format("key \"{}\" publishes a secret", id));
    Candidate candidate = make_candidate(jwk, allowed);
    if (!candidate.key) {
      set.skipped_.push_back(fmt::format("key \"{}\": {}", id, candidate.skipped));
      continue;
    }
    if (!id.empty() && set.find(id)) return invalid(fmt::format("two keys are called \"{}\"", id));
    set.keys_.emplace_back(std::move(candidate.key), id, candidate.algorithm);
  }
  if (set.keys_.empty()) return invalid("the key set has no key that can be used");
  return set;
}

const VerificationKey* KeySet::find(std::optional<std::string_view> id) const noexcept {
  if (!id) return keys_.size() == 1 ? &keys_.front() : nullptr;
  if (id->empty()) return nullptr;
  for (const VerificationKey& key : keys_) {
    if (key.id() == *id) return &key;
  }
  return nullptr;
}

bool KeySet::keeps_all_of(const KeySet& older) const {
  return std::all_of(older.keys_.begin(), older.keys_.end(), [this](const VerificationKey& old) {
    return std::any_of(keys_.begin(), keys_.end(), [&](const VerificationKey& key) {
      return key.id() == old.id() && key.algorithm() == old.algorithm() && key.public_bytes() == old.public_bytes();
    });
  });
}

}  // namespace gatehouse::crypto
