#include "app/commands/apikey.h"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "admin/admin_api.h"
#include "app/config/load.h"
#include "app/process/privileges.h"
#include "app/process/readable.h"
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

struct KeyFile {
  std::string path;
  std::string reader;  // the user that the gateway becomes; empty: unknown, or nobody else
};

Result<KeyFile> file_of(const ApiKeyOptions& options) {
  if (!options.file.empty()) return KeyFile{options.file, {}};
  const LoadOutcome outcome = load_config(options.config_path);
  if (!outcome.ok()) {
    const bool missing = outcome.source.empty();
    return fail(ErrorCode::invalid,
                missing ? fmt::format("{}\n  name the configuration with -c FILE, or the key file "
                                      "with --file",
                                      outcome.diagnostics.front().message)
                        : fmt::format("{0} has mistakes: see gatehouse check -c {0}", options.config_path));
  }
  if (!outcome.config->authentication.api_keys) {
    return fail(ErrorCode::invalid,
                options.config_path + " has no authentication.api_keys.file; --file names one, too");
  }
  return KeyFile{outcome.config->authentication.api_keys->file, unprivileged_user(outcome.config->process.user)};
}

// A key that the gateway cannot read is none: told to whoever made it, who may do something about it.
void tell_if_unreadable(const KeyFile& file) {
  const auto user = file.reader.empty() ? std::nullopt : file_user(file.reader);
  const auto in_the_way = user ? obstacle(*user, file.path) : std::nullopt;
  if (!in_the_way) return;
  std::fprintf(stderr, "The gateway runs as \"%s\", who may not read the file yet: %s\n", user->name.c_str(),
               remedy(*user, *in_the_way).c_str());
}

int create(const ApiKeyOptions& options, const KeyFile& file) {
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
    if (!lifetime)
      return say(fail(ErrorCode::invalid, "--expires takes a time such as 12h or 90d, a year at most").value());
    entry.expires = SystemClock::instance().wall() + *lifetime;
  }
  const std::string id = entry.id;
  auto key = gateway::create_api_key(file.path, std::move(entry));
  if (!key) return say(key.error());
  if (options.json) {
    std::puts(nlohmann::json{{"id", id}, {"key", *key}, {"user", options.user}}.dump(2).c_str());
  } else {
    std::printf("%s\n", key->c_str());
    std::fprintf(stderr, "Key %s for %s. It is shown once and stored hashed in %s.\n", id.c_str(), options.user.c_str(),
                 file.path.c_str());
  }
  tell_if_unreadable(file);
  return 0;
}

int list(const ApiKeyOptions& options, const std::string& file) {
  auto entries = gateway::list_api_keys(file);
  if (!entries && entries.error().code == ErrorCode::not_found) {
    std::fprintf(stderr, "%s isn't there yet: there is no key; gatehouse apikey create makes one\n", file.c_str());
    entries = std::vector<gateway::ApiKeyEntry>();
  }
  if (!entries) return say(entries.error());
  nlohmann::json all = nlohmann::json::array();
  if (!options.json) std::printf("%-34s %-28s %-22s %-24s %s\n", "KEY", "USER", "EXPIRES", "ROLES", "SCOPES");
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
    std::printf("%-34s %-28s %-22s %-24s %s\n", entry.id.c_str(), entry.user.c_str(), expires.c_str(),
                fmt::format("{}", fmt::join(entry.roles, ", ")).c_str(),
                fmt::format("{}", fmt::join(entry.scopes, ", ")).c_str());
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
    case ApiKeyOptions::Action::list: return list(options, file->path);
    case ApiKeyOptions::Action::revoke: break;
  }
  if (auto revoked = gateway::revoke_api_key(file->path, options.key_id); !revoked) return say(revoked.error());
  if (options.json) {
    std::puts(nlohmann::json{{"id", options.key_id}, {"revoked", true}}.dump(2).c_str());
  } else {
    std::fprintf(stderr, "Key %s is revoked.\n", options.key_id.c_str());
  }
  return 0;
}

}  // namespace gatehouse::app
