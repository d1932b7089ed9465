#include "audit/note.h"

#include <charconv>
#include <cstring>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "crypto/jwk.h"
#include "crypto/signing_key.h"

namespace gatehouse::audit {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space begin a line with a signature
constexpr std::uint8_t kEd25519 = 1, kCosignature = 4;
constexpr std::size_t kIdBytes = 4, kKeyBytes = 32, kSignatureBytes = 64, kTimeBytes = 8, kSignaturesMax = 64;

tl::unexpected<Error> no_note(std::string_view why) {
  return fail(ErrorCode::invalid, fmt::format("not a checkpoint: {}", why));
}

std::string key_id(std::string_view name, std::uint8_t algorithm, std::string_view key) {
  std::string bytes = fmt::format("{}\n{}{}", name, static_cast<char>(algorithm), key);
  return std::string(crypto::as_text(crypto::sha256(bytes)).substr(0, kIdBytes));
}

bool is_key_name(std::string_view name) noexcept {
  return !name.empty() && name.find_first_of(" +\t\r\n") == std::string_view::npos;
}

// Takes a line with its end from the front of `rest`; false: there is no whole one.
bool take_line(std::string_view& rest, std::string_view& line) noexcept {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

bool is_text(std::string_view note) noexcept {
  std::size_t bad = 0;
  for (const char *at = note.data(), *end = at + note.size(); at < end;) {
    const auto byte = static_cast<std::uint8_t>(*at);
    if (byte < 0x20 && byte != '\n') return false;
    const std::size_t length = codec::utf8_sequence(at, end, &bad);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::uint64_t big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

}  // namespace

std::string base64_of(const Hash& hash) { return codec::base64_encode(crypto::as_text(hash)); }

Result<Hash> hash_from_base64(std::string_view text) {
  const auto bytes = codec::base64_decode(text);
  Hash hash;
  if (!bytes || bytes->size() != hash.size()) return fail(ErrorCode::invalid, "not a SHA-256 hash in base64");
  std::memcpy(hash.data(), bytes->data(), hash.size());
  return hash;
}

std::string Checkpoint::body() const { return fmt::format("{}\n{}\n{}\n", origin, size, base64_of(root)); }

Result<Checkpoint> parse_checkpoint(std::string_view note, std::string_view* body, std::string_view* signatures) {
  if (note.size() > kNoteBytesMax) return no_note("it is too large");
  if (!is_text(note)) return no_note("it is no plain UTF-8 text");
  const std::size_t split = note.rfind("\n\n");
  if (split == std::string_view::npos) return no_note("there is no empty line before signatures");
  const std::string_view text = note.substr(0, split + 1), signed_by = note.substr(split + 2);
  if (signed_by.empty() || signed_by.back() != '\n') return no_note("its end is missing");

  std::string_view rest = text, origin, size, root, more;
  Checkpoint checkpoint;
  if (!take_line(rest, origin) || !take_line(rest, size) || !take_line(rest, root)) return no_note("lines are missing");
  if (origin.empty()) return no_note("its origin is empty");
  checkpoint.origin = origin;
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  if (error != std::errc() || end != size.data() + size.size() || (size.size() > 1 && size[0] == '0')) {
    return no_note("its size is no number");
  }
  auto hash = hash_from_base64(root);
  if (!hash) return no_note("its root is no hash");
  checkpoint.root = *hash;
  while (take_line(rest, more)) {
    if (more.empty()) return no_note("an empty line");
  }
  if (body) *body = text;
  if (signatures) *signatures = signed_by;
  return checkpoint;
}

NoteVerifier::NoteVerifier(std::string name, std::string vkey, std::uint8_t algorithm, std::string id,
                           std::unique_ptr<const crypto::VerificationKey> key)
    : name_(std::move(name)), vkey_(std::move(vkey)), algorithm_(algorithm), id_(std::move(id)), key_(std::move(key)) {}
NoteVerifier::NoteVerifier(NoteVerifier&&) noexcept = default;
NoteVerifier& NoteVerifier::operator=(NoteVerifier&&) noexcept = default;
NoteVerifier::~NoteVerifier() = default;

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey) {
  const auto refuse = [](std::string_view why) {
    return fail(ErrorCode::invalid, fmt::format("not a verifier key (name+hex+base64): {}", why));
  };
  while (!vkey.empty() && (vkey.back() == '\n' || vkey.back() == '\r' || vkey.back() == ' ')) vkey.remove_suffix(1);
  const std::size_t first = vkey.find('+');
  const std::size_t second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return refuse("two plus signs are missing");
  const std::string_view name = vkey.substr(0, first), id = vkey.substr(first + 1, second - first - 1);
  if (!is_key_name(name) || !is_text(name)) return refuse("its name");
  const auto bytes = codec::base64_decode(vkey.substr(second + 1));
  if (!bytes || bytes->size() != 1 + kKeyBytes) return refuse("its key is not 33 bytes in base64");
  const auto algorithm = static_cast<std::uint8_t>((*bytes)[0]);
  if (algorithm != kEd25519 && algorithm != kCosignature) return refuse("its key is not one of Ed25519");
  const std::string_view key_bytes = std::string_view(*bytes).substr(1);
  std::string computed = key_id(name, algorithm, key_bytes);
  if (crypto::to_hex(computed) != id) return refuse("its digits do not belong to its key: a letter was changed");
  const auto jwk = codec::Json::parse(
      fmt::format(R"({{"kty":"OKP","crv":"Ed25519","x":"{}"}})", codec::base64url_encode(key_bytes)));
  auto key = crypto::VerificationKey::parse(*jwk);
  if (!key) return tl::unexpected(std::move(key.error()).while_("the verifier key"));
  return NoteVerifier(std::string(name), std::string(vkey), algorithm, std::move(computed),
                      std::make_unique<const crypto::VerificationKey>(std::move(*key)));
}

bool NoteVerifier::signs(std::string_view body, std::string_view line) const {
  if (!line.starts_with(kDash)) return false;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.substr(0, space) != name_) return false;
  const auto bytes = codec::base64_decode(line.substr(space + 1));
  if (!bytes || !bytes->starts_with(id_)) return false;
  const std::string_view signature = std::string_view(*bytes).substr(kIdBytes);
  if (algorithm_ == kEd25519) {
    return signature.size() == kSignatureBytes && key_->verify(body, signature) == crypto::Signature::valid;
  }
  if (signature.size() != kTimeBytes + kSignatureBytes) return false;
  const std::string text =
      fmt::format("cosignature/v1\ntime {}\n{}", big_endian(signature.substr(0, kTimeBytes)), body);
  return key_->verify(text, signature.substr(kTimeBytes)) == crypto::Signature::valid;
}

std::string NoteVerifier::signature_lines(std::string_view body, std::string_view signatures) const {
  std::string lines;
  std::string_view line;
  for (std::size_t seen = 0; seen < kSignaturesMax && take_line(signatures, line); ++seen) {
    if (signs(body, line)) lines.append(line).append(1, '\n');
  }
  return lines;
}

Result<Checkpoint> NoteVerifier::open(std::string_view note) const {
  std::string_view body, signatures;
  auto checkpoint = parse_checkpoint(note, &body, &signatures);
  if (!checkpoint) return checkpoint;
  if (signature_lines(body, signatures).empty()) {
    return fail(ErrorCode::denied, fmt::format("the checkpoint of {} is not signed by {}", checkpoint->origin, name_));
  }
  return checkpoint;
}

NoteSigner::NoteSigner(std::unique_ptr<const crypto::SigningKey> key) : key_(std::move(key)) {
  const auto jwk = codec::Json::parse(key_->public_jwk());
  public_bytes_ = *codec::base64url_decode(*jwk->find_string("x"));
  name_ = "gatehouse/audit/" + crypto::to_hex(crypto::as_text(crypto::sha256(public_bytes_)).substr(0, 8));
  id_ = key_id(name_, kEd25519, public_bytes_);
}
NoteSigner::NoteSigner(NoteSigner&&) noexcept = default;
NoteSigner& NoteSigner::operator=(NoteSigner&&) noexcept = default;
NoteSigner::~NoteSigner() = default;

NoteSigner NoteSigner::generate() {
  return NoteSigner(
      std::make_unique<const crypto::SigningKey>(*crypto::SigningKey::generate(crypto::JoseAlgorithm::eddsa)));
}

Result<NoteSigner> NoteSigner::from_pkcs8(const SecretBytes& der) {
  auto key = crypto::SigningKey::from_pkcs8(der, crypto::JoseAlgorithm::eddsa);
  if (!key) return tl::unexpected(std::move(key.error()));
  return NoteSigner(std::make_unique<const crypto::SigningKey>(std::move(*key)));
}

SecretBytes NoteSigner::pkcs8() const { return key_->pkcs8(); }

std::string NoteSigner::vkey() const {
  return fmt::format("{}+{}+{}", name_, crypto::to_hex(id_), codec::base64_encode("\x01" + public_bytes_));
}

std::string NoteSigner::sign(const Checkpoint& checkpoint) const {
  const std::string body = checkpoint.body();
  return fmt::format("{}\n{}{} {}\n", body, kDash, name_, codec::base64_encode(id_ + key_->signature_of(body)));
}

}  // namespace gatehouse::audit
