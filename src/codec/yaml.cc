#include "codec/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <istream>
#include <streambuf>
#include <unordered_map>

#include "codec/json_writer.h"

namespace gatehouse::codec {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Turns the byte columns of the parser into columns of code points. Positions come mostly in order, so the last one is
// kept: a document of one long line stays linear.
class Columns {
 public:
  explicit Columns(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  YamlPosition at(std::size_t line, std::size_t column_bytes) {  // both from 0
    if (line >= starts_.size()) return {static_cast<std::uint32_t>(starts_.size()), 1};
    const std::size_t target = std::min(starts_[line] + column_bytes, text_.size());
    if (line != line_ || target < offset_) line_ = line, offset_ = starts_[line], column_ = 0;
    for (; offset_ < target; ++offset_) column_ += is_continuation(text_[offset_]) ? 0 : 1;
    return {static_cast<std::uint32_t>(line + 1), static_cast<std::uint32_t>(column_ + 1)};
  }

  std::string_view line(std::size_t line) const {
    if (line >= starts_.size()) return {};
    const std::size_t end = line + 1 < starts_.size() ? starts_[line + 1] - 1 : text_.size();
    return text_.substr(starts_[line], end - starts_[line]);
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
  std::size_t line_ = 0, offset_ = 0, column_ = 0;
};

// A stream over bytes that are already there: std::istringstream would copy them.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // streambuf's get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

bool all_of(std::string_view text, bool (*accept)(char)) { return std::all_of(text.begin(), text.end(), accept); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// YAML 1.2.2 §10.3.2, the core schema's tag resolution.
bool is_integer(std::string_view text) {
  if (text.starts_with("0o")) {
    return text.size() > 2 && all_of(text.substr(2), [](char c) { return c >= '0' && c <= '7'; });
  }
  if (text.starts_with("0x")) {
    return text.size() > 2 && all_of(text.substr(2), [](char c) {
             return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
  }
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return !text.empty() && all_of(text, is_digit);
}

bool is_real(std::string_view text) {
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
  const auto digits = [&] {
    std::size_t n = 0;
    while (n < text.size() && is_digit(text[n])) ++n;
    text.remove_prefix(n);
    return n;
  };
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (!text.empty() && text[0] == '.') text.remove_prefix(1), fraction = digits();
  if (whole + fraction == 0) return false;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

YamlNode::Kind resolve(std::string_view text) {
  using Kind = YamlNode::Kind;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Kind::null;
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
    return Kind::boolean;
  }
  if (is_integer(text)) return Kind::integer;
  if (is_real(text)) return Kind::real;
  return Kind::string;
}

}  // namespace

// Builds the tree from the parser's events. Never throws: past a limit it reports once and lets the rest go by.
class YamlBuilder final : public YAML::EventHandler {
 public:
  YamlBuilder(std::string_view text, const YamlLimits& limits, YamlDocument& document)
      : columns_(text), limits_(limits), document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      error(at(mark), "a second document in one file", "put each configuration in a file of its own");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin(mark, "", anchor, YamlNode::Kind::null);
    end();
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    error(at(mark), "aliases are not supported", "write the value out again");
    begin(mark, "", 0, YamlNode::Kind::invalid);
    end();
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?";
    begin(mark, tag, anchor, plain ? resolve(value) : YamlNode::Kind::string);
    if (skipped_ == 0) {
      YamlNode& node = stack_.back().node;
      node.text_ = value;
      node.boolean_ = node.kind_ == YamlNode::Kind::boolean && (value[0] == 't' || value[0] == 'T');
    }
    end();
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, YamlNode::Kind::map);
  }
  void OnMapEnd() override { end(); }

  YamlPosition at(const YAML::Mark& mark) {
    return columns_.at(static_cast<std::size_t>(std::max(mark.line, 0)),
                       static_cast<std::size_t>(std::max(mark.column, 0)));
  }
  std::string_view line(const YAML::Mark& mark) const {
    return columns_.line(static_cast<std::size_t>(std::max(mark.line, 0)));
  }
  void error(YamlPosition position, std::string message, std::string hint = {}) {
    document_.errors.push_back({position, std::move(message), std::move(hint)});
  }
  int documents() const noexcept { return documents_; }

 private:
  struct Frame {
    YamlNode node;
    bool has_key = false;  // of a map: the key is here, its value comes next
    bool drop = false;     // the value belongs to a key that was refused
    std::string key;
    YamlPosition key_position;
    std::unordered_map<std::string, std::uint32_t> lines;  // of a map: key, line of its first use
  };

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    const YamlPosition position = at(mark);
    if (skipped_ > 0 || documents_ > 1) {
      ++skipped_;
      return;
    }
    if (stack_.size() >= limits_.depth || nodes_ >= limits_.nodes) {
      if (!limit_reported_) {
        error(position, stack_.size() >= limits_.depth
                            ? "nested too deeply: at most " + std::to_string(limits_.depth) + " levels"
                            : "too many values: at most " + std::to_string(limits_.nodes));
      }
      limit_reported_ = true;
      ++skipped_;
      return;
    }
    ++nodes_;
    if (anchor != 0) error(position, "anchors are not supported", "write the value out where it is used");
    if (!tag.empty() && tag != "?" && tag != "!") {
      error(position, "tags are not supported: " + tag, "remove it; quote the value if it is text");
      if (kind != YamlNode::Kind::list && kind != YamlNode::Kind::map) kind = YamlNode::Kind::invalid;
    }
    Frame frame;
    frame.node.kind_ = kind;
    frame.node.position_ = position;
    stack_.push_back(std::move(frame));
  }

  void end() {
    if (skipped_ > 0) {
      --skipped_;
      return;
    }
    YamlNode node = std::move(stack_.back().node);
    stack_.pop_back();
    if (stack_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Frame& parent = stack_.back();
    if (parent.node.kind_ == YamlNode::Kind::list) {
      parent.node.items_.push_back(std::move(node));
    } else if (!parent.has_key) {
      take_key(parent, node);
    } else {
      // An empty value has no text of its own: the place to look at is its key.
      if (node.kind_ == YamlNode::Kind::null && node.text_.empty()) node.position_ = parent.key_position;
      if (!parent.drop) parent.node.entries_.push_back({std::move(parent.key), parent.key_position, std::move(node)});
      parent.has_key = false;
    }
  }

  void take_key(Frame& parent, const YamlNode& key) {
    parent.has_key = true;
    parent.drop = false;
    parent.key = key.text_;
    parent.key_position = key.position_;
    if (key.kind_ == YamlNode::Kind::invalid) {
      parent.drop = true;
    } else if (!key.is_scalar() || key.kind_ == YamlNode::Kind::null) {
      error(key.position_, "a key must be text, not " + std::string(name_of(key.kind_)));
      parent.drop = true;
    } else if (const auto [it, fresh] = parent.lines.emplace(key.text_, key.position_.line); !fresh) {
      error(key.position_, "duplicate key \"" + key.text_ + "\"",
            "it is already set on line " + std::to_string(it->second) + "; keep one of them");
      parent.drop = true;
    }
  }

  Columns columns_;
  const YamlLimits& limits_;
  YamlDocument& document_;
  std::vector<Frame> stack_;
  std::size_t nodes_ = 0;
  std::size_t skipped_ = 0;  // depth inside a part that a limit cut off
  bool limit_reported_ = false;
  int documents_ = 0;
};

namespace {

// Finds what no YAML file may hold, before the parser sees it: it would replace or swallow such bytes.
bool check_characters(std::string_view text, YamlDocument& document) {
  std::uint32_t line = 1, column = 1;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7F) [[likely]] {
      ++i, ++column;
      continue;
    }
    std::size_t bad_bytes = 0;
    const std::size_t length = utf8_sequence(text.data() + i, text.data() + text.size(), &bad_bytes);
    if (length == 0) {
      document.errors.push_back({{line, column}, "the file is not UTF-8 from here on", "save it as UTF-8"});
      return false;
    }
    if (c == '\n') {
      ++line, column = 0;
    } else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7F || (c == '\r' && text.substr(i, 2) != "\r\n")) {
      static constexpr char kHex[] = "0123456789abcdef";
      document.errors.push_back({{line, column},
                                 std::string("control character 0x") + kHex[c >> 4] + kHex[c & 15],
                                 "remove it; inside double quotes it can be written as an escape"});
      return false;
    }
    i += length, ++column;
  }
  return true;
}

YamlError syntax_error(YamlBuilder& builder, const YAML::Exception& e) {
  const std::string_view line = builder.line(e.mark);
  const std::size_t indent = line.find_first_not_of(' ');
  YamlError error{builder.at(e.mark), "not valid YAML: " + e.msg, {}};
  if (indent != std::string_view::npos && line[indent] == '\t') {
    error.hint = "indent with spaces: YAML doesn't allow tabs there";
  } else if (e.msg == YAML::ErrorMsg::END_OF_MAP_FLOW || e.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW) {
    error.hint = "close what was opened before, and put values that contain {, }, [, ] or a comma in quotes";
  } else if (e.msg.find("map value") != std::string::npos || e.msg.find("end of map") != std::string::npos) {
    error.hint = "look at the indentation, and put values that contain \": \" in quotes";
  }
  return error;
}

}  // namespace

std::optional<std::int64_t> YamlNode::integer() const noexcept {
  if (kind_ != Kind::integer) return std::nullopt;
  std::string_view digits = text_;
  int base = 10;
  if (digits.starts_with("0x")) base = 16, digits.remove_prefix(2);
  if (digits.starts_with("0o")) base = 8, digits.remove_prefix(2);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> YamlNode::real() const noexcept {
  if (kind_ == Kind::integer) {
    const auto whole = integer();
    return whole ? std::optional<double>(static_cast<double>(*whole)) : std::nullopt;
  }
  if (kind_ != Kind::real) return std::nullopt;
  std::string_view digits = text_;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  // .inf and .nan are real numbers of YAML that no setting can use
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

const YamlEntry* YamlNode::find(std::string_view key) const noexcept {
  for (const YamlEntry& entry : entries_) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

std::string_view name_of(YamlNode::Kind kind) noexcept {
  switch (kind) {
    case YamlNode::Kind::invalid: return "something invalid";
    case YamlNode::Kind::null: return "nothing";
    case YamlNode::Kind::boolean: return "true or false";
    case YamlNode::Kind::integer: return "a whole number";
    case YamlNode::Kind::real: return "a number";
    case YamlNode::Kind::string: return "text";
    case YamlNode::Kind::list: return "a list";
    case YamlNode::Kind::map: return "a block of keys";
  }
  return "something unknown";
}

YamlDocument parse_yaml(std::string_view text, const YamlLimits& limits) {
  YamlDocument document;
  if (text.size() > limits.bytes) {
    document.errors.push_back(
        {{1, 1}, "the file is too large: at most " + std::to_string(limits.bytes) + " bytes", {}});
    return document;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!check_characters(text, document)) return document;
  YamlBuilder builder(text, limits, document);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    // One more document than allowed is read, to report it; the rest isn't worth the time.
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
    document.complete = true;
  } catch (const YAML::Exception& e) {
    document.errors.push_back(syntax_error(builder, e));
  } catch (const std::exception& e) {
    document.errors.push_back({{1, 1}, std::string("not valid YAML: ") + e.what(), {}});
  }
  if (!document.complete) document.root = YamlNode();
  return document;
}

}  // namespace gatehouse::codec
