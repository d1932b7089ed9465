// Compiled databases in a file, so that a start need not compile.
//
// Layout, numbers little-endian: "GHWAF001"; 32 bytes, the fingerprint of rules and library; u32 rules, and for each
// u32 expressions, each u32 flags, u32 length, text; u32 databases, each u64 length, bytes as hs_serialize_database
// made them; 32 bytes, SHA-256 of all before. A file that does not fit in every respect is ignored and written anew.

#include <hs/hs.h>

#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "waf/match/match_plan_builder.h"

namespace gatehouse::waf {
namespace {

constexpr std::string_view kMagic = "GHWAF001";
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

crypto::Sha256 MatchPlanBuilder::fingerprint() const {
  std::string text(kMagic);
  text += hs_version();
  for (const CompiledRule& rule : program_.rules()) {
    const Rule& source = *rule.source;
    put(text, source.actions.id);
    put(text, source.actions.phase);
    put(text, static_cast<std::uint8_t>(source.chained | (source.is_action << 1) | (rule.op.negated << 2) |
                                        (source.actions.multi_match << 3)));
    put(text, static_cast<std::uint8_t>(rule.op.kind));
    for (const Target& target : source.targets) {
      put(text, static_cast<std::uint8_t>(target.variable));
      put(text, static_cast<std::uint8_t>(target.count | (target.exclude << 1)));
      text.append(target.key).push_back('\0');
    }
    for (const Transformation transformation : rule.transformations)
      put(text, static_cast<std::uint8_t>(transformation));
    text.push_back('\xff');
    if (rule.op.argument.is_literal()) text.append(rule.op.argument.literal());
    text.push_back('\0');
    for (const std::string& phrase : source.op.phrases) text.append(phrase).push_back('\0');
    text.push_back('\xff');
  }
  return crypto::sha256(text);
}

bool MatchPlanBuilder::load_cache(const crypto::Sha256& key) {
  if (options_.cache_file.empty()) return false;
  const auto file = read_file(options_.cache_file, kCacheBytesMax);
  if (!file || file->size() < kMagic.size() + 64) return false;
  const std::string_view content = std::string_view(*file).substr(0, file->size() - 32);
  if (crypto::as_text(crypto::sha256(content)) != std::string_view(*file).substr(content.size())) return false;
  Reader reader(content);
  if (reader.take(kMagic.size()) != kMagic || reader.take(32) != crypto::as_text(key)) return false;
  if (reader.number<std::uint32_t>() != program_.rules().size()) return false;
  expressions_.assign(program_.rules().size(), {});
  for (auto& expressions : expressions_) {
    const auto count = reader.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && reader.good(); ++i) {
      const auto flags = reader.number<std::uint32_t>();
      const auto length = reader.number<std::uint32_t>();
      expressions.push_back({std::string(reader.take(length)), flags});
    }
  }
  if (!reader.good()) return false;
  group();
  const auto count = reader.number<std::uint32_t>();
  bool good = reader.good() && count == by_database_.size();
  for (std::uint32_t i = 0; i < count && good; ++i) {
    const std::string_view bytes = reader.take(reader.number<std::uint64_t>());
    hs_database_t* database = nullptr;
    good = reader.good() && hs_deserialize_database(bytes.data(), bytes.size(), &database) == HS_SUCCESS;
    if (good)
      plan_->databases_.push_back(
          {std::unique_ptr<hs_database, HsDatabaseDelete>(database), by_database_[i]->patterns});
  }
  if (good) return true;
  *plan_ = MatchPlan{};
  jobs_.clear();
  by_database_.clear();
  return false;
}

// A cache that cannot be written costs the next start its time, nothing else.
void MatchPlanBuilder::store_cache(const crypto::Sha256& key) const {
  if (options_.cache_file.empty()) return;
  std::string out(kMagic);
  out += crypto::as_text(key);
  put(out, static_cast<std::uint32_t>(expressions_.size()));
  for (const auto& expressions : expressions_) {
    put(out, static_cast<std::uint32_t>(expressions.size()));
    for (const Expression& expression : expressions) {
      put(out, static_cast<std::uint32_t>(expression.flags));
      put(out, static_cast<std::uint32_t>(expression.text.size()));
      out += expression.text;
    }
  }
  put(out, static_cast<std::uint32_t>(plan_->databases_.size()));
  for (const MatchPlan::Database& database : plan_->databases_) {
    char* bytes = nullptr;
    std::size_t size = 0;
    if (hs_serialize_database(database.database.get(), &bytes, &size) != HS_SUCCESS) return;
    put(out, std::uint64_t{size});
    out.append(bytes, size);
    std::free(bytes);
  }
  const crypto::Sha256 digest = crypto::sha256(out);
  out += crypto::as_text(digest);
  (void)write_file_atomically(options_.cache_file, out);
}

}  // namespace gatehouse::waf
