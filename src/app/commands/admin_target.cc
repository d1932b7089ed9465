#include "app/commands/admin_target.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/config/load.h"

namespace gatehouse::app {

namespace {

// `admin.address` of a file that does not hold up as a whole; empty when even that cannot be read.
std::string address_in(const LoadOutcome& outcome) {
  const codec::YamlEntry* admin = outcome.root.find("admin");
  const codec::YamlEntry* address = admin != nullptr ? admin->value.find("address") : nullptr;
  if (address == nullptr) return {};
  const std::string& text = address->value.text();
  constexpr std::string_view kUnix = "unix:";
  if (!text.starts_with(kUnix)) return text;
  // Relative paths are relative to the file.
  const std::filesystem::path path = text.substr(kUnix.size());
  if (path.is_absolute()) return text;
  return std::string(kUnix) + (std::filesystem::path(outcome.file).parent_path() / path).string();
}

}  // namespace

int with_target(const AdminOptions& options, const std::function<int(const AdminTarget&)>& command) {
  AdminTarget target;
  const char* from_environment = std::getenv("GATEHOUSE_ADMIN_TOKEN");
  if (!options.token.empty()) {
    target.token = SecretBytes(std::string_view(options.token));
  } else if (from_environment != nullptr) {
    target.token = SecretBytes(std::string_view(from_environment));
  }
  if (!options.address.empty()) {
    target.address = options.address;
    return command(target);
  }
  const LoadOutcome outcome = load_config(options.config_path);
  if (!outcome.ok()) {
    // A file with mistakes is just when `rollback` and `status` are wanted: the address alone is enough.
    target.address = address_in(outcome);
    if (!target.address.empty()) return command(target);
    std::fputs(to_text(outcome.diagnostics, outcome.source, wants_colour(2)).c_str(), stderr);
    return 2;
  }
  const gateway::AdminConfig& admin = outcome.config->admin;
  if (admin.address.host.empty() && admin.address.unix_path.empty()) {
    std::fprintf(stderr, "%s: there is no `admin` block, so there is nothing to talk to\n",
                 options.config_path.c_str());
    return 2;
  }
  target.address = admin.address.to_string();
  if (target.token.empty()) target.token = admin.token;
  return command(target);
}

}  // namespace gatehouse::app
