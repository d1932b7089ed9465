// The annotated defaults: one file that shows every key, loads as it is, and serves as a start.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/config/documents.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kWidth = 110;
constexpr std::size_t kNot = SIZE_MAX;  // as `comment`: not commented out; otherwise the column of the '#'

class AnnotatedFile {
 public:
  std::string text;

  void block(const Object& object, std::size_t indent, std::size_t comment, bool list_item, bool top) {
    const std::shared_ptr<void> defaults = object.make();
    bool first = list_item;
    for (const Key& key : object.keys()) {
      if (top) text += '\n';
      this->key(key, key.member(defaults.get()), indent, comment, first, top);
      first = false;
    }
  }

 private:
  void line(std::size_t indent, std::size_t comment, bool dash, std::string_view content) {
    // A list item's dash takes the place of the two spaces before its first key.
    std::string pad = dash ? std::string(indent - 2, ' ') + "- " : std::string(indent, ' ');
    if (comment != kNot) pad.insert(comment, "# ");
    text += fmt::format("{}{}\n", pad, content);
  }

  static std::size_t hidden_at(std::size_t comment, std::size_t indent) { return comment == kNot ? indent : comment; }

  void doc(const Key& key, std::size_t indent, std::size_t comment) {
    std::string words(key.doc);
    if (key.notes.required) words += " Required.";
    if (!key.notes.default_note.empty()) words += fmt::format(" Default: {}.", key.notes.default_note);
    const std::size_t width = kWidth - indent;
    for (std::size_t begin = 0; begin < words.size();) {
      std::size_t end = words.size();
      if (end - begin > width) end = words.rfind(' ', begin + width);
      line(indent, comment, false, "# " + words.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  void nested_block(const Key& key, std::size_t indent, std::size_t comment, bool dash) {
    const std::string_view nesting = key.kind->nesting();
    line(indent, comment, dash, fmt::format("{}:", key.name));
    if (nesting == ".NAME") line(indent + 2, comment, false, "app:");
    block(*key.kind->nested(), indent + (nesting.empty() ? 2 : 4), comment, nesting == "[]", false);
  }

  // Whether nothing but comments follows the first line.
  static bool only_comments(std::string_view part) {
    for (std::size_t at = part.find('\n'); at != std::string_view::npos && at + 1 < part.size();
         at = part.find('\n', at + 1)) {
      const std::size_t first = part.find_first_not_of(" \n", at + 1);
      if (first != std::string_view::npos && part[first] != '#') return false;
    }
    return true;
  }

  void key(const Key& key, const void* value, std::size_t indent, std::size_t comment, bool dash, bool top) {
    const gateway::Config none;
    Json standard;
    key.kind->write(Writer{none, true}, value, standard);
    // the text of a list item's first key goes before the dash
    doc(key, dash ? indent - 2 : indent, comment);
    const Object* nested = key.kind->nested();
    const std::string_view nesting = key.kind->nesting();
    const bool empty = standard.is_null() || (standard.is_structured() && standard.empty());
    const bool shown_item =
        top && nested != nullptr && (key.name == "listeners" || key.name == "services" || key.name == "routes");
    if (nested != nullptr && (nesting.empty() || shown_item || (empty && key.notes.example.empty()))) {
      const bool hide = key.notes.later || (empty && !shown_item);
      const std::size_t hidden = hide ? hidden_at(comment, indent) : comment;
      const std::size_t before = text.size();
      nested_block(key, indent, hidden, dash);
      if (only_comments(std::string_view(text).substr(before))) {  // `headers:` with nothing below it would be an error
        text.resize(before);
        nested_block(key, indent, hidden_at(comment, indent), dash);
      }
      return;
    }
    const bool active = key.notes.required || key.notes.shown;
    if (active || (empty && !key.notes.example.empty())) {
      line(indent, active ? comment : hidden_at(comment, indent), dash,
           fmt::format("{}: {}", key.name, key.notes.example));
    } else if (standard.is_null()) {
      line(indent, hidden_at(comment, indent), dash, fmt::format("{}:", key.name));
    } else {
      line(indent, comment, dash, fmt::format("{}: {}", key.name, to_yaml_flow(standard)));
    }
  }
};

}  // namespace

std::string annotated_defaults() {
  AnnotatedFile file;
  file.text =
      "# The configuration of Gatehouse: every key with its default. Only version, listeners and what they lead to are "
      "needed.\n"
      "# Sizes are 64KiB, 10MiB; durations 250ms, 10s, 5m, 24h; rates 100/s, 1000/m, 20000/h. Relative paths start at "
      "this\n"
      "# file's folder. Values that are secrets may be ${env:NAME} or ${file:path}. Check it with: gatehouse check -c "
      "FILE\n";
  file.block(root_object(), 0, kNot, false, true);
  return file.text;
}

}  // namespace gatehouse::app
