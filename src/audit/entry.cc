#include "audit/entry.h"

#include <algorithm>

#include "audit/tiles.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/hkdf.h"
#include "crypto/random.h"
#include "telemetry/render.h"

namespace gatehouse::audit {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr unsigned kBlockBits = 20;

// One line for whoever prints it, and one form: JSON has two for some control characters.
std::string cleaned(std::string_view text, std::size_t bytes_max) {
  std::string clean(codec::utf8_prefix(text, bytes_max));
  for (char& c : clean) {
    if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return clean;
}

// Sorted by name, each name once, and bounded: one form for one set.
NamedValues in_order(const NamedValues& values) {
  NamedValues sorted;
  for (const auto& [name, value] : values) {
    if (sorted.size() == kValuesMax) break;
    sorted.emplace_back(cleaned(name, kNameBytesMax), cleaned(value, kValueBytesMax));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  return sorted;
}

void write_object(codec::JsonWriter& writer, std::string_view name, const NamedValues& values) {
  if (values.empty()) return;
  writer.raw(",\"");
  writer.raw(name);
  writer.raw("\":{");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) writer.raw(",");
    writer.string(values[i].first);
    writer.raw(":");
    writer.string(values[i].second);
  }
  writer.raw("}");
}

std::string leaf_of(const Entry& entry, std::uint64_t index, const NamedValues& details,
                    const NamedValues& commitments) {
  std::string leaf;
  codec::JsonWriter writer(leaf);
  const auto text = [&writer](std::string_view name, std::string_view value) {
    writer.raw(name);
    writer.string(cleaned(value, kValueBytesMax));
  };
  text("{\"action\":", entry.action);
  text(",\"actor\":", entry.actor);
  write_object(writer, "commitments", commitments);
  write_object(writer, "details", details);
  text(",\"kind\":", name_of(entry.kind));
  text(",\"outcome\":", entry.outcome);
  text(",\"request_id\":", entry.request_id);
  writer.raw(",\"sequence\":");
  writer.number(index);
  text(",\"target\":", entry.target);
  char time[telemetry::kTimeBytes];
  text(",\"time\":", telemetry::format_time(entry.time, time));
  writer.raw(",\"version\":1}");
  writer.flush();
  return leaf;
}

}  // namespace

std::string_view name_of(Entry::Kind kind) noexcept {
  switch (kind) {
    case Entry::Kind::administration: return "administration";
    case Entry::Kind::authentication: return "authentication";
    case Entry::Kind::denial: return "denial";
    case Entry::Kind::key: return "key";
    case Entry::Kind::event: return "event";
    case Entry::Kind::log: return "log";
  }
  return "event";
}

std::string commitment(std::string_view salt, std::string_view name, std::string_view value) {
  std::string bytes(name);
  bytes += '\0';
  bytes += value;
  return codec::base64url_encode(crypto::as_text(crypto::hmac_sha256(salt, bytes)));
}

PersonalKey::PersonalKey(SecretBytes key, std::string log) : key_(std::move(key)), log_(std::move(log)) {}
PersonalKey::~PersonalKey() = default;

std::shared_ptr<const crypto::AeadKey> PersonalKey::key_of(std::uint64_t index) const {
  const std::lock_guard lock(mutex_);
  if (block_ != index >> kBlockBits) {
    block_ = index >> kBlockBits;
    block_key_ = std::make_shared<const crypto::AeadKey>(crypto::hkdf_sha256(
        key_.expose(), {}, fmt::format("gatehouse audit personal {} {}", log_, block_), crypto::AeadKey::kKeyBytes));
  }
  return block_key_;
}

std::string PersonalKey::seal(std::uint64_t index, const std::vector<Opening>& openings) const {
  std::string plain;
  for (const Opening& opening : openings) {
    append_item(plain, opening.name);
    append_item(plain, opening.salt);
    append_item(plain, opening.value);
  }
  return key_of(index)->seal(plain, fmt::format("{}\n{}", log_, index));
}

Result<std::vector<Opening>> PersonalKey::open(std::uint64_t index, std::string_view sealed) const {
  const auto plain = key_of(index)->open(sealed, fmt::format("{}\n{}", log_, index));
  if (!plain) return fail(ErrorCode::invalid, fmt::format("what belongs to entry {} does not open", index));
  std::vector<Opening> openings;
  std::string_view rest = plain->expose(), name, salt, value;
  while (!rest.empty()) {
    if (!take_item(rest, name) || !take_item(rest, salt) || !take_item(rest, value)) {
      return fail(ErrorCode::invalid, fmt::format("what belongs to entry {} is cut off", index));
    }
    openings.push_back({std::string(name), std::string(salt), std::string(value)});
  }
  return openings;
}

Recorded record_of(const Entry& entry, std::uint64_t index, const PersonalKey& key) {
  Recorded recorded;
  NamedValues commitments;
  if (!entry.personal.empty()) {
    const NamedValues personal = in_order(entry.personal);
    std::uint8_t random[kValuesMax * kSaltBytes];
    crypto::random_bytes(std::span(random).first(personal.size() * kSaltBytes));
    std::vector<Opening> openings;
    for (std::size_t i = 0; i < personal.size(); ++i) {
      const auto& [name, value] = personal[i];
      openings.push_back(
          {name, std::string(reinterpret_cast<const char*>(random) + i * kSaltBytes, kSaltBytes), value});
      commitments.emplace_back(name, commitment(openings.back().salt, name, value));
    }
    recorded.sealed = key.seal(index, openings);
  }
  recorded.leaf = leaf_of(entry, index, in_order(entry.details), commitments);
  return recorded;
}

}  // namespace gatehouse::audit
