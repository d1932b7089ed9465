// libfido2 judges the same messages. It looks at less (nothing of the client data's content, no backup state, no
// counter): what it refuses we must refuse, and what it takes although we don't must have a reason that it doesn't look
// at, or be one of the listed cases in which it is laxer.
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/cbor.h"
#include "codec/json.h"
#include "identity/factors/webauthn.h"

namespace gatehouse::identity {
namespace {

using codec::Cbor;
using codec::Json;

struct FreeFido {
  void operator()(fido_cred_t* credential) const { fido_cred_free(&credential); }
  void operator()(fido_assert_t* assertion) const { fido_assert_free(&assertion); }
  void operator()(es256_pk_t* key) const { es256_pk_free(&key); }
  void operator()(eddsa_pk_t* key) const { eddsa_pk_free(&key); }
  void operator()(rs256_pk_t* key) const { rs256_pk_free(&key); }
};
template <class T>
using FidoPtr = std::unique_ptr<T, FreeFido>;

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

struct Vectors {
  Json document;
  std::vector<std::string> origins;
  std::string challenge;

  std::string text(std::string_view name) const { return std::string(document.find_string(name).value_or("")); }
  std::string bytes(std::string_view name) const { return codec::base64url_decode(text(name)).value_or(""); }
  std::string key(std::string_view kind) const {
    return codec::base64url_decode(document.find("keys")->find_string(kind).value_or("")).value_or("");
  }
  CeremonyExpectation ceremony() const {
    return {.relying_party = {.id = *document.find_string("rp_id"), .name = "Login", .origins = origins},
            .challenge = challenge,
            .user_verification = UserVerification::required};
  }
};

Vectors load() {
  const auto text = read_file(GATEHOUSE_SOURCE_DIR "/tests/data/webauthn/vectors.json");
  auto document =
      text ? Json::parse(*text, {.bytes_max = 1 << 20, .depth_max = 8, .values_max = 65536}) : std::optional<Json>();
  EXPECT_TRUE(document) << "no vectors";
  Vectors vectors{.document = std::move(document).value_or(Json())};
  vectors.origins = {vectors.text("origin")};
  vectors.challenge = vectors.text("challenge");
  return vectors;
}

// A part of `response`; empty when it is missing or no base64url.
std::string part(const Json& message, std::string_view name) {
  const Json* response = message.find("response");
  const auto text = response ? response->find_string(name) : std::nullopt;
  return text ? codec::base64url_decode(*text).value_or("") : std::string();
}

std::int64_t algorithm_of(std::string_view cose_key) {
  const auto key = Cbor::parse(cose_key);
  const Cbor* named = key ? key->find(3) : nullptr;
  return named ? named->integer().value_or(0) : 0;
}

// libfido2 1.12 reads no attestation objects; it gets the object's parts.
bool peer_registers(const Json& message, const Vectors& vectors) {
  const std::string client_data = part(message, "clientDataJSON"), encoded = part(message, "attestationObject");
  const auto object = Cbor::parse(encoded);
  const Cbor* authenticator_data = object ? object->find("authData") : nullptr;
  const Cbor* format = object ? object->find("fmt") : nullptr;
  const Cbor* statement = object ? object->find("attStmt") : nullptr;
  if (!authenticator_data || !authenticator_data->bytes() || !format || !format->text() || !statement) return false;
  const std::string raw(*authenticator_data->bytes());
  // Which algorithm it is comes out of the key, where libfido2 wants to be told; it compares.
  for (const int algorithm : {COSE_ES256, COSE_EDDSA, COSE_RS256}) {
    const FidoPtr<fido_cred_t> credential(fido_cred_new());
    if (fido_cred_set_type(credential.get(), algorithm) != FIDO_OK ||
        fido_cred_set_clientdata(credential.get(), octets(client_data), client_data.size()) != FIDO_OK ||
        fido_cred_set_rp(credential.get(), vectors.text("rp_id").c_str(), "Login") != FIDO_OK ||
        fido_cred_set_uv(credential.get(), FIDO_OPT_TRUE) != FIDO_OK ||
        fido_cred_set_authdata_raw(credential.get(), octets(raw), raw.size()) != FIDO_OK) {
      continue;
    }
    const bool none = *format->text() == "none" && statement->is_map() && statement->size() == 0;
    const Cbor* found = statement->find("sig");
    const bool self = *format->text() == "packed" && found && found->bytes();
    if (!none && !self) return false;
    // Without a statement there is nothing that it would verify. Given a signature that is none, it looks at everything
    // else before it says so.
    const std::string signature(none ? "x" : *found->bytes());
    if (const Cbor* chain = self ? statement->find("x5c") : nullptr) {
      const auto der = chain->size() > 0 ? chain->items().front().bytes() : std::nullopt;
      return der && fido_cred_set_x509(credential.get(), octets(*der), der->size()) == FIDO_OK &&
             fido_cred_set_fmt(credential.get(), "packed") == FIDO_OK &&
             fido_cred_set_sig(credential.get(), octets(signature), signature.size()) == FIDO_OK &&
             fido_cred_verify(credential.get()) == FIDO_OK;
    }
    return fido_cred_set_fmt(credential.get(), "packed") == FIDO_OK &&
           fido_cred_set_sig(credential.get(), octets(signature), signature.size()) == FIDO_OK &&
           fido_cred_verify_self(credential.get()) == (none ? FIDO_ERR_INVALID_SIG : FIDO_OK);
  }
  return false;
}

bool peer_authenticates(const Json& message, const std::string& cose_key, const Vectors& vectors) {
  const std::string client_data = part(message, "clientDataJSON"), raw = part(message, "authenticatorData"),
                    signature = part(message, "signature");
  const FidoPtr<fido_assert_t> assertion(fido_assert_new());
  if (fido_assert_set_clientdata(assertion.get(), octets(client_data), client_data.size()) != FIDO_OK ||
      fido_assert_set_rp(assertion.get(), vectors.text("rp_id").c_str()) != FIDO_OK ||
      fido_assert_set_up(assertion.get(), FIDO_OPT_TRUE) != FIDO_OK ||
      fido_assert_set_uv(assertion.get(), FIDO_OPT_TRUE) != FIDO_OK ||
      fido_assert_set_count(assertion.get(), 1) != FIDO_OK ||
      fido_assert_set_authdata_raw(assertion.get(), 0, octets(raw), raw.size()) != FIDO_OK ||
      fido_assert_set_sig(assertion.get(), 0, octets(signature), signature.size()) != FIDO_OK) {
    return false;
  }
  const auto key = Cbor::parse(cose_key);
  const auto number = [&](std::int64_t label) { return std::string(*key->find(label)->bytes()); };
  switch (algorithm_of(cose_key)) {
    case COSE_ES256: {
      const FidoPtr<es256_pk_t> public_key(es256_pk_new());
      const std::string point = number(-2) + number(-3);
      return es256_pk_from_ptr(public_key.get(), point.data(), point.size()) == FIDO_OK &&
             fido_assert_verify(assertion.get(), 0, COSE_ES256, public_key.get()) == FIDO_OK;
    }
    case COSE_EDDSA: {
      const FidoPtr<eddsa_pk_t> public_key(eddsa_pk_new());
      return eddsa_pk_from_ptr(public_key.get(), number(-2).data(), 32) == FIDO_OK &&
             fido_assert_verify(assertion.get(), 0, COSE_EDDSA, public_key.get()) == FIDO_OK;
    }
    default: {
      const FidoPtr<rs256_pk_t> public_key(rs256_pk_new());
      const std::string numbers = number(-1) + number(-2);
      return rs256_pk_from_ptr(public_key.get(), numbers.data(), numbers.size()) == FIDO_OK &&
             fido_assert_verify(assertion.get(), 0, COSE_RS256, public_key.get()) == FIDO_OK;
    }
  }
}

// What libfido2 has no way to see: it is given the parts, not the message, and a hash of the client data.
bool cannot_see(WebauthnStatus status) {
  static const std::set<WebauthnStatus> kStatuses = {
      WebauthnStatus::malformed,     WebauthnStatus::id_mismatch,        WebauthnStatus::credential_type,
      WebauthnStatus::client_data,   WebauthnStatus::ceremony,           WebauthnStatus::challenge,
      WebauthnStatus::origin,        WebauthnStatus::cross_origin,       WebauthnStatus::backup_state,
      WebauthnStatus::credential_id, WebauthnStatus::unknown_credential, WebauthnStatus::user_handle,
      WebauthnStatus::counter};
  return kStatuses.contains(status);
}

// Cases in which it is laxer although it could see; at registration a key off its curve shows in the signature alone,
// and of a certificate it takes the key alone.
const std::set<std::string> kLaxer = {"bytes behind the extensions",
                                      "bytes behind the key",
                                      "extensions not announced",
                                      "a point off its curve",
                                      "a key with a private part",
                                      "bytes behind the data",
                                      "attested data announced",
                                      "packed, a certificate of another model",
                                      "packed, a certificate of a malformed model",
                                      "packed, a certificate of a model that is critical",
                                      "packed, a certificate of an authority",
                                      "packed, a certificate without basic constraints",
                                      "packed, a certificate of no authenticator",
                                      "packed, a certificate named with another algorithm",
                                      "packed, a certificate with an algorithm that is not offered",
                                      "packed, a certificate with bytes behind it",
                                      "packed, a certificate and another member"};
// And stricter: it takes no extensions that it wasn't told of, and where it gets a statement in parts it takes a
// certificate's key to be of ES256.
const std::set<std::string> kStricter = {"with extensions", "packed with a certificate, eddsa",
                                         "packed with a certificate, rs256"};

// How often each agreed, over one list of vectors.
struct Tally {
  int both = 0, neither = 0;
  void add(const std::string& name, WebauthnStatus status, bool peer) {
    EXPECT_TRUE(peer || status != WebauthnStatus::ok || kStricter.contains(name)) << "libfido2 refuses: " << name;
    const bool laxer = peer && status != WebauthnStatus::ok && !cannot_see(status);
    EXPECT_EQ(laxer, kLaxer.contains(name)) << name << ": " << name_of(status);
    both += peer && status == WebauthnStatus::ok ? 1 : 0;
    neither += !peer && status != WebauthnStatus::ok ? 1 : 0;
  }
};

TEST(WebauthnPeer, Registrations) {
  const Vectors vectors = load();
  fido_init(0);
  Tally tally;
  for (const Json& one : vectors.document.find("registrations")->items()) {
    const std::string name(*one.find_string("name"));
    const auto message = Json::parse(*one.find_string("message"));
    ASSERT_TRUE(message) << name;
    WebauthnCredential ours;
    const WebauthnStatus status = verify_registration(*one.find_string("message"), vectors.ceremony(), ours);
    tally.add(name, status, peer_registers(*message, vectors));
  }
  EXPECT_GE(tally.both, 10);
  EXPECT_GE(tally.neither, 15);
}

TEST(WebauthnPeer, Assertions) {
  const Vectors vectors = load();
  fido_init(0);
  Tally tally;
  for (const Json& one : vectors.document.find("assertions")->items()) {
    const std::string name(*one.find_string("name")), kind(*one.find_string("key"));
    const auto message = Json::parse(*one.find_string("message"));
    ASSERT_TRUE(message) << name;
    const std::size_t dash = kind.find('-');
    const WebauthnCredential credential{
        .id = vectors.bytes("id"),
        .public_key = vectors.key(kind.substr(0, dash)),
        .counter = dash == std::string::npos ? 0 : static_cast<std::uint32_t>(std::stoul(kind.substr(dash + 1)))};
    const std::string owner = vectors.text("owner");
    WebauthnProof proof;
    const WebauthnStatus status =
        verify_assertion(*one.find_string("message"),
                         {.ceremony = vectors.ceremony(), .credential = &credential, .owner = owner}, proof);
    tally.add(name, status, peer_authenticates(*message, credential.public_key, vectors));
  }
  EXPECT_GE(tally.both, 7);
  EXPECT_GE(tally.neither, 9);
}

// A registration without attestation, so that no signature covers what is changed.
std::string registration_of(const Vectors& vectors, std::string_view client_data, std::string_view authenticator_data) {
  // In its shortest form: a length in one byte, or in two.
  const std::size_t bytes = authenticator_data.size();
  std::string size = bytes < 256 ? "\x58" : "\x59";
  if (bytes >= 256) size += static_cast<char>(bytes >> 8U);
  size += static_cast<char>(bytes);
  const std::string object =
      "\xa3\x63"
      "fmt\x64none\x67"
      "attStmt\xa0\x68"
      "authData" +
      size + std::string(authenticator_data);
  const std::string id = vectors.text("id");
  return R"({"id":")" + id + R"(","rawId":")" + id + R"(","type":"public-key","response":{"clientDataJSON":")" +
         codec::base64url_encode(client_data) + R"(","attestationObject":")" + codec::base64url_encode(object) +
         R"("}})";
}

TEST(WebauthnPeer, ChangedAuthenticatorData) {
  const Vectors vectors = load();
  fido_init(0);
  int taken = 0;
  const auto judge = [&](const std::string& name, std::string_view client_data, const std::string& changed) {
    const std::string text = registration_of(vectors, client_data, changed);
    const auto message = Json::parse(text);
    ASSERT_TRUE(message);
    WebauthnCredential ours;
    if (verify_registration(text, vectors.ceremony(), ours) != WebauthnStatus::ok) return;
    ++taken;
    EXPECT_TRUE(peer_registers(*message, vectors)) << name << ", " << codec::base64url_encode(changed);
  };
  for (const Json& one : vectors.document.find("registrations")->items()) {
    const std::string name(*one.find_string("name"));
    if (name != "es256" && name != "eddsa" && name != "rs256") continue;
    const auto message = Json::parse(*one.find_string("message"));
    const auto object = Cbor::parse(part(*message, "attestationObject"));
    const std::string client_data = part(*message, "clientDataJSON");
    const std::string good(*object->find("authData")->bytes());
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (unsigned bit = 0; bit < 8; bit += name == "rs256" ? 8 : 1) {
        std::string changed = good;
        changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
        judge(name + ": a bit", client_data, changed);
      }
      judge(name + ": cut", client_data, good.substr(0, at));
      judge(name + ": a byte more", client_data, good.substr(0, at) + '\0' + good.substr(at));
      judge(name + ": a byte less", client_data, good.substr(0, at) + good.substr(at + 1));
    }
    for (int flags = 0; flags < 256; ++flags) {
      std::string changed = good;
      changed[32] = static_cast<char>(flags);
      judge(name + ": flags", client_data, changed);
    }
  }
  // Other models, counters, and keys of Ed25519 and RSA, which any number is.
  EXPECT_GE(taken, 800);
}

}  // namespace
}  // namespace gatehouse::identity
