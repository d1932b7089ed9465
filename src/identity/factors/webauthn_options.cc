// What is written: the options that a browser gets, and a credential as a factor keeps it.

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "crypto/digest.h"
#include "identity/factors/webauthn.h"
#include "identity/factors/webauthn_data.h"

namespace gatehouse::identity {
namespace {

using codec::base64url_encode;
using codec::JsonWriter;

constexpr std::string_view kTimeout = "300000";  // five minutes, as the challenge

std::string_view name_of(UserVerification wanted) {
  return wanted == UserVerification::required ? "required" : "preferred";
}

void write_descriptor(JsonWriter& out, std::string_view id, std::span<const std::string> transports) {
  out.raw(R"({"type":"public-key","id":)");
  out.string(base64url_encode(id));
  if (!transports.empty()) {
    out.raw(R"(,"transports":[)");
    for (std::size_t i = 0; i < transports.size(); ++i) {
      if (i > 0) out.raw(",");
      out.string(transports[i]);
    }
    out.raw("]");
  }
  out.raw("}");
}

}  // namespace

std::string creation_options(const RegistrationOptions& options) {
  std::string text;
  JsonWriter out(text);
  out.raw(R"({"rp":{"id":)");
  out.string(options.relying_party.id);
  out.raw(R"(,"name":)");
  out.string(options.relying_party.name);
  out.raw(R"(},"user":{"id":)");
  out.string(base64url_encode(options.user_handle));
  out.raw(R"(,"name":)");
  out.string(options.user_name);
  out.raw(R"(,"displayName":)");
  out.string(options.display_name);
  out.raw(R"(},"challenge":)");
  out.string(options.challenge);
  out.raw(R"(,"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},)");
  out.raw(R"({"type":"public-key","alg":-257}],"timeout":)");
  out.raw(kTimeout);
  out.raw(R"(,"excludeCredentials":[)");
  for (std::size_t i = 0; i < options.exclude.size(); ++i) {
    if (i > 0) out.raw(",");
    write_descriptor(out, options.exclude[i], {});
  }
  const bool resident = options.resident_key == ResidentKey::required;
  out.raw(R"(],"authenticatorSelection":{"residentKey":)");
  out.string(resident ? "required" : "preferred");
  out.raw(R"(,"requireResidentKey":)");
  out.boolean(resident);
  out.raw(R"(,"userVerification":)");
  out.string(name_of(options.user_verification));
  out.raw(R"(},"attestation":"none"})");
  out.flush();
  return text;
}

std::string request_options(const AssertionOptions& options) {
  std::string text;
  JsonWriter out(text);
  out.raw(R"({"challenge":)");
  out.string(options.challenge);
  out.raw(R"(,"timeout":)");
  out.raw(kTimeout);
  out.raw(R"(,"rpId":)");
  out.string(options.relying_party.id);
  out.raw(R"(,"allowCredentials":[)");
  for (std::size_t i = 0; i < options.allow.size(); ++i) {
    if (i > 0) out.raw(",");
    write_descriptor(out, options.allow[i].id, options.allow[i].transports);
  }
  out.raw(R"(],"userVerification":)");
  out.string(name_of(options.user_verification));
  out.raw("}");
  out.flush();
  return text;
}

std::vector<AllowedCredential> decoy_credentials(std::string_view key, std::string_view username) {
  const crypto::Sha256 id = crypto::hmac_sha256(key, "webauthn decoy\n" + std::string(username));
  // As a platform's passkey looks in the list.
  return {{std::string(crypto::as_text(id)), {"hybrid", "internal"}}};
}

std::string to_text(const WebauthnCredential& credential) {
  std::string text;
  JsonWriter out(text);
  out.raw(R"({"key":)");
  out.string(base64url_encode(credential.public_key));
  out.raw(R"(,"be":)");
  out.boolean(credential.backup_eligible);
  out.raw(R"(,"bs":)");
  out.boolean(credential.backed_up);
  out.raw(R"(,"uv":)");
  out.boolean(credential.user_verified);
  out.raw(R"(,"aaguid":)");
  out.string(credential.aaguid);
  out.raw(R"(,"transports":[)");
  for (std::size_t i = 0; i < credential.transports.size(); ++i) {
    if (i > 0) out.raw(",");
    out.string(credential.transports[i]);
  }
  out.raw("]}");
  out.flush();
  return text;
}

std::optional<WebauthnCredential> webauthn_credential_from(std::string_view text, std::string_view id,
                                                           std::uint32_t counter) {
  const auto json = codec::Json::parse(text);
  const auto key = json ? json->find_string("key") : std::nullopt;
  auto bytes = key ? codec::base64url_decode(*key) : std::nullopt;
  if (!bytes) return std::nullopt;
  const auto flag = [&](std::string_view name) -> std::optional<bool> {
    const codec::Json* member = json->find(name);
    return member ? member->boolean() : std::nullopt;
  };
  const auto eligible = flag("be"), backed_up = flag("bs"), verified = flag("uv");
  const codec::Json* transports = json->find("transports");
  if (!eligible || !backed_up || !verified || !transports) return std::nullopt;
  WebauthnCredential out{.id = std::string(id),
                         .public_key = std::move(*bytes),
                         .counter = counter,
                         .backup_eligible = *eligible,
                         .backed_up = *backed_up,
                         .user_verified = *verified,
                         .aaguid = std::string(json->find_string("aaguid").value_or(""))};
  for (const codec::Json& word : transports->items()) out.transports.emplace_back(word.string().value_or(""));
  return out;
}

}  // namespace gatehouse::identity
