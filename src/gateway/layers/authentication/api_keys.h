#pragma once
// API keys: `gh_<id>_<43 characters of base64url>`, kept as SHA-256 in a YAML file of mode 0600.
//
//   - id: ci                      # [a-z0-9-], up to 32
//     hash: sha256:9f86d0…        # of the whole key
//     user: ci@shop.example       # absent: the id
//     roles: [deployer]
//     scopes: [orders:read]
//     expires: 2027-01-31T00:00:00Z
//
// The secret part has 256 random bits, so a fast hash is enough: there is nothing to guess.
// Thread safety: sets are immutable; the source may be read from any thread. The functions that change the file are for
// the shell and lock its folder, so that no change is lost.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"
#include "gateway/layers/authentication/principal_record.h"

namespace gatehouse::gateway {

struct ApiKeyEntry {
  std::string id, user;
  crypto::Sha256 hash{};
  std::vector<std::string> roles, scopes;
  std::optional<WallTime> expires;
};

class ApiKeySet {
 public:
  // Strict: unknown and duplicate keys, doubled ids and malformed values are errors, all with their line.
  static Result<ApiKeySet> parse(std::string_view yaml, std::string_view file_name);
  static Result<ApiKeySet> load(const std::string& file);

  struct Known {
    PrincipalRecord principal;
    crypto::Sha256 hash;
    WallTime expires;  // the end of time when it has none
  };
  // The record of a presented key; null when it is unknown or its hash differs. Expiry is the caller's.
  const Known* find(std::string_view key) const;

  const std::vector<ApiKeyEntry>& entries() const noexcept { return entries_; }
  std::string to_yaml() const;
  Status add(ApiKeyEntry entry);
  bool remove(std::string_view id);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const noexcept { return std::hash<std::string_view>{}(id); }
  };
  std::vector<ApiKeyEntry> entries_;
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> by_id_;
};

// The current set, replaced while requests read it.
class ApiKeySource {
 public:
  std::shared_ptr<const ApiKeySet> get() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  void publish(ApiKeySet keys) {
    auto next = std::make_shared<const ApiKeySet>(std::move(keys));
    const std::lock_guard lock(mutex_);
    keys_.swap(next);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ApiKeySet> keys_;
};

// Makes a key, adds it to the file and returns it: the only time that it is seen. `entry.hash` is ignored.
Result<std::string> create_api_key(const std::string& file, ApiKeyEntry entry);
Result<std::vector<ApiKeyEntry>> list_api_keys(const std::string& file);
Status revoke_api_key(const std::string& file, const std::string& id);

}  // namespace gatehouse::gateway
