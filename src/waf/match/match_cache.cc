// Compiled databases in a file, so that a start need not compile.
//
// Layout, numbers little-endian: "GHWAF004"; text, the library's version; u32 patterns, each text, u32 expressions,
// each u32 flags, text; u32 databases, each 32 bytes, the SHA-256 of what is in it, u64 length, bytes as
// hs_serialize_database made them; 32 bytes, SHA-256 of all before. A text is u32 length, bytes. A file that does not
// fit in every respect is ignored and written anew. A rule set that has changed a little finds most of its databases
// here.

#include <hs/hs.h>

#include <cstring>

#include "base/file.h"
#include "waf/match/match_plan_builder.h"

namespace gatehouse::waf {
namespace {

// Its number goes up with every change of how patterns are split, flagged or left out: what is cached is not asked
// again.
constexpr std::string_view kMagic = "GHWAF004";
constexpr std::size_t kCacheBytesMax = 512u << 20;

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool good() const noexcept { return good_; }
  std::string_view take(std::size_t bytes) {
    if (bytes > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view bytes = take(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

MatchCache MatchCache::read(const std::string& path) {
  MatchCache cache;
  auto read = read_file(path, kCacheBytesMax);
  if (!read || read->size() < kMagic.size() + 32) return {};
  const std::string_view file = cache.bytes.emplace_back(std::move(*read));
  const std::string_view content = file.substr(0, file.size() - 32);
  if (crypto::as_text(crypto::sha256(content)) != file.substr(content.size())) return {};
  Reader reader(content);
  if (reader.take(kMagic.size()) != kMagic || reader.take(reader.number<std::uint32_t>()) != hs_version()) return {};
  for (auto patterns = reader.number<std::uint32_t>(); patterns > 0 && reader.good(); --patterns) {
    auto& expressions = cache.expressions[std::string(reader.take(reader.number<std::uint32_t>()))];
    for (auto count = reader.number<std::uint32_t>(); count > 0 && reader.good(); --count) {
      const auto flags = reader.number<std::uint32_t>();
      expressions.push_back({std::string(reader.take(reader.number<std::uint32_t>())), flags, false, {}});
    }
  }
  for (auto databases = reader.number<std::uint32_t>(); databases > 0 && reader.good(); --databases) {
    std::string_view& bytes = cache.databases[std::string(reader.take(32))];
    bytes = reader.take(reader.number<std::uint64_t>());
  }
  return reader.good() ? std::move(cache) : MatchCache{};
}

// A cache that cannot be written costs the next start its time, nothing else.
void MatchCache::write(const std::string& path) const {
  std::string out(kMagic);
  const std::string_view version = hs_version();
  const auto put_text = [&](std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out += text;
  };
  put_text(version);
  put(out, static_cast<std::uint32_t>(expressions.size()));
  for (const auto& [pattern, made] : expressions) {
    put_text(pattern);
    put(out, static_cast<std::uint32_t>(made.size()));
    for (const Expression& expression : made) {
      put(out, static_cast<std::uint32_t>(expression.flags));
      put_text(expression.text);
    }
  }
  put(out, static_cast<std::uint32_t>(databases.size()));
  for (const auto& [key, serialised] : databases) {
    out += key;
    put(out, std::uint64_t{serialised.size()});
    out += serialised;
  }
  const crypto::Sha256 digest = crypto::sha256(out);
  out += crypto::as_text(digest);
  (void)write_file_atomically(path, out);
}

}  // namespace gatehouse::waf
