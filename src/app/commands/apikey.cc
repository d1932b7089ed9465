#include "app/commands/apikey.h"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "admin/admin_api.h"
#include "app/config/load.h"
#include "crypto/random.h"
#include "gateway/layers/authentication/api_keys.h"

namespace gatehouse::app {
namespace {

int say(const Error& error) {
  std::fprintf(stderr, "gatehouse apikey: %s\n", error.message.c_str());
  return error.code == ErrorCode::invalid ? 2 : 1;
}

std::string iso_date(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts;
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Result<std::string> file_of(const ApiKeyOptions& options) {
  if (!options.file.empty()) return options.file;
  const LoadOutcome outcome = load_config(options.config_path);
  if (!outcome.ok()) return fail(ErrorCode::invalid, options.config_path + " has mistakes: see gatehouse check");
  if (!outcome.config->authentication.api_keys) {
    return fail(ErrorCode::invalid, options.config_path + " has no authentication.api_keys.file");
  }
  return outcome.config->authentication.api_keys->file;
}

int create(const ApiKeyOptions& options, const std::string& file) {
  gateway::ApiKeyEntry entry;
  // A name to tell it by; the secret part is made with it.
  std::uint8_t random[4];
  crypto::random_bytes(random);
  for (const std::uint8_t byte : random) entry.id += fmt::format("{:02x}", byte);
  entry.user = options.user;
  entry.roles = options.roles;
  entry.scopes = options.scopes;
  if (!options.expires.empty()) {
    const auto lifetime = admin::parse_ban_duration(options.expires);
    if (!lifetime) return say(fail(ErrorCode::invalid, "--expires takes a duration such as 90d").value());
    entry.expires = SystemClock::instance().wall() + *lifetime;
  }
  const std::string id = entry.id;
  auto key = gateway::create_api_key(file, std::move(entry));
  if (!key) return say(key.error());
  if (options.json) {
    std::puts(nlohmann::json{{"id", id}, {"key", *key}, {"user", options.user}}.dump(2).c_str());
  } else {
    std::printf("%s\n", key->c_str());
    std::fprintf(stderr, "Key %s for %s. It is shown once and stored hashed in %s.\n", id.c_str(), options.user.c_str(),
                 file.c_str());
  }
  return 0;
}

int list(const ApiKeyOptions& options, const std::string& file) {
  auto entries = gateway::list_api_keys(file);
  if (!entries) return say(entries.error());
  nlohmann::json all = nlohmann::json::array();
  if (!options.json) std::printf("%-34s %-28s %-22s %s\n", "KEY", "USER", "EXPIRES", "ROLES");
  for (const gateway::ApiKeyEntry& entry : *entries) {
    const std::string expires = entry.expires ? iso_date(*entry.expires) : "never";
    if (options.json) {
      all.push_back({{"id", entry.id},
                     {"user", entry.user},
                     {"roles", entry.roles},
                     {"scopes", entry.scopes},
                     {"expires", entry.expires ? nlohmann::json(expires) : nlohmann::json(nullptr)}});
      continue;
    }
    std::printf("%-34s %-28s %-22s %s\n", entry.id.c_str(), entry.user.c_str(), expires.c_str(),
                fmt::format("{}", fmt::join(entry.roles, ", ")).c_str());
  }
  if (options.json) std::puts(all.dump(2).c_str());
  return 0;
}

}  // namespace

int run_apikey(const ApiKeyOptions& options) {
  const auto file = file_of(options);
  if (!file) return say(file.error());
  switch (options.action) {
    case ApiKeyOptions::Action::create: return create(options, *file);
    case ApiKeyOptions::Action::list: return list(options, *file);
    case ApiKeyOptions::Action::revoke: break;
  }
  if (auto revoked = gateway::revoke_api_key(*file, options.key_id); !revoked) return say(revoked.error());
  std::fprintf(stderr, "Key %s is revoked.\n", options.key_id.c_str());
  return 0;
}

}  // namespace gatehouse::app
