#include "schema/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/spelling.h"

namespace gatehouse::schema {

using codec::YamlEntry;
using codec::YamlNode;
using codec::YamlPosition;

namespace {

// A document with a mistake in every line shall not fill the terminal.
constexpr std::size_t kProblemsMax = 200;
constexpr int kReferencesMax = 16;  // one behind the other

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// One step of a JSON pointer: percent-decoded, as it stands in a fragment, then `~1` and `~0`.
std::string unescaped(std::string_view step) {
  std::string out;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] == '%' && i + 2 < step.size() && hex_value(step[i + 1]) >= 0 && hex_value(step[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(step[i + 1]) * 16 + hex_value(step[i + 2]));
      i += 2;
    } else if (step[i] == '~' && i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1')) {
      out += step[++i] == '0' ? '~' : '/';
    } else {
      out += step[i];
    }
  }
  return out;
}

}  // namespace

void Document::error(YamlPosition position, std::string message, std::string hint) {
  ++errors_;
  if (problems_.size() > kProblemsMax) return;
  if (problems_.size() == kProblemsMax) message = "and more, that are not shown", hint.clear();
  problems_.push_back({Problem::Severity::error, position, std::move(message), std::move(hint)});
}

void Document::warning(YamlPosition position, std::string message, std::string hint) {
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back({Problem::Severity::warning, position, std::move(message), std::move(hint)});
}

const YamlNode* Document::find(std::string_view pointer) const {
  const YamlNode* node = &root_;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string_view raw = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(raw.size());
    const std::string step = unescaped(raw);
    if (node->is(YamlNode::Kind::map)) {
      const YamlEntry* entry = node->find(step);
      if (entry == nullptr) return nullptr;
      node = &entry->value;
    } else if (node->is(YamlNode::Kind::list)) {
      std::size_t index = 0;
      const auto [end, code] = std::from_chars(step.data(), step.data() + step.size(), index);
      if (code != std::errc() || end != step.data() + step.size() || index >= node->items().size()) return nullptr;
      node = &node->items()[index];
    } else {
      return nullptr;
    }
  }
  return node;
}

const YamlNode* Document::resolve(const YamlNode& reference) {
  const YamlNode* at = &reference;
  for (int i = 0; i < kReferencesMax; ++i) {
    if (!at->is(YamlNode::Kind::string)) {
      error(at->position(), "$ref must be text, \"#/components/…\"");
      return nullptr;
    }
    const std::string& text = at->text();
    if (!text.starts_with('#')) {
      error(at->position(), fmt::format("$ref \"{}\" leads to another document, which is not read", text.substr(0, 80)),
            "bundle the documents into one: redocly bundle, swagger-cli bundle");
      return nullptr;
    }
    const YamlNode* target = find(std::string_view(text).substr(1));
    if (target == nullptr) {
      error(at->position(), fmt::format("$ref \"{}\": there is nothing at that place", text.substr(0, 80)));
      return nullptr;
    }
    const YamlEntry* next = target->is(YamlNode::Kind::map) ? target->find("$ref") : nullptr;
    if (next == nullptr) return target;
    at = &next->value;
  }
  error(reference.position(), "$ref leads to a $ref, and so on without end");
  return nullptr;
}

const YamlNode* Document::follow(const YamlNode& node) {
  if (!node.is(YamlNode::Kind::map)) return &node;
  const YamlEntry* reference = node.find("$ref");
  if (reference == nullptr) return &node;
  constexpr std::array<std::string_view, 3> kBeside{"$ref", "summary", "description"};
  report_unknown(node, "a reference", kBeside);
  return resolve(reference->value);
}

bool Document::expect_map(const YamlNode& node, std::string_view what) {
  if (node.is(YamlNode::Kind::map)) return true;
  if (!node.is(YamlNode::Kind::invalid))
    error(node.position(), fmt::format("{} must be a block of keys, not {}", what, codec::name_of(node.kind())));
  return false;
}

bool Document::expect_list(const YamlNode& node, std::string_view what) {
  if (node.is(YamlNode::Kind::list)) return true;
  if (!node.is(YamlNode::Kind::invalid))
    error(node.position(), fmt::format("{} must be a list, not {}", what, codec::name_of(node.kind())));
  return false;
}

void Document::report_unknown(const YamlNode& map, std::string_view what, std::span<const std::string_view> known) {
  for (const YamlEntry& entry : map.entries()) {
    if (entry.key.starts_with("x-") || std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string_view meant = closest(entry.key, known);
    error(entry.position, fmt::format("\"{}\" is no key of {}", entry.key.substr(0, 80), what),
          meant.empty() ? std::string() : fmt::format("did you mean \"{}\"?", meant));
  }
}

std::optional<std::string_view> Document::text(const YamlNode& map, std::string_view key) {
  const YamlEntry* entry = map.find(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->value.is_scalar() && !entry->value.is(YamlNode::Kind::null)) return entry->value.text();
  if (!entry->value.is(YamlNode::Kind::invalid)) error(entry->value.position(), fmt::format("{} must be text", key));
  return std::nullopt;
}

bool Document::flag(const YamlNode& map, std::string_view key, bool otherwise) {
  const YamlEntry* entry = map.find(key);
  if (entry == nullptr) return otherwise;
  if (entry->value.is(YamlNode::Kind::boolean)) return entry->value.boolean();
  if (!entry->value.is(YamlNode::Kind::invalid))
    error(entry->value.position(), fmt::format("{} must be true or false", key));
  return otherwise;
}

}  // namespace gatehouse::schema
