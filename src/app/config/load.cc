#include "app/config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "app/config/table.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;

// The whole file, or why not.
Result<std::string> read_file(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno("cannot read the file");
  std::string text;
  struct stat info {};
  const bool folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  while (!folder && text.size() <= kFileBytesMax) {  // one byte past the bound: the YAML reader says so
    const std::size_t before = text.size();
    text.resize(before + 64 * 1024);
    const ssize_t got = read(fd, text.data() + before, text.size() - before);
    text.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      auto failure = fail_errno("cannot read the file");
      close(fd);
      return failure;
    }
    if (got == 0) break;
  }
  close(fd);
  if (folder) return fail(ErrorCode::io, "cannot read the file: it is a folder");
  return text;
}

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
  if (reader.errors() == 0) outcome.config = std::move(config);
  return outcome;
}

LoadOutcome load_config(const std::string& file, LoadOptions options) {
  Result<std::string> text = read_file(file);
  if (text) return load_config_text(*text, file, std::move(options));
  LoadOutcome outcome;
  outcome.file = file;
  outcome.diagnostics.push_back({Severity::error,
                                 "config.file",
                                 file,
                                 {},
                                 std::move(text.error().message),
                                 "",
                                 "name the file with -c FILE; gatehouse config default prints one to start from"});
  return outcome;
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
