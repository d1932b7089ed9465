#include "app/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "app/config/built_in.h"
#include "app/config/table.h"
#include "base/file.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;

const std::vector<gateway::Zone>& built_in_zones() {
  static const std::vector<gateway::Zone> zones{{"external", {}}, {"dmz", {}}, {"corporate", {}}, {"hybrid", {}}};
  return zones;
}

}  // namespace

LoadOutcome load_config_text(std::string_view text, std::string file_name, LoadOptions options) {
  LoadOutcome outcome;
  outcome.file = std::move(file_name);
  outcome.source = text;
  if (options.base_dir.empty()) {
    std::error_code code;
    options.base_dir = std::filesystem::absolute(outcome.file, code).parent_path().string();
  }
  const codec::YamlLimits limits{.bytes = kFileBytesMax};
  codec::YamlDocument document = codec::parse_yaml(text, limits);
  auto config = std::make_shared<gateway::Config>();
  config->file = outcome.file;
  config->zones = built_in_zones();
  Reader reader(*config, options, outcome.file, outcome.diagnostics);
  for (codec::YamlError& e : document.errors) reader.error(e.position, "yaml", std::move(e.message), std::move(e.hint));
  if (document.complete) {
    if (document.root.is(YamlNode::Kind::null)) {
      reader.error({1, 1}, "missing_key", "the file is empty", "gatehouse config default prints one to start from");
    } else {
      root_object().read(reader, document.root, config.get());
    }
  }
  config->data_dir = reader.absolute(config->data_dir);
  outcome.root = std::move(document.root);
  sort_by_position(outcome.diagnostics);
  if (reader.errors() == 0) {
    add_built_in(*config);
    outcome.config = std::move(config);
  }
  return outcome;
}

LoadOutcome load_config(const std::string& file, LoadOptions options) {
  const Result<std::string> text = read_file(file, kFileBytesMax);
  if (text) return load_config_text(*text, file, std::move(options));
  LoadOutcome outcome;
  outcome.file = file;
  outcome.diagnostics.push_back({Severity::error,
                                 "config.file",
                                 file,
                                 {},
                                 text.error().message,
                                 "",
                                 text.error().code == ErrorCode::not_found
                                     ? "name the file with -c FILE; gatehouse config default prints one to start from"
                                     : "name a file that this user may read with -c FILE"});
  return outcome;
}

Result<gateway::AdminConfig> load_admin(const std::string& file) {
  const Result<std::string> text = read_file(file, kFileBytesMax);
  if (!text) return tl::unexpected(text.error());
  const codec::YamlDocument document = codec::parse_yaml(*text);
  const codec::YamlEntry* entry = document.root.find("admin");
  gateway::Config config;
  if (entry == nullptr) {
    if (document.complete) return std::move(config.admin);
    return fail(ErrorCode::invalid, fmt::format("{}: {}", file, document.errors.front().message),
                ErrorSource::configuration);
  }
  std::error_code code;
  LoadOptions options;
  options.base_dir = std::filesystem::absolute(file, code).parent_path().string();
  std::vector<Diagnostic> diagnostics;
  Reader reader(config, options, file, diagnostics);
  const bool good = admin_object().read(reader, entry->value, &config.admin);
  // A token that this shell's environment doesn't have is no reason: the caller may bring its own.
  const bool found = config.admin.address.is_given();
  if (good || found) return std::move(config.admin);
  const Diagnostic& first = diagnostics.front();
  return fail(ErrorCode::invalid,
              fmt::format("{}:{}:{}: {}", file, first.position.line, first.position.column, first.message),
              ErrorSource::configuration);
}

codec::YamlPosition locate(const codec::YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  YamlPosition position = root.position();
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view step = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (node->is(YamlNode::Kind::list)) {
      std::size_t index = 0;
      const auto [end, failure] = std::from_chars(step.data(), step.data() + step.size(), index);
      if (failure != std::errc() || index >= node->items().size()) break;
      node = &node->items()[index];
      position = node->position();
    } else {
      const codec::YamlEntry* entry = node->find(step);
      if (entry == nullptr) break;
      node = &entry->value;
      position = node->is(YamlNode::Kind::map) || node->is(YamlNode::Kind::list) ? entry->position : node->position();
    }
  }
  return position;
}

}  // namespace gatehouse::app
