#include "waf/seclang/source.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::waf {

Source::Source(std::uint32_t index, std::string name, std::string_view text)
    : index_(index), name_(std::move(name)), lines_{0} {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    lines_.push_back(static_cast<std::uint32_t>(at + 1));
}

Position Source::position(std::uint32_t offset) const noexcept {
  const auto line = std::upper_bound(lines_.begin(), lines_.end(), offset) - 1;
  return {index_, static_cast<std::uint32_t>(line - lines_.begin()) + 1, offset - *line + 1};
}

std::string Source::resolved(std::string_view path) const {
  if (path.starts_with('/')) return std::string(path);
  const std::size_t slash = name_.rfind('/');
  return slash == std::string::npos ? std::string(path) : name_.substr(0, slash + 1).append(path);
}

void Findings::error(Position position, std::string message, std::string hint) {
  ++errors_;
  if (result_.errors.size() < max_) {
    result_.errors.push_back({position, std::move(message), std::move(hint)});
  } else {
    result_.more_errors = true;
  }
}

void Findings::ignore(Position position, std::string message, std::string hint) {
  if (result_.ignored.size() < max_) result_.ignored.push_back({position, std::move(message), std::move(hint)});
}

std::string to_string(const Finding& finding, const RuleSet& rules) {
  const Position& p = finding.position;
  const std::string_view file = p.file < rules.files.size() ? rules.files[p.file] : std::string_view("rules");
  std::string text = p.line == 0 ? fmt::format("{}: {}", file, finding.message)
                                 : fmt::format("{}:{}:{}: {}", file, p.line, p.column, finding.message);
  if (!finding.hint.empty()) text.append("; ").append(finding.hint);
  return text;
}

}  // namespace gatehouse::waf
