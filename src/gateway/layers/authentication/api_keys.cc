#include "gateway/layers/authentication/api_keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "base/file.h"
#include "codec/json_writer.h"
#include "codec/yaml.h"
#include "crypto/random.h"

namespace gatehouse::gateway {
namespace {

using codec::YamlNode;

constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kNodesMax = 1'000'000;
constexpr std::size_t kListMax = 256;
constexpr std::size_t kTextMax = 256;
constexpr std::size_t kSecretChars = 43;
constexpr std::string_view kPrefix = "gh_";
constexpr WallTime kNever = WallTime::max();
constexpr std::string_view kIdRule = "an id has 1 to 32 characters of a-z, 0-9 and -";
constexpr std::string_view kWordRule = "a user, a role and a scope are words of up to 256 characters, without commas";

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= 32 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// A role, a scope, a user: visible, without the separators of the headers they end up in.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kTextMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ','; });
}

std::optional<crypto::Sha256> parse_hash(std::string_view text) {
  if (!text.starts_with("sha256:") || text.size() != 7 + 64) return std::nullopt;
  crypto::Sha256 hash;
  for (std::size_t i = 0; i < 64; ++i) {
    const char c = text[7 + i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    hash[i / 2] = static_cast<std::uint8_t>(i % 2 == 0 ? digit << 4 : hash[i / 2] | digit);
  }
  return hash;
}

constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%SZ";

std::optional<WallTime> parse_time(const std::string& text) {
  std::tm broken{};
  const char* end = ::strptime(text.c_str(), kTimeFormat, &broken);
  if (!end || *end != '\0') return std::nullopt;
  const std::time_t seconds = ::timegm(&broken);
  if (seconds < 0 || seconds > 9'000'000'000) return std::nullopt;
  return WallTime(std::chrono::seconds(seconds));
}

std::string format_time(WallTime time) {
  const auto seconds =
      static_cast<std::time_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  std::tm broken{};
  ::gmtime_r(&seconds, &broken);
  char text[32];
  return {text, std::strftime(text, sizeof text, kTimeFormat, &broken)};
}

// Reads the entries; what is wrong goes into `errors` with its position.
class EntryReader {
 public:
  EntryReader(std::string_view file, std::vector<std::string>& errors) : file_(file), errors_(errors) {}

  ApiKeyEntry read(const YamlNode& node) {
    ApiKeyEntry entry;
    if (!node.is(YamlNode::Kind::map)) {
      complain(node.position(), "an entry is a mapping with id and hash");
      return entry;
    }
    for (const codec::YamlEntry& member : node.entries()) read_member(entry, member);
    for (const char* required : {"id", "hash"}) {
      if (!node.find(required)) complain(node.position(), fmt::format("{} is missing", required));
    }
    return entry;
  }
  void complain(codec::YamlPosition at, std::string_view what) {
    errors_.push_back(fmt::format("{}:{}:{}: {}", file_, at.line, at.column, what));
  }

 private:
  void read_member(ApiKeyEntry& entry, const codec::YamlEntry& member) {
    const YamlNode& value = member.value;
    if (member.key == "id") {
      entry.id = text_of(value);
      if (!is_id(entry.id)) complain(value.position(), kIdRule);
    } else if (member.key == "user") {
      entry.user = word(value);
    } else if (member.key == "hash") {
      const auto hash = parse_hash(text_of(value));
      if (!hash) complain(value.position(), "a hash is sha256: and 64 hexadecimal digits in lower case");
      entry.hash = hash.value_or(crypto::Sha256{});
    } else if (member.key == "expires") {
      entry.expires = parse_time(text_of(value));
      if (!entry.expires) complain(value.position(), "a time is written 2027-01-31T00:00:00Z");
    } else if (member.key == "roles") {
      entry.roles = words(value);
    } else if (member.key == "scopes") {
      entry.scopes = words(value);
    } else {
      complain(member.position,
               fmt::format("\"{}\" is not known; known are id, hash, user, roles, scopes, expires", member.key));
    }
  }
  static std::string text_of(const YamlNode& value) { return value.is_scalar() ? value.text() : std::string(); }
  std::string word(const YamlNode& value) {
    std::string text = text_of(value);
    if (!is_word(text)) complain(value.position(), kWordRule);
    return text;
  }
  std::vector<std::string> words(const YamlNode& value) {
    std::vector<std::string> list;
    if (!value.is(YamlNode::Kind::list) || value.items().size() > kListMax) {
      complain(value.position(), fmt::format("is a list of up to {} words", kListMax));
      return list;
    }
    for (const YamlNode& item : value.items()) list.push_back(word(item));
    return list;
  }

  std::string_view file_;
  std::vector<std::string>& errors_;
};

// A change to the file is a reading and a writing: two at once would lose one of them, a revocation perhaps.
class FolderLock {
 public:
  explicit FolderLock(const std::string& file) {
    const std::size_t slash = file.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : file.substr(0, slash + 1);
    fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    taken_ = fd_ >= 0 && ::flock(fd_, LOCK_EX) == 0;
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool taken() const noexcept { return taken_; }

 private:
  int fd_ = -1;
  bool taken_ = false;
};

Status store(const std::string& file, const ApiKeySet& keys) { return replace_file(file, keys.to_yaml(), 0600); }

}  // namespace

Result<ApiKeySet> ApiKeySet::parse(std::string_view yaml, std::string_view file_name) {
  std::vector<std::string> errors;
  ApiKeySet set;
  const codec::YamlDocument document =
      codec::parse_yaml(yaml, {.bytes = kFileBytesMax, .depth = 8, .nodes = kNodesMax});
  EntryReader reader(file_name, errors);
  for (const codec::YamlError& error : document.errors) reader.complain(error.position, error.message);
  if (document.complete && !document.root.is(YamlNode::Kind::null)) {
    if (!document.root.is(YamlNode::Kind::list))
      reader.complain(document.root.position(), "the file is a list of keys");
    for (const YamlNode& node : document.root.items()) {
      const std::size_t before = errors.size();
      ApiKeyEntry entry = reader.read(node);
      if (errors.size() > before) continue;
      if (Status added = set.add(std::move(entry)); !added) reader.complain(node.position(), added.error().message);
    }
  }
  if (!errors.empty()) {
    return fail(ErrorCode::invalid, fmt::format("{}", fmt::join(errors, "\n")), ErrorSource::configuration);
  }
  return set;
}

Result<ApiKeySet> ApiKeySet::load(const std::string& file) {
  auto text = read_file(file);
  if (!text) return tl::unexpected(std::move(text.error()));
  return parse(*text, file);
}

const ApiKeySet::Known* ApiKeySet::find(std::string_view key) const {
  if (!key.starts_with(kPrefix)) return nullptr;
  const std::size_t end = key.find('_', kPrefix.size());
  if (end == std::string_view::npos || key.size() - end - 1 != kSecretChars) return nullptr;
  const auto known = by_id_.find(key.substr(kPrefix.size(), end - kPrefix.size()));
  if (known == by_id_.end()) return nullptr;  // an id is no secret: it may take less time
  const crypto::Sha256 hash = crypto::sha256(key);
  return crypto::equal_in_constant_time(crypto::as_text(hash), crypto::as_text(known->second.hash)) ? &known->second
                                                                                                    : nullptr;
}

Status ApiKeySet::add(ApiKeyEntry entry) {
  const auto all_words = [](const std::vector<std::string>& list) {
    return list.size() <= kListMax && std::all_of(list.begin(), list.end(), is_word);
  };
  if (!is_id(entry.id)) return fail(ErrorCode::invalid, std::string(kIdRule));
  if (entry.user.empty()) entry.user = entry.id;
  if (!is_word(entry.user) || !all_words(entry.roles) || !all_words(entry.scopes)) {
    return fail(ErrorCode::invalid, std::string(kWordRule));
  }
  if (by_id_.contains(entry.id)) return fail(ErrorCode::invalid, fmt::format("there are two keys \"{}\"", entry.id));
  const WallTime expires = entry.expires.value_or(kNever);
  PrincipalFacts facts{.method = AuthMethod::api_key,
                       .user = entry.user,
                       .issuer = {},
                       .key_id = entry.id,
                       .roles = entry.roles,
                       .scopes = entry.scopes,
                       .audiences = {},
                       .mfa = false,
                       .authenticated_at = {},
                       .expires = entry.expires.value_or(WallTime{})};
  by_id_.try_emplace(entry.id, Known{PrincipalRecord(facts), entry.hash, expires});
  entries_.push_back(std::move(entry));
  return {};
}

bool ApiKeySet::remove(std::string_view id) {
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return false;
  std::erase_if(entries_, [&](const ApiKeyEntry& entry) { return entry.id == id; });
  by_id_.erase(known);
  return true;
}

std::string ApiKeySet::to_yaml() const {
  std::string yaml = "# API keys of Gatehouse, hashed. Changed by `gatehouse apikey`.\n";
  codec::JsonWriter out(yaml);  // a JSON string is a YAML string, whatever it holds
  const auto list = [&](std::string_view name, const std::vector<std::string>& words) {
    if (words.empty()) return;
    out.raw(name);
    for (std::size_t i = 0; i < words.size(); ++i) {
      out.raw(i == 0 ? "[" : ", ");
      out.string(words[i]);
    }
    out.raw("]\n");
  };
  for (const ApiKeyEntry& entry : entries_) {
    out.raw("- id: ");
    out.string(entry.id);
    out.raw("\n  hash: sha256:");
    out.raw(crypto::to_hex(crypto::as_text(entry.hash)));
    out.raw("\n  user: ");
    out.string(entry.user);
    out.raw("\n");
    list("  roles: ", entry.roles);
    list("  scopes: ", entry.scopes);
    if (entry.expires) out.raw(fmt::format("  expires: {}\n", format_time(*entry.expires)));
  }
  out.flush();
  return yaml;
}

Result<std::string> create_api_key(const std::string& file, ApiKeyEntry entry) {
  const FolderLock lock(file);
  if (!lock.taken()) return fail_errno(file);
  auto keys = ApiKeySet::load(file);
  if (!keys && keys.error().code == ErrorCode::not_found) keys = ApiKeySet();
  if (!keys) return tl::unexpected(std::move(keys.error()));
  std::string key = fmt::format("{}{}_{}", kPrefix, entry.id, crypto::random_token());
  entry.hash = crypto::sha256(key);
  if (Status added = keys->add(std::move(entry)); !added) return tl::unexpected(std::move(added.error()));
  if (Status stored = store(file, *keys); !stored) return tl::unexpected(std::move(stored.error()));
  return key;
}

Result<std::vector<ApiKeyEntry>> list_api_keys(const std::string& file) {
  auto keys = ApiKeySet::load(file);
  if (!keys) return tl::unexpected(std::move(keys.error()));
  return keys->entries();
}

Status revoke_api_key(const std::string& file, const std::string& id) {
  const FolderLock lock(file);
  if (!lock.taken()) return fail_errno(file);
  auto keys = ApiKeySet::load(file);
  if (!keys) return tl::unexpected(std::move(keys.error()));
  if (!keys->remove(id)) return fail(ErrorCode::not_found, fmt::format("{}: there is no key \"{}\"", file, id));
  return store(file, *keys);
}

}  // namespace gatehouse::gateway
